//! Requests that browsers send on behalf of web pages.
//!
//! With the default credentials, which are public, any page in a browser on this machine could sign requests. So each
//! request is checked before the protocol layer sees it:
//!
//! - With the default credentials, only names of this machine are answered. This refuses pages that resolve their own
//!   host name to this machine (DNS rebinding).
//! - A request that a browser marks as coming from a page of another origin is refused, unless the configuration or a
//!   CORS rule of the bucket allows that origin. There are two exceptions. One is a link to an object that is opened on
//!   its own, in a tab or as a download: the page with the link cannot read the answer. The other is an upload by form,
//!   if the signing key is secret: it is signed for exactly that.
//! - A CORS rule only lets a page send requests; each request still needs a valid signature. With the default
//!   credentials any page could create a signature, so there a rule for any origin or for `null` allows nothing, and a
//!   copy also needs a rule of the source bucket.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use s3s::dto::CopySource;
use url::Url;

use crate::head::{is_form, names_a_key};
use crate::refusal::plain_error;
use crate::store::cors::{Asked, Rule, Rules};

/// How long a browser may cache the answer to a preflight, in seconds.
const PREFLIGHT_AGE: &str = "3600";

const METHODS: &str = "GET, HEAD, PUT, POST, DELETE";

/// How a browser may open an object: display it, without running scripts, loading resources or framing it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

