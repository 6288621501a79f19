//! `modeldepot serve`.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use modeldepot::{BucketName, S3Client, Settings};
use modeldepot_listen::Tls;
use modeldepot_server::{Config, Log, LogTarget, Login, Redirect, Server};
use serde_json::json;
use url::{Host, Url};

use super::Context;
use super::doctor;
use super::listening::{certificate, raise_open_files};
use super::neighbours::others;
use crate::args::{Globals, RedirectArg, ServeArgs, ServiceArgs};
use crate::config;
use crate::error::Error;
use crate::interrupt::Signals;
use crate::ui::{BOLD, DIM, WARN, clean, styled};

pub(crate) async fn run(args: ServeArgs, globals: &Globals, cx: &Context<'_>) -> Result<(), Error> {
    let mut signals = Signals::listen();
    raise_open_files();
    let tls = certificate(args.tls)?;
    let config = configured(args.listen, globals, cx.settings.clone(), args.service, tls)?;
    let (login, people, tls) = (config.login.clone(), who(&config), config.connections.tls.clone());
    let client = cx.storage().await?.client().clone();
    let trouble = tokio::select! {
        biased;
        signal = signals.next() => return Err(signal.into()),
        checked = is_s3(&client, &cx.settings.buckets.models) => checked?,
    };
    let server = Server::start(config).await?;
    if let Some(error) = trouble {
        let error = clean(&error.to_string()).into_owned();
        cx.ui.warning(format_args!("{} {error}; starting anyway", styled(WARN, "warning:")));
    }
    let endpoint = client.endpoint().to_owned();
    let url = beside(&server.url(), &endpoint, tls.as_ref());
    if cx.ui.json {
        let token = login.as_ref().map(Login::reveal);
        cx.ui.answer_json(&json!({"console": url, "endpoint": endpoint, "token": token}))?;
    } else {
        let field = |name: &str| styled(DIM, format_args!("{name:<9}"));
        cx.ui.answer(styled(BOLD, "modeldepot is serving"))?;
        cx.ui.answer(format_args!("  {} {url}", field("console")))?;
        cx.ui.answer(format_args!("  {} {people}", field("access")))?;
        if let Some(login) = &login {
            cx.ui.answer(format_args!("  {} {}", field("token"), login.reveal()))?;
        }
        cx.ui.answer(format_args!("  {} {url}/api/v1, described at {url}/docs", field("api")))?;
        cx.ui.answer(format_args!("  {} {endpoint}", field("endpoint")))?;
        cx.ui.answer(format_args!("  {} {}", field("bucket"), cx.settings.buckets.models))?;
        cx.ui.answer("")?;
        if login.is_some() {
            cx.ui.answer(LOGIN)?;
        }
        cx.ui.answer(styled(DIM, "Press Ctrl-C to stop."))?;
    }
    signals.next().await;
    cx.ui.note("stopping");
    // Running requests may finish; a second signal ends them.
    tokio::select! {
        biased;
        signal = signals.next() => Err(signal.into()),
        () = server.stop() => Ok(()),
    }
}

/// Fails if the endpoint answers, but not as S3. An endpoint that is not reachable yet may be starting, and missing
/// permissions are shown by the console: these are returned, for a warning.
async fn is_s3(client: &S3Client, models: &BucketName) -> Result<Option<modeldepot::Error>, Error> {
    match client.ask(models).await {
        Err(error @ (modeldepot::Error::NotS3 { .. } | modeldepot::Error::Tls { .. })) => Err(error.into()),
        Err(error) => Ok(Some(error)),
        Ok(answer) => Ok(answer.refusal),
    }
}

/// Default limit of requests per second and client, beyond loopback.
const RATE: u32 = 200;

/// Opens a log.
pub(super) fn log(target: Option<&LogTarget>) -> Result<Option<Log>, Error> {
    let Some(target) = target else { return Ok(None) };
    let failed = |source| modeldepot_server::Error::Log { path: target.to_string().into(), source };
    Ok(Some(Log::open(target).map_err(failed)?))
}

