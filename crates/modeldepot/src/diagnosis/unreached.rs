//! Why no connection comes about.

use std::error::Error as StdError;
use std::io;

use url::Url;

use super::chain;
use crate::Endpoint;
use crate::advice::{Advice, note};

/// Why there is no connection, or no answer on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreached {
    /// No name server knows the host, or none answers.
    UnknownHost {
        /// The name that was looked up. Not the endpoint's own where the bucket is named in the host.
        host: String,
    },
    /// The machine is there, and nothing listens on the port.
    Refused,
    /// There is no way to the address.
    NoRoute,
    /// Nobody takes the connection.
    NoConnection,
    /// The connection was closed or reset before an answer came.
    Closed,
    /// Anything else.
    Other,
}

impl Unreached {
    /// Reads the causes of a failed connection to a host.
    pub(crate) fn of(error: &(dyn StdError + 'static), host: &str) -> Unreached {
        let mut found = Unreached::Other;
        for cause in chain(error) {
            if cause.to_string() == "dns error" {
                return Unreached::UnknownHost { host: host.to_owned() };
            }
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                found = Unreached::kind(error.kind());
            }
            if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message) {
                found = Unreached::Closed;
            }
        }
        found
    }

    /// Reads the kind of a failure of the network.
    pub fn kind(kind: io::ErrorKind) -> Unreached {
        match kind {
            io::ErrorKind::ConnectionRefused => Unreached::Refused,
            io::ErrorKind::TimedOut => Unreached::NoConnection,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
                Unreached::NoRoute
            }
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Unreached::Closed,
            _ => Unreached::Other,
        }
    }

    /// Returns what to do about an endpoint that is not reached.
    pub fn advice(&self, endpoint: &str) -> Advice {
        let is_loopback = endpoint.parse::<Endpoint>().is_ok_and(|endpoint| endpoint.is_loopback());
        let url = Url::parse(endpoint).ok();
        let own = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default().to_owned();
        match self {
            Unreached::UnknownHost { host } if *host != own && host.ends_with(&format!(".{own}")) => {
                return Advice::UsePathStyle;
            }
            Unreached::UnknownHost { .. } => return Advice::CheckHost,
            Unreached::Refused if is_loopback => {
                let port = url.and_then(|url| url.port_or_known_default()).unwrap_or_default();
                return Advice::StartServer { port };
            }
            Unreached::Other => return Advice::CheckEndpoint,
            Unreached::Refused => note!(
                "the machine is there, and nothing listens on that port: is the server running, and the port right?"
            ),
            Unreached::NoConnection => {
                note!("nobody answers: a firewall, a VPN that is not up, or the address of another machine")
            }
            Unreached::NoRoute => {
                note!("there is no way to that address from here: check this machine's network, VPN and routes")
            }
            Unreached::Closed => {
                note!("the port is open but does not answer HTTP: is it the S3 server's, with the right scheme?")
            }
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_started_on_this_machine_only() {
        let (here, there) = ("http://localhost:9000", "http://192.0.2.7:9000");
        let advice = |kind, endpoint| Unreached::kind(kind).advice(endpoint);
        assert_eq!(advice(io::ErrorKind::ConnectionRefused, here), Advice::StartServer { port: 9000 });
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::TimedOut,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::NetworkUnreachable,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::Other,
        ] {
            assert!(!matches!(advice(kind, there), Advice::StartServer { .. }), "{kind}");
        }
        let note = |kind| match advice(kind, there) {
            Advice::Note(note) => note.to_string(),
            other => panic!("{other:?}"),
        };
        insta::assert_snapshot!(note(io::ErrorKind::TimedOut), @"nobody answers: a firewall, a VPN that is not up, or the address of another machine");
        insta::assert_snapshot!(note(io::ErrorKind::HostUnreachable), @"there is no way to that address from here: check this machine's network, VPN and routes");
    }

    #[test]
    fn causes_are_found_in_errors_of_the_system_too() {
        let held = io::Error::other(io::Error::other(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert_eq!(Unreached::of(&held, "h"), Unreached::Closed);
    }
}