/// The origin of a web page: scheme, host and port, such as `https://notebooks.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Returns the origin as browsers write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| FORM.to_owned())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        // A wildcard would be compared literally and match nothing.
        let named = url.host_str().is_some_and(|host| !host.contains('*'));
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !named || !anonymous {
            return Err(FORM.to_owned());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

const FORM: &str = "write an origin as scheme, host and port, such as `http://localhost:5173`; there is no wildcard";

/// The sender of an admitted request.
#[derive(Debug)]
pub(crate) enum Sender {
    /// Not a page of another origin: a program, or the address bar.
    Direct,
    /// A page whose origin is allowed.
    Page(HeaderValue),
    /// A page that a CORS rule of the bucket allows.
    Rule(HeaderValue, Rule),
}

/// Checks requests before anything else does.
#[derive(Debug)]
pub(crate) struct Front {
    /// The public access key, if the server accepts it.
    public: Option<String>,
    allowed: Vec<Origin>,
    rules: Arc<Rules>,
}

impl Front {
    pub(crate) fn new(public: Option<String>, allowed: Vec<Origin>, rules: Arc<Rules>) -> Self {
        Self { public, allowed, rules }
    }

    /// Returns the sender, or the answer to a refused request.
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Result<Sender, Box<Response<s3s::Body>>> {
        let headers = request.headers();
        let sender = match self.sender(request) {
            Ok(sender) => sender,
            Err(refusal) => {
                // Pages can cause this as often as they like, and the browser shows it.
                tracing::info!(reason = refusal.message, "refused a request");
                let mut answer = plain_error(refusal.status, refusal.code, refusal.message);
                self.finish(&Sender::Direct, &mut answer);
                return Err(Box::new(answer));
            }
        };
        match &sender {
            Sender::Page(_) if is_preflight(request.method(), headers) => {
                let mut answer = preflight(headers, None);
                self.finish(&sender, &mut answer);
                Err(Box::new(answer))
            }
            Sender::Rule(_, rule) if is_preflight(request.method(), headers) => {
                let mut answer = preflight(headers, Some(rule));
                self.finish(&sender, &mut answer);
                Err(Box::new(answer))
            }
            _ => Ok(sender),
        }
    }

    fn sender<B>(&self, request: &Request<B>) -> Result<Sender, Refusal> {
        let (method, headers) = (request.method(), request.headers());
        let authority = request.uri().authority().map(|authority| authority.as_str());
        let query = request.uri().query().unwrap_or_default();
        let hosts: Vec<_> = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?")).collect();
        if hosts.len() > 1 {
            return Err(SEVERAL_HOSTS);
        }
        let is_local = !hosts.is_empty() && hosts.iter().copied().chain(authority).all(is_of_this_machine);
        if self.public.is_some() && !is_local {
            return Err(FOREIGN_HOST);
        }
        let origins: Vec<_> = headers.get_all(header::ORIGIN).iter().collect();
        if let [origin] = origins[..]
            && self.allowed.iter().any(|allowed| allowed.as_str().as_bytes() == origin.as_bytes())
        {
            return Ok(Sender::Page(origin.clone()));
        }
        let own = |origin: &&HeaderValue| origin.to_str().is_ok_and(|origin| hosts.iter().any(|h| is_same(origin, h)));
        // Signed for browsers with a secret key. The form can do nothing that its policy does not allow.
        let is_signed_form = self.public.is_none() && is_form(request) && query.is_empty() && origins.len() < 2;
        if !origins.iter().all(own) || origins.len() > 1 {
            let (has_rules, rule) = match origins[..] {
                [origin] => self.rule(request, origin),
                _ => (false, None),
            };
            return match rule {
                Some((origin, rule)) => Ok(Sender::Rule(origin, rule)),
                None if is_signed_form => Ok(Sender::Direct),
                None if has_rules && is_preflight(method, headers) => Err(NO_RULE),
                None => Err(FOREIGN_PAGE),
            };
        }
        let sites: Vec<_> = headers.get_all("sec-fetch-site").iter().map(HeaderValue::as_bytes).collect();
        let foreign = !sites.iter().all(|site| matches!(*site, b"none" | b"same-origin"));
        if !foreign || is_signed_form || (origins.is_empty() && self.is_opened_link(method, headers, &sites, query)) {
            return Ok(Sender::Direct);
        }
        Err(FOREIGN_PAGE)
    }

    /// Returns whether the bucket of a request has CORS rules, and the one that allows the page.
    fn rule<B>(&self, request: &Request<B>, origin: &HeaderValue) -> (bool, Option<(HeaderValue, Rule)>) {
        let headers = request.headers();
        let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy();
        let bucket = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let Ok(page) = origin.to_str() else { return (false, None) };
        let mut asked = Asked {
            origin: page,
            method: request.method().as_str(),
            headers: Vec::new(),
            exact: self.public.is_some(),
        };
        if is_preflight(request.method(), headers) {
            asked.method = text(header::ACCESS_CONTROL_REQUEST_METHOD);
            let names = text(header::ACCESS_CONTROL_REQUEST_HEADERS).split(',');
            asked.headers = names.map(str::trim).filter(|name| !name.is_empty()).collect();
        }
        let (has_rules, rule) = self.rules.find(bucket, &asked);
        // With public credentials anyone can sign: a rule about objects does not permit changing the rules.
        let configures =
            matches!(*request.method(), Method::PUT | Method::DELETE) && !names_a_key(request.uri().path());
        let rule = rule.filter(|_| self.public.is_none() || (!configures && self.may_copy(headers, bucket, page)));
        (has_rules, rule.map(|rule| (origin.clone(), rule)))
    }

    /// Returns whether a page may read the source of a copy: a rule of the source bucket must allow the page, too.
    ///
    /// If the key is secret, its rights decide.
    fn may_copy(&self, headers: &HeaderMap, bucket: &str, page: &str) -> bool {
        headers.get_all("x-amz-copy-source").iter().all(|source| {
            match source.to_str().map(|source| CopySource::parse(&source.replace('+', "%20"))) {
                Ok(Ok(CopySource::Bucket { bucket: from, .. })) => {
                    let asked = Asked { origin: page, method: "GET", headers: Vec::new(), exact: true };
                    *from == *bucket || self.rules.find(&from, &asked).1.is_some()
                }
                _ => false,
            }
        })
    }

    /// Returns true for a presigned link that a browser opens on its own.
    ///
    /// With public credentials, a page of another site could create such a link: it could not read the answer, but may
    /// detect whether there was a download. So there the page must be of this machine.
    fn is_opened_link(&self, method: &Method, headers: &HeaderMap, sites: &[&[u8]], query: &str) -> bool {
        let only = |name: &str, value: &str| {
            let mut values = headers.get_all(name).iter();
            values.next().is_some_and(|found| found == value) && values.next().is_none()
        };
        let mut signatures = 0;
        let mut keys = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "X-Amz-Signature" | "Signature" => signatures += 1,
                "X-Amz-Credential" | "AWSAccessKeyId" => {
                    keys.push(value.split('/').next().unwrap_or_default().to_owned())
                }
                _ => {}
            }
        }
        let [key] = &keys[..] else { return false };
        signatures == 1
            && matches!(*method, Method::GET | Method::HEAD)
            && only("sec-fetch-mode", "navigate")
            && only("sec-fetch-dest", "document")
            && (self.public.as_ref() != Some(key) || sites == [b"same-site"])
    }

    /// Sets the headers that tell a browser what it may do with an answer.
    pub(crate) fn finish(&self, sender: &Sender, answer: &mut Response<s3s::Body>) {
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Sender::Rule(origin, rule) = sender {
            let allowed = HeaderValue::from_str(rule.allowed_origin(origin.to_str().unwrap_or_default()));
            if let Ok(allowed) = allowed {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            }
            if let (Ok(names), false) = (HeaderValue::try_from(rule.expose.join(", ")), rule.expose.is_empty()) {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
            }
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
            return;
        }
        if self.allowed.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Sender::Page(origin) = sender {
            // User metadata has arbitrary names and there is no wildcard for them, so list those present.
            let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
            }
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
    }
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(asked: &HeaderMap, rule: Option<&Rule>) -> Response<s3s::Body> {
    let mut answer = Response::new(s3s::Body::empty());
    // S3 answers 200 where a rule matches.
    *answer.status_mut() = if rule.is_some() { StatusCode::OK } else { StatusCode::NO_CONTENT };
    let headers = answer.headers_mut();
    let (methods, age) = match rule {
        Some(rule) => (HeaderValue::try_from(rule.methods()).ok(), rule.max_age.map(HeaderValue::from)),
        None => (Some(HeaderValue::from_static(METHODS)), Some(HeaderValue::from_static(PREFLIGHT_AGE))),
    };
    for (name, value) in [(header::ACCESS_CONTROL_ALLOW_METHODS, methods), (header::ACCESS_CONTROL_MAX_AGE, age)] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    // Browsers ask this before a page from the internet may reach a machine on the local network.
    if asked.contains_key("access-control-request-private-network") {
        headers.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
    }
    headers.append(
        header::VARY,
        HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers"),
    );
    answer
}

