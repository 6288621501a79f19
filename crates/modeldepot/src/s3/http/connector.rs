//! HTTP under the SDK: HTTP/1.1, over as many connections as there are requests.
//!
//! An endpoint that offers HTTP/2 would get all parts of a file on one connection, with one window for all of them. It
//! is not asked.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector as Connector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::ErrorKind;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body::Body as _;
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::sleep;

use super::body::{Activity, Arriving, Outgoing};
use super::certificates::Authorities;
use super::dial::{AtProxy, Dial, Fault, way};
use super::peer::{Asks, Connection, Heard, Peer};
use super::rate_limit::Rate;
use super::refusal::{self, Refusal};
use super::secrets::Secrets;
use super::timeouts::TimeLimits;
use crate::diagnosis::{TlsSaid, Unreached, chain, tls_said};
use crate::settings::Proxies;
use crate::settings::{Credentials, Settings, SettingsError};

/// How long a connection that nothing is sent on is kept.
const IDLE: Duration = Duration::from_secs(50);

type Hyper = Client<HttpsConnector<Dial>, Outgoing>;

/// The connections of one client. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Http {
    hyper: Hyper,
    proxies: Arc<Proxies>,
    rate: Option<Arc<Rate>>,
    limits: TimeLimits,
    /// What is known of the S3 endpoint; none for services that are not S3.
    peer: Option<Arc<Peer>>,
}

