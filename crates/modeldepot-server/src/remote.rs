//! The client address: the peer of the connection, or the client named by a trusted proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use modeldepot_listen::Network;

/// The address of the client, in the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remote(pub(crate) IpAddr);

/// Whether the client's own connection is encrypted, in the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encrypted(pub(crate) bool);

/// The trusted reverse proxies.
#[derive(Default)]
pub(crate) struct Proxies {
    trusted: Vec<Network>,
    /// Whether a warning about an undeclared proxy was logged.
    told: AtomicBool,
}

impl Proxies {
    pub(crate) fn new(trusted: Vec<Network>) -> Proxies {
        Proxies { trusted, told: AtomicBool::new(false) }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Returns the client: the last address that is not a trusted proxy. Addresses before it were claimed by the
    /// client.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        if !self.trusts(client) {
            if !lines.is_empty() && client.is_loopback() && !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "requests come through an undeclared proxy on this machine, so all of its clients share one rate limit; \
                     declare it with `--trusted-proxy 127.0.0.1`"
                );
            }
            return client;
        }
        let named = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        for name in named {
            let Some(address) = address(name.trim()) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    /// Returns whether a trusted proxy says that the client used HTTPS.
    pub(crate) fn encrypted(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let last = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
        let last = last.and_then(|value| value.rsplit(',').next());
        self.trusts(peer) && last.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
    }
}

/// Parses an address, which may have a port.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bare).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (HeaderName::from_static(name), HeaderValue::from_str(line).unwrap());
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_client_is_the_last_address_that_no_trusted_proxy_has() {
        let proxies = Proxies::new(vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
        for (peer, lines, client) in [
            ("127.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            // The client's own claim comes first and is ignored.
            ("127.0.0.1", &["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["192.0.2.1", "203.0.113.9, 10.0.0.7"], "203.0.113.9"),
            ("127.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("::ffff:127.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            // Only trusted proxies are believed.
            ("203.0.113.9", &["192.0.2.1"], "203.0.113.9"),
            ("127.0.0.2", &["192.0.2.1"], "127.0.0.2"),
            // An invalid entry counts as the proxy that passed it on.
            ("127.0.0.1", &["203.0.113.9, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.9, nonsense, 10.0.0.7"], "10.0.0.7"),
            ("127.0.0.1", &["203.0.113.9,"], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ] {
            let found = proxies.client(peer.parse().unwrap(), &headers("x-forwarded-for", lines));
            assert_eq!(found.to_string(), client, "{peer} {lines:?}");
        }
        let nobody = Proxies::default();
        let found = nobody.client("127.0.0.1".parse().unwrap(), &headers("x-forwarded-for", &["203.0.113.9"]));
        assert_eq!(found.to_string(), "127.0.0.1");
    }

    #[test]
    fn only_a_trusted_proxy_says_that_the_client_came_by_https() {
        let proxies = Proxies::new(vec!["127.0.0.1".parse().unwrap()]);
        let encrypted =
            |peer: &str, lines: &[&str]| proxies.encrypted(peer.parse().unwrap(), &headers("x-forwarded-proto", lines));
        assert!(encrypted("127.0.0.1", &["https"]) && encrypted("127.0.0.1", &["http, HTTPS"]));
        assert!(!encrypted("127.0.0.1", &["http"]) && !encrypted("127.0.0.1", &[]));
        assert!(!encrypted("192.0.2.1", &["https"]) && !encrypted("127.0.0.1", &["https", "http"]));
    }
}