/// How to use the generated token.
pub(super) const LOGIN: &str = "The token is valid for this run: paste it into the login page, or send it as `Authorization: Bearer TOKEN`. \
     With `--no-login`, no token is required and every user of this host can do everything.";

/// Returns true if a token is required although there is no token file.
pub(super) fn asks(listen: SocketAddr, login: bool, no_login: bool) -> Result<bool, Error> {
    let said = match (login, no_login) {
        (false, false) => config::login()?,
        (login, _) => Some(login),
    };
    // Beyond loopback, a token file is required anyway.
    Ok(said.unwrap_or_else(|| listen.ip().is_loopback() && others()))
}

/// Describes who can use the console and the REST API.
pub(super) fn who(config: &Config) -> String {
    let tokens = config.tokens.as_ref().map(|file| format!("tokens in {}", file.display()));
    let login = config.login.as_ref().map(|_| "the token below".to_owned());
    let people = config.oidc.as_ref().map(|oidc| format!("users of {}", oidc.issuer.as_str()));
    let all: Vec<String> = tokens.into_iter().chain(login).chain(people).collect();
    match all.is_empty() {
        true => "everyone on this machine".to_owned(),
        false => all.join(", "),
    }
}

/// Returns the URL of the console with the same host name as the S3 endpoint, if both are on this machine. Browsers treat
/// `localhost` and `127.0.0.1` as two sites, and refuse a download that is redirected from one to the other.
pub(super) fn beside(console: &str, endpoint: &str, tls: Option<&Tls>) -> String {
    let named = || {
        let mut url = Url::parse(console).ok()?;
        let is_near = match url.host()? {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(_) => false,
        };
        let is_localhost = Url::parse(endpoint).ok()?.host_str() == Some("localhost");
        let is_certified = tls.is_none_or(|tls| tls.is_for("localhost"));
        if !(is_near && is_localhost && is_certified) {
            return None;
        }
        url.set_host(Some("localhost")).ok()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    };
    named().unwrap_or_else(|| console.to_owned())
}

/// Returns the configuration of the service.
pub(super) fn configured(
    listen: SocketAddr,
    globals: &Globals,
    settings: Settings,
    args: ServiceArgs,
    tls: Option<Tls>,
) -> Result<Config, Error> {
    let doctor = doctor::for_the_console(globals, &settings)?;
    let mut default = Config::new(listen, settings);
    default.connections.tls = tls;
    let rate = args.rate.unwrap_or(if listen.ip().is_loopback() { 0 } else { RATE });
    let tokens = config::tokens(args.tokens)?;
    let oidc = config::oidc(args.oidc)?;
    let login =
        (tokens.is_none() && oidc.is_none() && asks(listen, args.login, args.no_login)?).then(Login::new).transpose();
    Ok(Config {
        tokens,
        login: login.map_err(modeldepot_server::Error::from)?,
        oidc,
        read_only: args.read_only,
        redirect: match args.redirect {
            RedirectArg::Auto => Redirect::Auto,
            RedirectArg::Always => Redirect::Always,
            RedirectArg::Never => Redirect::Never,
        },
        public_url: args.public_url,
        audit_log: log(args.audit_log.as_ref())?,
        access_log: log(args.access_log.as_ref())?,
        rate: NonZeroU32::new(rate),
        trusted_proxies: args.trusted_proxy,
        staging: args.staging.or_else(|| Some(config::state_folder()?.join("staging"))),
        staging_quota: args.staging_quota.map(|quota| quota.0.get()),
        unsafe_upload_urls: args.allow_unsafe_upload_urls,
        doctor: Some(doctor),
        ..default
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_has_the_name_of_the_endpoint_where_both_are_of_this_machine() {
        let of = |console: &str, endpoint: &str| beside(console, endpoint, None);
        for console in ["http://127.0.0.1:9001", "http://[::1]:9001"] {
            assert_eq!(of(console, "http://localhost:9000"), "http://localhost:9001");
            assert_eq!(of(console, "http://127.0.0.1:9000"), console);
            assert_eq!(of(console, "https://s3.example"), console);
        }
        assert_eq!(of("http://10.0.0.7:9001", "http://localhost:9000"), "http://10.0.0.7:9001");
    }
}