impl Http {
    /// # Errors
    /// When the file of certificate authorities cannot be used.
    pub(in crate::s3) fn new(settings: &Settings) -> Result<Http, SettingsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        tcp.set_connect_timeout(Some(settings.timeouts.connect));
        let tls = tls(settings)?;
        let proxies = Arc::new(settings.proxies.clone());
        let to_proxy = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let to_proxy = to_proxy.wrap_connector(tcp.clone());
        let opening = settings.timeouts.connect + settings.timeouts.answer;
        let dial = Dial::new(tcp, to_proxy, Arc::clone(&proxies), opening);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(dial);
        let hyper = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        let rate = settings.limit_rate.map(|limit| Arc::new(Rate::new(limit)));
        Ok(Http { hyper, proxies, rate, limits: TimeLimits::small(&settings.timeouts), peer: None })
    }

    /// Returns the same connections for requests that are waited for in another way.
    pub(in crate::s3) fn with(&self, limits: TimeLimits) -> Http {
        Http { limits, ..self.clone() }
    }

    /// Returns the same connections for requests to an S3 endpoint, of which this is known.
    pub(in crate::s3) fn to(&self, peer: Arc<Peer>) -> Http {
        Http { peer: Some(peer), ..self.clone() }
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let activity = Activity::begin();
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let mut request = request.map(|body| Outgoing::new(body, self.rate.clone(), activity.clone()));
        // Without it, Ceph refuses to copy a part (411). HTTP asks for it where a method usually has a body.
        let usually_has_a_body = matches!(*request.method(), hyper::Method::PUT | hyper::Method::POST);
        if usually_has_a_body && request.body().size_hint().exact() == Some(0) {
            request.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
        }
        let proxy = self.to_proxy(&mut request);
        let (head, body) = request.into_parts();
        let (secrets, login) = (Secrets::of(&head), head.headers.contains_key(hyper::header::PROXY_AUTHORIZATION));
        let (method, uri, begun) = (head.method.clone(), head.uri.clone(), Instant::now());
        let request = hyper::Request::from_parts(head, body);
        let answer = tokio::select! {
            answer = self.hyper.request(request) => answer.map_err(Lost::Failed),
            within = silent(&activity, &self.limits) => Err(Lost::Silent(Silent(within))),
        };
        // The query of a signed URL is a permission; those of our own requests are in the headers.
        let query = refusal::without_permissions(uri.query().unwrap_or_default());
        let (path, took) = (uri.path(), begun.elapsed());
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(lost) => {
                tracing::trace!(%method, path, query, ?took, error = %lost.cause(), "no answer");
                return Err(self.explained(&uri, lost).await);
            }
        };
        let status = answer.status().as_u16();
        tracing::trace!(%method, path, query, ?took, status, "request");
        let refused = !answer.status().is_success();
        if let Some(proxy) = proxy.filter(|_| is_a_proxys(&answer)) {
            let error = AtProxy { proxy, login, fault: Fault::Refused(answer.status()) };
            return Err(ConnectorError::other(error.into(), None));
        }
        // moto says `text/html` of answers that are empty, as S3's are to what stores or deletes.
        let empty = answer.body().size_hint().exact() == Some(0);
        let known = self.peer.as_ref().is_none_or(|peer| peer.is_s3());
        let is_page = !refused && !empty && is_a_page(&method, answer.headers().get("content-type"));
        if known && is_page {
            return Err(ConnectorError::other(NotS3.into(), Some(ErrorKind::TransientError)));
        }
        let noted = (refused || is_page)
            .then(|| Refusal::begin(&method, &uri, secrets.clone(), status, answer.headers(), took));
        // What is said of what was asked for is shown; what is asked for may be anything.
        let asks = matches!(method, hyper::Method::GET | hyper::Method::HEAD);
        let told = !empty && method != hyper::Method::HEAD && (refused || (!asks && self.peer.is_some()));
        if refused {
            secrets.hide_in_headers(answer.headers_mut());
        }
        if told {
            answer.headers_mut().remove(CONTENT_LENGTH);
        }
        let answer = answer.map(|body| {
            let body = Arriving::new(body, self.rate.clone(), &self.limits, refused).noted(noted.flatten());
            if told { body.without(&secrets) } else { body }
        });
        let heard = match &self.peer {
            Some(peer) => {
                let asks: Asks<'_> = &|uri| Box::pin(self.unsigned(uri));
                Box::pin(peer.hears(&method, &uri, answer, &secrets, asks)).await?
            }
            None => Heard::Coming(Box::new(answer)),
        };
        HttpResponse::try_from(heard.for_sdk()).map_err(|error| ConnectorError::other(error.into(), None))
    }

    /// Shows a login to the proxy that a request in plain HTTP is asked of, each time anew; returns its name.
    fn to_proxy(&self, request: &mut hyper::Request<Outgoing>) -> Option<String> {
        let (name, proxy) = way(&self.proxies, request.uri()).filter(|_| request.uri().scheme_str() == Some("http"))?;
        if let Some(login) = proxy.basic_auth() {
            request.headers_mut().insert(hyper::header::PROXY_AUTHORIZATION, login.clone());
        }
        Some(name)
    }

    /// Fetches what a path shows to those without a login.
    async fn unsigned(&self, uri: hyper::Uri) -> Option<hyper::Response<Arriving>> {
        let body = Outgoing::new(SdkBody::empty(), None, Activity::begin());
        let mut request = hyper::Request::get(uri).body(body).ok()?;
        self.to_proxy(&mut request);
        let answer = self.hyper.request(request).await.ok()?;
        Some(answer.map(|body| Arriving::new(body, self.rate.clone(), &self.limits, true)))
    }

    /// Says why no answer came: what answers instead of S3, if that can be found out.
    async fn explained(&self, uri: &hyper::Uri, lost: Lost) -> ConnectorError {
        let explained = match &self.peer {
            Some(peer) => {
                // What is behind a proxy cannot be looked at by another way.
                let via = way(&self.proxies, uri);
                let connection = if via.is_none() { lost.connection() } else { Connection::None };
                let said = tls_said(lost.cause());
                if let (Some((proxy, found)), Some(TlsSaid::NotTls)) = (via, &said) {
                    let fault = Fault::Broken("what comes through its tunnel is not TLS".to_owned());
                    let error = AtProxy { proxy, login: found.basic_auth().is_some(), fault };
                    return ConnectorError::other(error.into(), None);
                }
                peer.explained(uri, said, connection).await
            }
            None => None,
        };
        explained.unwrap_or_else(|| match lost {
            Lost::Failed(error) => classified(error, uri.host().unwrap_or_default()),
            Lost::Silent(silent) => ConnectorError::timeout(silent.into()),
        })
    }
}

/// Why no answer came.
enum Lost {
    Failed(ClientError),
    Silent(Silent),
}

impl Lost {
    fn cause(&self) -> &(dyn StdError + 'static) {
        match self {
            Lost::Failed(error) => error,
            Lost::Silent(silent) => silent,
        }
    }

    /// Returns how far the connection came.
    fn connection(&self) -> Connection {
        let Lost::Failed(error) = self else { return Connection::Used };
        let mut found = Connection::None;
        for cause in chain(error) {
            if let Some(inner) = cause.downcast_ref::<std::io::Error>() {
                found = match (error.is_connect(), Unreached::kind(inner.kind())) {
                    (false, _) => Connection::Used,
                    // Without a connection, the connector fails in other ways.
                    (true, Unreached::Closed) => Connection::Begun,
                    (true, _) => Connection::None,
                };
            } else if cause.downcast_ref::<hyper::Error>().is_some_and(|it| !it.is_user()) {
                // Also one that was cancelled: a server that speaks first, as one of SSH does, ends it before anything is asked.
                found = Connection::Used;
            }
        }
        found
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        // The services that AWS's chain asks for credentials come with times of their own.
        let answer = settings.read_timeout().unwrap_or(self.limits.answer);
        SharedHttpConnector::new(self.with(TimeLimits { answer, ..self.limits }))
    }
}