/// Returns true if a host, with or without a port, can only mean this machine, whatever DNS says.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else { return false };
            return is_port(port) && address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        }
        None => match host.split_once(':') {
            Some((name, _)) if !is_port(&host[name.len()..]) => return false,
            Some((name, _)) => name,
            None => host,
        },
    };
    let name = name.to_ascii_lowercase();
    if !name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-')) {
        return false;
    }
    name == "localhost" || name.ends_with(".localhost") || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// Returns true for empty text, or a colon and a port.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Returns true if an origin is the server's own, as addressed by this host.
fn is_same(origin: &str, host: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let Ok(own) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    matches!(origin.scheme(), "http" | "https") && origin.origin() == own.origin()
}

/// Why a request is refused.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

const SEVERAL_HOSTS: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    code: "InvalidRequest",
    message: "The request has more than one Host header",
};

const FOREIGN_HOST: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    code: "AccessDenied",
    message: "With the default login, which everybody knows, only names of this machine are answered: localhost, \
              127.0.0.1, [::1]. Set S3_ACCESS_KEY and S3_SECRET_KEY to be reached by another name",
};

const NO_RULE: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    code: "AccessForbidden",
    message: "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request \
              method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
              resource's CORS spec. With the default login, which everybody knows, a rule must name the origin",
};

const FOREIGN_PAGE: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    code: "AccessDenied",
    message: "The request was sent by a web page of another origin. If that is the modeldepot console, open it under the \
              host name that the S3 endpoint has (localhost or 127.0.0.1). `--cors-origin`, or a CORS rule of the bucket that \
              names the origin, allows other pages",
};

#[cfg(test)]
mod tests;
