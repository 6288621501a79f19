//! Forward proxies, chosen for a request by the rules of `curl` and Go. Plain data.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use crate::setters::setters;
use crate::settings::Secret;

/// The proxies of this machine. None by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxies {
    /// For requests to `http://` addresses.
    pub http: Option<Proxy>,
    /// For requests to `https://` addresses.
    pub https: Option<Proxy>,
    /// The hosts that are reached without a proxy, as in `NO_PROXY`.
    pub except: String,
}

/// The address of a proxy, with its login. The login is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    address: Secret,
    shown: String,
}

setters!(Proxies {
    some http: Proxy,
    some https: Proxy,
    into except: String,
});

impl Proxies {
    /// Returns the proxy for requests to an address, if any.
    ///
    /// This machine itself and the metadata services of clouds and containers are never reached through a proxy.
    pub fn route(&self, to: &Url) -> Option<&Proxy> {
        let proxy = match to.scheme() {
            "http" => self.http.as_ref()?,
            "https" => self.https.as_ref()?,
            _ => return None,
        };
        self.intercept(proxy, to).map(|_| proxy)
    }

    /// Returns the proxy in hyper's form.
    pub(crate) fn intercept(&self, proxy: &Proxy, to: &Url) -> Option<Intercept> {
        let host = to.host_str()?;
        if is_near(host) {
            return None;
        }
        let except = exceptions(&self.except, to.port_or_known_default());
        let matcher = Matcher::builder().all(proxy.address.reveal()).no(except).build();
        matcher.intercept(&to.as_str().parse().ok()?)
    }

    /// Returns true when no request goes through a proxy.
    pub fn are_none(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// Returns true when a proxy itself is reached over TLS.
    pub(crate) fn need_tls(&self) -> bool {
        [&self.http, &self.https].into_iter().flatten().any(|proxy| proxy.shown.starts_with("https://"))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Text that is not the address of a proxy. It is not shown, because it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a proxy: {rule}")]
#[non_exhaustive]
pub struct ProxyError {
    /// The expected form.
    pub rule: &'static str,
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        const REFUSED: ProxyError =
            ProxyError { rule: "write it as `http://HOST:PORT`, `https://HOST:PORT` or `socks5h://HOST:PORT`" };
        let text = text.trim();
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(&text).map_err(|_| REFUSED)?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") || url.host_str().is_none_or(str::is_empty)
        {
            return Err(REFUSED);
        }
        if url.port().is_none() && url.scheme().starts_with("socks") {
            url.set_port(Some(1080)).map_err(|()| REFUSED)?;
        }
        url.set_path("");
        url.set_query(None);
        url.set_fragment(None);
        let address = Secret::new(url.as_str());
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| REFUSED)?;
        let proxy = Proxy { address, shown: url.as_str().trim_end_matches('/').to_owned() };
        // Otherwise an address that hyper does not understand would silently mean no proxy.
        let probe = Matcher::builder().all(proxy.address.reveal()).build();
        let elsewhere = hyper::Uri::from_static("https://elsewhere.invalid");
        probe.intercept(&elsewhere).map(|_| proxy).ok_or(REFUSED)
    }
}

impl Proxy {
    /// Returns the address without the login.
    pub fn url(&self) -> Option<Url> {
        self.shown.parse().ok()
    }
}

/// Returns true for hosts that no proxy could reach: this machine itself, and link-local addresses, such as those of
/// metadata services.
fn is_near(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    if host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost") {
        return true;
    }
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // fd00:ec2::/32 is AWS's, for metadata.
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2],
        Err(_) => false,
    }
}

/// Returns the exceptions that apply to a port, in hyper's form, which has no ports, no `*.` and no blanks.
fn exceptions(text: &str, port: Option<u16>) -> String {
    let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let counted = entries.filter_map(|entry| {
        let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        match entry.rsplit_once(':') {
            Some((host, of)) if !host.contains(':') || host.ends_with(']') => {
                (of.parse().ok() == port).then(|| host.trim_matches(['[', ']']))
            }
            _ => Some(entry.trim_matches(['[', ']'])),
        }
    });
    counted.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(except: &str, to: &str) -> bool {
        let proxy: Proxy = "proxy.example:3128".parse().unwrap();
        let proxies = Proxies { http: Some(proxy.clone()), https: Some(proxy), except: except.to_owned() };
        proxies.route(&Url::parse(to).unwrap()).is_some()
    }

    #[test]
    fn what_goes_through_a_proxy() {
        for (except, to, through) in [
            ("", "https://s3.example.com", true),
            ("", "http://s3.example.com:9000/base", true),
            ("", "http://10.0.0.7:9000", true),
            ("", "http://localhost:9000", false),
            ("", "http://models.localhost:9000", false),
            ("", "http://127.0.0.53:9000", false),
            ("", "http://[::1]:9000", false),
            ("", "http://169.254.169.254/latest", false),
            ("", "http://169.254.170.2/v2/credentials", false),
            ("", "http://[fd00:ec2::254]/latest", false),
            ("*", "https://s3.example.com", false),
            ("example.com", "https://s3.example.com", false),
            (".example.com", "https://s3.example.com", false),
            ("*.example.com", "https://s3.example.com", false),
            ("*.example.com", "https://s3.other.com", true),
            ("example.com", "https://notexample.com", true),
            ("a.b, example.com", "https://s3.example.com", false),
            ("a.b example.com", "https://s3.example.com", false),
            ("EXAMPLE.com", "https://s3.example.com", false),
            ("10.0.0.0/8", "http://10.0.0.7:9000", false),
            ("10.0.0.0/8", "http://11.0.0.7:9000", true),
            ("10.0.0.7", "http://10.0.0.7:9000", false),
            ("s3.example.com:443", "https://s3.example.com", false),
            ("s3.example.com:9000", "https://s3.example.com", true),
            ("fd12::7", "http://[fd12::7]:9000", false),
            ("[fd12::7]:9000", "http://[fd12::7]:9000", false),
            ("[fd12::7]:9001", "http://[fd12::7]:9000", true),
        ] {
            assert_eq!(route(except, to), through, "{to} with NO_PROXY={except}");
        }
    }

    #[test]
    fn each_scheme_has_its_own() {
        let proxies = Proxies { https: Some("p:1".parse().unwrap()), ..Proxies::default() };
        assert!(proxies.route(&Url::parse("http://s3.example.com").unwrap()).is_none());
        assert!(proxies.route(&Url::parse("https://s3.example.com").unwrap()).is_some());
    }

    #[test]
    fn addresses_and_what_is_shown_of_them() {
        for (text, shown) in [
            ("http://me:hush@proxy:3128", "http://proxy:3128"),
            ("me:hu%40sh@proxy:3128/path?x=hush", "http://proxy:3128"),
            ("https://proxy", "https://proxy"),
            ("socks5h://me:hush@proxy", "socks5h://proxy:1080"),
            (" http://[::1]:8080 ", "http://[::1]:8080"),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!((proxy.to_string().as_str(), format!("{proxy:?}").as_str()), (shown, shown));
        }
        for wrong in ["", "ftp://proxy", "socks4://proxy", "http://", "http://me:hush@", ":3128", "http://a b"] {
            let refused = wrong.parse::<Proxy>().unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("hush"), "{wrong}");
        }
    }
}
