//! `modeldepot up`.

use std::net::SocketAddr;

use modeldepot::{Credentials, LOOPBACK_LOGIN, Settings};
use modeldepot_embedded::{Config, Saving, Server};
use modeldepot_listen::Listen;
use modeldepot_server::{Login, Server as Console};
use serde_json::json;

use super::Context;
use super::listening::{certificate, own_client, raise_open_files};
use super::s3_logs::s3_logs;
use super::serve::{LOGIN, asks, beside, configured, who};
use crate::args::{Globals, UpArgs};
use crate::config;
use crate::error::Error;
use crate::interrupt::Signals;
use crate::ui::{BOLD, DIM, plural, size, styled};

/// The access key of a generated key pair.
const OWN_KEY: &str = "modeldepot";

pub(crate) async fn run(args: UpArgs, globals: &Globals, cx: &Context<'_>) -> Result<(), Error> {
    if !args.no_console && args.listen == args.console && args.listen.port() != 0 {
        return Err(Error::Usage {
            message: format!("--listen and --console are both {}", args.listen),
            hint: "choose another port with --console, or start no console with --no-console",
        });
    }
    let keys = config::keys(args.access.keys)?;
    let (mut access_key, mut secret_key) = login(cx.settings);
    // The default secret does not protect against other users of the host, even if it was configured: example `.env`
    // files contain it.
    let made = secret_key == LOOPBACK_LOGIN
        && keys.is_none()
        && args.listen.ip().is_loopback()
        && asks(args.listen, args.service.login, args.service.no_login)?;
    if made {
        let random = Login::new().map_err(modeldepot_server::Error::from)?;
        (access_key, secret_key) = (OWN_KEY.to_owned(), random.reveal().trim_start_matches("mdt_").to_owned());
    }
    let shown = (access_key.clone(), secret_key.clone());
    let known = access_key == LOOPBACK_LOGIN && secret_key == LOOPBACK_LOGIN;
    let buckets = config::own_settings(globals)?.buckets;
    let buckets: Vec<String> = buckets.all().iter().map(|bucket| bucket.to_string()).collect();
    let embedded = Config {
        listen: args.listen,
        keys: keys.clone(),
        on_request: s3_logs(args.service.audit_log.as_ref(), args.service.access_log.as_ref())?,
        cors_origins: args.access.cors_origin,
        buckets: buckets.clone(),
        compress: args.compress,
        ..Config::new(args.data.clone(), access_key, secret_key)
    };
    let mut signals = Signals::listen();
    raise_open_files();
    let tls = certificate(args.tls)?;
    let listen = Listen { tls: tls.clone(), ..Listen::default() };
    let server = Server::start_with(embedded, listen).await?;
    let own = own_client(cx.settings, &server, tls.as_ref())?;
    let endpoint = own.endpoint.as_ref().map(|endpoint| endpoint.as_str().to_owned()).unwrap_or_default();
    let (mut token, mut people) = (None, String::new());
    let console = match args.no_console {
        true => None,
        false => {
            // The console's own key pair works with any configured credentials, and no web page can know it to sign
            // links.
            let (access, secret) = server.owner_keys();
            let settings = own.credentials(Credentials::key(access, secret));
            let config = configured(args.console, globals, settings, args.service, tls.clone())?;
            (token, people) = (config.login.clone(), who(&config));
            if keys.is_some() && config.tokens.is_none() && config.login.is_none() && config.oidc.is_none() {
                people += " (--keys applies to the S3 port only; use --tokens for the console)";
            }
            Some(Console::start(config).await.map_err(Error::Console)?)
        }
    };
    let console_url = console.as_ref().map(|console| beside(&console.url(), &endpoint, tls.as_ref()));

    if cx.ui.json {
        let mut told = json!({"endpoint": endpoint, "console": console_url, "data": args.data, "buckets": buckets});
        if let Some(saving) = saving(&server, args.compress)? {
            let Saving { files, bytes, stored, .. } = saving;
            told["compressed"] = json!({"files": files, "bytes": bytes, "stored": stored});
        }
        if let Some(token) = &token {
            told["token"] = json!(token.reveal());
        }
        if made {
            told["access_key"] = json!(shown.0);
            told["secret_key"] = json!(shown.1);
        }
        cx.ui.answer_json(&told)?;
    } else {
        // A configured secret is never shown, nor its access key.
        let login = match &keys {
            Some(file) => format!("key pairs in {}", file.display()),
            None if made => "generated for this run, see below".to_owned(),
            None if known => "minioadmin / minioadmin".to_owned(),
            None => "S3_ACCESS_KEY and S3_SECRET_KEY, as configured".to_owned(),
        };
        let field = |name: &str| styled(DIM, format_args!("{name:<9}"));
        cx.ui.answer(styled(BOLD, "modeldepot is up"))?;
        cx.ui.answer(format_args!("  {} {endpoint}", field("endpoint")))?;
        cx.ui.answer(format_args!("  {} {login}", field("login")))?;
        if let Some(url) = console_url {
            cx.ui.answer(format_args!("  {} {url}, with the REST API at {url}/api/v1", field("console")))?;
            cx.ui.answer(format_args!("  {} {people}", field("access")))?;
        }
        if let Some(token) = &token {
            cx.ui.answer(format_args!("  {} {}", field("token"), token.reveal()))?;
        }
        cx.ui.answer(format_args!("  {} {}", field("data"), args.data.display()))?;
        cx.ui.answer(format_args!("  {} {}", field("buckets"), buckets.join(", ")))?;
        if let Some(saving) = saving(&server, args.compress)? {
            cx.ui.answer(format_args!("  {} {}", field("zstd"), saved(saving)))?;
        }
        cx.ui.answer("")?;
        cx.ui.answer("Try, in another terminal:")?;
        if !reaches(cx.settings, server.local_addr(), tls.is_some()) {
            cx.ui.answer(format_args!("  export S3_ENDPOINT={endpoint}"))?;
        }
        if let Some(tls) = &tls {
            cx.ui.answer(format_args!("  export AWS_CA_BUNDLE={}", tls.certificate().display()))?;
        }
        match &keys {
            Some(file) => {
                let file = file.display();
                cx.ui.answer(format_args!("  export S3_ACCESS_KEY=… S3_SECRET_KEY=…  # a key pair from {file}"))?;
            }
            None if made => {
                cx.ui.answer(format_args!("  export S3_ACCESS_KEY={} S3_SECRET_KEY={}", shown.0, shown.1))?;
            }
            // A client would use the profile's credentials.
            None if known && matches!(cx.settings.credentials, Credentials::Profile(_)) => {
                cx.ui.answer("  export S3_ACCESS_KEY=minioadmin S3_SECRET_KEY=minioadmin")?;
            }
            None => {}
        }
        cx.ui.answer("  modeldepot push plant_classifier best_model.pth --history training_history.json")?;
        cx.ui.answer("  modeldepot models")?;
        cx.ui.answer("  modeldepot pull plant_classifier")?;
        cx.ui.answer("")?;
        if token.is_some() {
            cx.ui.answer(LOGIN)?;
        }
        cx.ui.answer(styled(DIM, "Press Ctrl-C to stop."))?;
    }

    signals.next().await;
    if let Some(saving) = saving(&server, args.compress)? {
        cx.ui.note(format_args!("compressed: {}", saved(saving)));
    }
    cx.ui.note("stopping");
    // Running requests may finish; a second signal ends them.
    let stop = async {
        if let Some(console) = console {
            console.stop().await;
        }
        server.stop().await
    };
    tokio::select! {
        biased;
        signal = signals.next() => Err(signal.into()),
        stopped = stop => Ok(stopped?),
    }
}

/// Returns what compression saves, if the folder has compressed files or new ones are to be compressed.
fn saving(server: &Server, compresses: bool) -> Result<Option<Saving>, Error> {
    let saving = server.saving()?;
    Ok((compresses || saving.files > 0).then_some(saving))
}

fn saved(saving: Saving) -> String {
    let Saving { files, bytes, stored, .. } = saving;
    match files {
        0 => "nothing compressed yet".to_owned(),
        _ => format!("{}, {}, stored in {}", plural(files as usize, "file"), size(bytes), size(stored)),
    }
}

/// Returns the configured key pair, or the default.
fn login(settings: &Settings) -> (String, String) {
    match &settings.credentials {
        Credentials::Key { access, secret, .. } => (access.clone(), secret.reveal().to_owned()),
        _ => (LOOPBACK_LOGIN.to_owned(), LOOPBACK_LOGIN.to_owned()),
    }
}

/// Returns true if a client with these settings reaches the server.
fn reaches(settings: &Settings, address: SocketAddr, encrypted: bool) -> bool {
    let Some(endpoint) = &settings.endpoint else { return false };
    let port = endpoint.url().port_or_known_default();
    !encrypted && endpoint.url().scheme() == "http" && endpoint.is_loopback() && port == Some(address.port())
}
