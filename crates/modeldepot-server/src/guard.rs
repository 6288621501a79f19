//! Checks of every request (host, origin, rate), and headers of every response.

use std::net::IpAddr;
use std::num::NonZeroU32;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use modeldepot::ErrorKind;
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::answers::Answers;
use crate::problem::Problem;
use crate::rates::Rates;

/// The most requests handled at once.
const REQUESTS: usize = 512;

/// Checks requests.
pub(crate) struct Guard {
    /// Whether to accept only host names of this machine. Without a login, a foreign host name that resolves to this
    /// machine would give its owner's pages access.
    loopback_names: bool,
    /// The URL of the service as seen from outside.
    public: Option<Url>,
    pub(crate) requests: Semaphore,
    pub(crate) answers: Answers,
    rate: Option<Rates>,
}

impl Guard {
    pub(crate) fn new(loopback_names: bool, public: Option<Url>, rate: Option<NonZeroU32>) -> Guard {
        let rate = rate.map(Rates::per_second);
        Guard { loopback_names, public, requests: Semaphore::new(REQUESTS), answers: Answers::default(), rate }
    }

    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        client: Option<IpAddr>,
    ) -> Result<(), Problem> {
        if let (Some(rate), Some(client)) = (&self.rate, client)
            && !is_of_health(uri)
            && rate.count(client).is_err()
        {
            return Err(Problem::new(ErrorKind::Unavailable, "too many requests from this address")
                .status(StatusCode::TOO_MANY_REQUESTS)
                .hint("wait a second, and send fewer requests at once"));
        }
        // RFC 9112: different proxies could read different host names.
        if headers.get_all(header::HOST).iter().nth(1).is_some() {
            return Err(Problem::invalid("the request has more than one `Host` header").hint("send one"));
        }
        let host = uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or_default();
        if self.loopback_names && !is_loopback_name(host) {
            let host = host.escape_debug();
            return Err(Problem::new(ErrorKind::Denied, format!("this service does not answer to the name `{host}`"))
                .status(StatusCode::MISDIRECTED_REQUEST)
                .hint("use `localhost`; with a token file, the service answers to any name"));
        }
        if !method.is_safe() && !self.is_own_page(headers, host) {
            return Err(Problem::new(ErrorKind::Denied, "this request came from a page of another site")
                .hint("behind a proxy, the operator must configure the public URL of this service"));
        }
        Ok(())
    }

    /// Returns true unless the browser says that the request comes from another site's page.
    fn is_own_page(&self, headers: &HeaderMap, host: &str) -> bool {
        if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
            return false;
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let origin = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
        let Some(origin) = origin.filter(|origin| origin.has_host()) else { return false };
        let ours =
            |own: &Url| own.host() == origin.host() && own.port_or_known_default() == origin.port_or_known_default();
        let as_asked = Url::parse(&format!("{}://{host}", origin.scheme()));
        as_asked.is_ok_and(|own| ours(&own)) || self.public.as_ref().is_some_and(ours)
    }
}

/// Returns true for a name that always means the local machine, with any port.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}")) else { return false };
    if url.path() != "/" || !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return false;
    }
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns true for requests about the service's health. They are cheap and always answered: a service that does not
/// answer is assumed dead.
pub(crate) fn is_of_health(uri: &Uri) -> bool {
    matches!(uri.path(), "/healthz" | "/readyz" | "/metrics")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn names_of_this_machine() {
        for good in ["localhost", "localhost:9001", "127.0.0.1:9001", "127.8.9.1", "[::1]:9001", "a.localhost:1"] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x@localhost", "10.0.0.1"] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }

    #[test]
    fn pages_of_other_sites_ask_for_nothing_to_be_done() {
        let guard = Guard::new(true, Some("https://models.example".parse().unwrap()), None);
        let own = |name: &'static str, value: &'static str| {
            let headers = [(header::HeaderName::from_static(name), HeaderValue::from_static(value))];
            guard.is_own_page(&HeaderMap::from_iter(headers), "localhost:9001")
        };
        assert!(
            own("accept", "*/*") && own("origin", "http://localhost:9001") && own("origin", "https://models.example")
        );
        assert!(own("sec-fetch-site", "same-origin") && own("sec-fetch-site", "none"));
        for bad in
            ["http://localhost:9000", "http://localhost", "https://evil.example", "null", "http://models.example"]
        {
            assert!(!own("origin", bad), "{bad}");
        }
        assert!(!own("sec-fetch-site", "cross-site") && !own("sec-fetch-site", "same-site"));
    }
}
