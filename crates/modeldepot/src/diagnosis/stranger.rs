//! What answers instead of S3.

use std::fmt;

use url::Url;

use super::page::Page;
use super::shown;
use crate::advice::{Advice, Note, note};

/// What answers at an endpoint instead of S3. Texts of the server are shortened and printable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stranger {
    /// TLS was begun, and plain HTTP is spoken.
    PlainHttp,
    /// Plain HTTP was asked, and TLS is spoken.
    Tls,
    /// It redirects to another address, as S3 does not.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to, without a query.
        to: String,
        /// It is the same host by https, which is where the S3 API may be.
        secure: bool,
    },
    /// An answer in HTTP that is not S3's.
    Page(Page),
    /// It does not speak HTTP.
    Banner {
        /// The first line.
        text: String,
        /// What speaks so.
        service: Option<&'static str>,
    },
    /// TLS was begun, and neither that nor HTTP is spoken.
    NotTls,
}

impl Stranger {
    /// Returns what a redirect leads to.
    pub(crate) fn redirect(status: u16, from: &str, to: &str) -> Stranger {
        let to_url = Url::parse(from).ok().and_then(|from| from.join(to).ok());
        let Some(mut url) = to_url else { return Stranger::Redirect { status, to: shown(to), secure: false } };
        let from = Url::parse(from).ok();
        let plain = from.as_ref().is_some_and(|from| from.scheme() == "http");
        let secure = plain && url.scheme() == "https" && from.is_some_and(|from| from.host() == url.host());
        // What a login page is given in its address may be a login.
        url.set_query(None);
        url.set_fragment(None);
        let _ = url.set_password(None);
        let _ = url.set_username("");
        Stranger::Redirect { status, to: shown(url.as_str()), secure }
    }

    /// Returns the first line of what does not speak HTTP.
    pub(crate) fn banner(bytes: &[u8]) -> Stranger {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]);
        let line = text.lines().next().unwrap_or_default();
        let starts = |what: &[&str]| what.iter().any(|what| line.starts_with(what));
        let service = if starts(&["SSH-"]) {
            Some("an SSH server")
        } else if starts(&["220 ", "220-"]) {
            Some(if line.to_ascii_uppercase().contains("FTP") { "an FTP server" } else { "a mail or FTP server" })
        } else if starts(&["-ERR", "-NOAUTH", "-DENIED", "-MISCONF"]) {
            Some("a Redis server")
        } else if starts(&["* OK"]) {
            Some("a mail server")
        } else if line.contains("mysql") || line.contains("MariaDB") {
            Some("a MySQL server")
        } else if starts(&["E"]) && text.contains("FATAL") {
            Some("a PostgreSQL server")
        } else {
            None
        };
        Stranger::Banner { text: shown(line), service }
    }

    /// Returns what to do.
    pub(crate) fn advice(&self, endpoint: &str) -> Advice {
        match self {
            Stranger::PlainHttp => Advice::SetEndpoint(with_scheme("http", endpoint)),
            Stranger::Tls => Advice::SetEndpoint(with_scheme("https", endpoint)),
            Stranger::Redirect { to, secure: true, .. } => {
                let at = Url::parse(to).map(|url| url.origin().ascii_serialization()).unwrap_or_else(|_| to.clone());
                Advice::SetEndpoint(at)
            }
            Stranger::Redirect { to, .. } if is_login(to) => LOGIN_PAGE.into(),
            Stranger::Redirect { .. } => note!(
                "if the S3 API is there, set S3_ENDPOINT to that address; else a proxy or another service is in between"
            )
            .into(),
            Stranger::Page(Page { product: Some(product), .. }) => product.advice(),
            Stranger::Page(Page { status: 407, .. }) => {
                note!("a proxy in between asks for a login: use an endpoint that is reached directly").into()
            }
            Stranger::Page(page) if page.title.as_deref().is_some_and(is_login) => LOGIN_PAGE.into(),
            Stranger::Page(_) => note!(
                "is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address \
                 and port"
            )
            .into(),
            Stranger::Banner { .. } | Stranger::NotTls => {
                note!("another service is on that port: set S3_ENDPOINT to the S3 server's own address").into()
            }
        }
    }
}

const LOGIN_PAGE: Note = note!(
    "a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address \
     without it"
);

/// Returns an endpoint with another scheme, and its port spelled out.
fn with_scheme(scheme: &str, endpoint: &str) -> String {
    let url = Url::parse(endpoint).ok();
    let port = url.as_ref().and_then(Url::port_or_known_default);
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or("HOST");
    match port {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

/// Returns true for words that a page for logging in has in its address or title.
fn is_login(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["login", "log in", "logon", "signin", "sign in", "sso", "oauth", "captive", "portal", "/auth"]
        .iter()
        .any(|word| text.contains(word))
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stranger::PlainHttp => f.write_str("speaks plain HTTP, not TLS"),
            Stranger::Tls => f.write_str("speaks TLS, not plain HTTP"),
            Stranger::Redirect { status, to, secure: true } => write!(f, "redirects to `{to}` (HTTP {status})"),
            Stranger::Redirect { status, to, .. } => {
                write!(f, "is not an S3 API: it redirects to `{to}` (HTTP {status})")
            }
            Stranger::Page(page) => write!(f, "is not an S3 API: {page}"),
            Stranger::Banner { text, service: Some(service) } => {
                write!(f, "is not an S3 API: it is {service} (`{text}`)")
            }
            Stranger::Banner { text, service: None } => {
                write!(f, "is not an S3 API: it does not speak HTTP (`{text}`)")
            }
            Stranger::NotTls => f.write_str("is not an S3 API: it speaks neither TLS nor HTTP"),
        }
    }
}
