//! Why no connection comes about.

use std::error::Error as StdError;
use std::io;

use url::Url;

use super::chain;
use crate::Endpoint;

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
    pub fn hint(&self, endpoint: &str) -> String {
        let is_loopback = endpoint.parse::<Endpoint>().is_ok_and(|endpoint| endpoint.is_loopback());
        let own = Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        match self {
            Unreached::UnknownHost { host } if *host != own && host.ends_with(&format!(".{own}")) => {
                "the bucket is named in the host, which no name server knows: pass --addressing path, or set \
                 S3_ADDRESSING=path"
            }
            Unreached::UnknownHost { .. } => {
                "is the name in S3_ENDPOINT or --endpoint spelled right, and known on this network (VPN, /etc/hosts)?"
            }
            Unreached::Refused if is_loopback => {
                "nothing listens there: `modeldepot up` starts a server; or is the port in S3_ENDPOINT another one?"
            }
            Unreached::Refused => {
                "the machine is there, and nothing listens on that port: is the server running, and the port right?"
            }
            Unreached::NoConnection => {
                "nobody answers: a firewall, a VPN that is not up, or the address of another machine"
            }
            Unreached::NoRoute => {
                "there is no way to that address from here: check this machine's network, VPN and routes"
            }
            Unreached::Closed => {
                "the port is open and answers nothing in HTTP: is it the S3 server's, with the right scheme?"
            }
            Unreached::Other => "is S3_ENDPOINT or --endpoint right, with its scheme and port?",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_speaks_of_up_on_this_machine_only() {
        let (here, there) = ("http://localhost:9000", "http://192.0.2.7:9000");
        let hint = |kind| Unreached::kind(kind);
        assert!(hint(io::ErrorKind::ConnectionRefused).hint(here).contains("`modeldepot up`"));
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::TimedOut,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::NetworkUnreachable,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::Other,
        ] {
            assert!(!hint(kind).hint(there).contains("`modeldepot up`"), "{kind}");
        }
        insta::assert_snapshot!(hint(io::ErrorKind::TimedOut).hint(there), @"nobody answers: a firewall, a VPN that is not up, or the address of another machine");
        insta::assert_snapshot!(hint(io::ErrorKind::HostUnreachable).hint(there), @"there is no way to that address from here: check this machine's network, VPN and routes");
    }

    #[test]
    fn causes_are_found_in_errors_of_the_system_too() {
        let held = io::Error::other(io::Error::other(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert_eq!(Unreached::of(&held, "h"), Unreached::Closed);
    }
}
