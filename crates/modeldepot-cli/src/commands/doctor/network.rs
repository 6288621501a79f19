//! From the host name to an open port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use modeldepot::diagnosis::Unreached;
use modeldepot::{ErrorKind, Settings};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::{Host, Url};

use super::line::Line;
use super::style::in_host;
use crate::advice::said;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the S3 service should be.
pub(super) struct Place {
    pub(super) url: Url,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    pub(super) fn new(endpoint: &str) -> Option<Place> {
        let url = Url::parse(endpoint).ok()?;
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        Some(Place { url, host, port })
    }

    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// Resolves the host name.
pub(super) async fn name(place: &Place, proxy: bool) -> (Line, Vec<SocketAddr>) {
    let tried = format!("look up `{}`", place.host);
    let bare = place.host.trim_matches(['[', ']']);
    let found: io::Result<Vec<SocketAddr>> = match timeout(PATIENCE, lookup_host((bare, place.port))).await {
        Ok(found) => found.map(Iterator::collect),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let right = match proxy {
        true => "check the name of the proxy; NO_PROXY lists hosts to reach without it",
        false => &said(&Unreached::UnknownHost { host: place.host.clone() }.advice(place.url.as_str())),
    };
    match found {
        Ok(found) if !found.is_empty() => {
            if matches!(place.url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))) {
                return (Line::good("name", tried, "is an IP address"), found);
            }
            let addresses: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
            (Line::good("name", tried, addresses.join(", ")), found)
        }
        Ok(_) => (Line::bad("name", ErrorKind::Unavailable, tried, "has no address").change(right), Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            let line = Line::bad("name", ErrorKind::Unavailable, tried, "no name server answered in 5 s");
            (line.change("check the network and DNS settings of this machine"), Vec::new())
        }
        Err(error) => {
            let found = format!("unknown host ({error})");
            (Line::bad("name", ErrorKind::Unavailable, tried, found).change(right), Vec::new())
        }
    }
}

/// Opens a connection to each address in turn until one answers.
pub(super) async fn port(place: &Place, addresses: &[SocketAddr], proxy: bool) -> Line {
    let tried = format!("connect to port {}{}", place.port, if proxy { " of the proxy" } else { "" });
    let mut failures = Vec::new();
    let patience = PATIENCE / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    for address in addresses {
        let error = match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(_)) if failures.is_empty() => return Line::good("port", tried, "open"),
            Ok(Ok(_)) => {
                let details = failures.iter().map(|(address, error)| format!("{address}: {}", word(error))).collect();
                return Line::note("port", tried, format!("open at {address}, but not at every address"))
                    .details(details);
            }
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        failures.push((*address, error));
    }
    let found = match &failures[..] {
        [] => "no address to try".to_owned(),
        [(_, error)] => word(error),
        several => {
            several.iter().map(|(at, error)| format!("{} {}", at.ip(), word(error))).collect::<Vec<_>>().join("; ")
        }
    };
    let line = Line::bad("port", ErrorKind::Unavailable, tried, found);
    if proxy {
        return line.change("check the address of the proxy; NO_PROXY lists hosts to reach without it");
    }
    // A refused connection means that the host exists.
    let refused = failures.iter().position(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused);
    let why = failures.get(refused.unwrap_or(0)).map_or(Unreached::NoRoute, |(_, error)| Unreached::kind(error.kind()));
    line.change(said(&why.advice(place.url.as_str())))
}

fn word(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        _ => error.to_string(),
    }
}

/// Returns the URL to which requests for the models bucket go.
pub(super) fn asked(place: &Place, settings: &Settings) -> Option<Url> {
    let mut url = place.url.clone();
    if in_host(settings) {
        url.set_host(Some(&format!("{}.{}", settings.buckets.models, place.host))).ok()?;
    }
    Some(url)
}

/// Reports the proxy that requests go through.
pub(super) fn proxies(place: &Place, settings: &Settings) -> Line {
    let tried = "read proxy variables";
    if settings.proxies.are_none() {
        return Line::good("proxy", tried, "none set");
    }
    match asked(place, settings).and_then(|url| settings.proxies.route(&url).cloned()) {
        Some(proxy) => Line::good("proxy", tried, format!("requests go through {proxy}")),
        None => Line::good("proxy", tried, "set, but not used for this endpoint"),
    }
}
