//! What `up` and `serve` have in common when they start to listen.

use modeldepot::{Endpoint, Proxies, Settings};
use modeldepot_embedded::Server;
use modeldepot_listen::Tls;

use crate::args::TlsArgs;
use crate::error::Error;

/// The open files of two servers at their connection limits.
#[cfg(unix)]
const OPEN_FILES: u64 = 16 << 10;

/// Reads the certificate, if one is configured.
pub(super) fn certificate(args: TlsArgs) -> Result<Option<Tls>, Error> {
    Ok(args.tls_cert.zip(args.tls_key).map(|(certificate, key)| Tls::load(certificate, key)).transpose()?)
}

/// Raises the limit of open files to what the servers' connections need. The usual default is 1024.
#[cfg(unix)]
pub(super) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
    {
        tracing::debug!(%error, "cannot raise the number of open files");
    }
}

#[cfg(not(unix))]
pub(super) fn raise_open_files() {}

/// Returns settings for a client in the same process, whose endpoint also becomes the base of links. With TLS, its host
/// must be a name in the certificate: that of the configured endpoint if it uses this port, else a name of this
/// machine, else the first.
pub(super) fn own_client(settings: &Settings, server: &Server, tls: Option<&Tls>) -> Result<Settings, Error> {
    let Some(tls) = tls else {
        return Ok(settings.clone().endpoint(parse(&server.endpoint())?).proxies(Proxies::default()));
    };
    let port = server.local_addr().port();
    let own = parse(&server.endpoint())?;
    let configured = settings
        .endpoint
        .as_ref()
        .map(Endpoint::url)
        .filter(|url| url.scheme() == "https" && url.port_or_known_default() == Some(port));
    let mut hosts: Vec<String> = configured.and_then(|url| url.host_str()).map(str::to_owned).into_iter().collect();
    let (near, names) = ([own.url().host_str().unwrap_or_default().to_owned(), "localhost".to_owned()], tls.names());
    match server.local_addr().ip().is_loopback() {
        true => hosts.extend(near.into_iter().chain(names)),
        false => hosts.extend(names.into_iter().filter(|name| name != "localhost").chain(near)),
    }
    let Some(host) = hosts.iter().find(|host| tls.is_for(host)) else {
        return Err(Error::Usage {
            message: format!("the certificate `{}` names no host", tls.certificate().display()),
            hint: "set S3_ENDPOINT=https://NAME:PORT with a name that the certificate is valid for",
        });
    };
    let endpoint = parse(&format!("https://{host}:{port}"))?;
    // Requests within the process need no proxy.
    Ok(settings.clone().endpoint(endpoint).ca_bundle(tls.certificate()).proxies(Proxies::default()))
}

fn parse(endpoint: &str) -> Result<Endpoint, Error> {
    Ok(endpoint.parse().map_err(modeldepot::Error::from)?)
}