impl Connector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}

/// Returns true for what a proxy says for itself, where it was asked to pass on a request in plain HTTP: that it wants a
/// login, or a refusal in which nothing is of S3.
fn is_a_proxys<B>(answer: &hyper::Response<B>) -> bool {
    let has = |name: &str| answer.headers().contains_key(name);
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match answer.status().as_u16() {
        407 => true,
        403 | 502 | 503 | 504 => {
            !kind.contains("xml") && !has("x-amz-request-id") && !has("x-amz-bucket-region") && kind.contains("html")
        }
        _ => false,
    }
}

/// Returns true for a web page in answer to what stores or deletes something, as a proxy or a login page sends it: nothing was
/// done then. What only asks shows by itself that it is no answer, and an object may well be a page.
fn is_a_page(method: &hyper::Method, media_type: Option<&hyper::header::HeaderValue>) -> bool {
    let asks = matches!(*method, hyper::Method::GET | hyper::Method::HEAD);
    let page =
        media_type.and_then(|text| text.to_str().ok()).is_some_and(|text| text.trim_start().starts_with("text/html"));
    page && !asks
}

#[derive(Debug, thiserror::Error)]
#[error("the answer is a web page, and not S3's")]
struct NotS3;

/// Says that a server was silent.
#[derive(Debug, thiserror::Error)]
#[error("no answer in {0:?}")]
pub(in crate::s3) struct Silent(pub(in crate::s3) Duration);

/// Says that no connection came about, or nothing on it, and why.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(in crate::s3) struct NoWay {
    pub(in crate::s3) why: Unreached,
    /// Not even a connection came about.
    pub(in crate::s3) unconnected: bool,
    #[source]
    error: ClientError,
}

/// Returns when nothing has moved for as long as the limit allows, and how long that was.
async fn silent(activity: &Activity, limits: &TimeLimits) -> Duration {
    loop {
        let (quiet, all_sent) = activity.quiet();
        let within = if all_sent { limits.answer } else { limits.sending };
        if quiet >= within {
            return within;
        }
        // The last byte may go at any moment, after which another limit holds.
        sleep((within - quiet).min(limits.answer)).await;
    }
}

/// What the authorities of this machine and the settings vouch for. Read only where TLS may be spoken: it takes longer
/// than a small request.
fn tls(settings: &Settings) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    let plain = settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.url().scheme() == "http");
    // The AWS chain asks services of its own for credentials.
    let asks_aws = matches!(settings.credentials, Credentials::Chain | Credentials::Profile(_));
    if !plain || asks_aws || settings.proxies.need_tls() {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "a certificate authority of this machine cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let versions = versions.expect("ring speaks TLS 1.2 and 1.3");
    let Some(file) = &settings.ca_bundle else {
        return Ok(versions.with_root_certificates(roots).with_no_client_auth());
    };
    let authorities = Arc::new(Authorities::read(roots, file, provider)?);
    Ok(versions.dangerous().with_custom_certificate_verifier(authorities).with_no_client_auth())
}

/// Says what the SDK needs to know of a failure: whether another attempt may help.
fn classified(error: ClientError, host: &str) -> ConnectorError {
    let unconnected = error.is_connect();
    let (mut broken, mut cut, mut ours) = (false, false, false);
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        broken |= error.is::<std::io::Error>();
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            broken |= error.is_closed() || error.is_canceled();
            cut |= error.is_incomplete_message();
            ours |= error.is_user();
        }
        cause = error.source();
    }
    if ours {
        return ConnectorError::user(error.into());
    }
    let why = Unreached::of(&error, host);
    let error = NoWay { why, unconnected, error };
    match error {
        error if unconnected || broken => ConnectorError::io(error.into()),
        error if cut => ConnectorError::other(error.into(), Some(ErrorKind::TransientError)),
        error => ConnectorError::other(error.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Timeouts;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn silence_is_when_nothing_moves() {
        let limits = TimeLimits::writing(&Timeouts::default());
        let (activity, begun) = (Activity::begin(), Instant::now());
        assert_eq!(silent(&activity, &limits).await, limits.sending);
        assert_eq!(begun.elapsed(), limits.sending, "the server takes no byte");
        // A slow connection is none that stands still, however long it takes.
        let activity = Activity::begin();
        let moves = async {
            for _ in 0..100 {
                sleep(limits.sending / 3).await;
                activity.moved();
            }
        };
        tokio::select! {
            _ = silent(&activity, &limits) => panic!("it moved"),
            () = moves => {}
        }
        activity.all_sent();
        let begun = Instant::now();
        assert_eq!(silent(&activity, &limits).await, limits.answer, "it has all of it, and may work for longer");
        assert!(begun.elapsed() <= limits.answer);
    }
}
