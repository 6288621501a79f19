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
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::sleep;

use super::authorities::Authorities;
use super::body::{Activity, Arriving, Outgoing};
use super::dial::{AtProxy, Dial, Fault, way};
use super::patience::Patience;
use super::rate::Rate;
use crate::proxies::Proxies;
use crate::settings::{Credentials, Settings, SettingsError};

/// How long a connection that nothing is sent on is kept.
const IDLE: Duration = Duration::from_secs(50);

type Hyper = Client<HttpsConnector<Dial>, Outgoing>;

/// The connections of one client. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Http {
    hyper: Hyper,
    proxies: Arc<Proxies>,
    rate: Option<Arc<Rate>>,
    patience: Patience,
}

impl Http {
    /// # Errors
    /// When the file of certificate authorities cannot be used.
    pub(super) fn new(settings: &Settings) -> Result<Http, SettingsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        tcp.set_connect_timeout(Some(settings.timeouts.connect));
        let tls = tls(settings)?;
        let proxies = Arc::new(settings.proxies.clone());
        let to_proxy = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let to_proxy = to_proxy.wrap_connector(tcp.clone());
        let patience = settings.timeouts.connect + settings.timeouts.answer;
        let dial = Dial::new(tcp, to_proxy, Arc::clone(&proxies), patience);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(dial);
        let hyper = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        let rate = settings.limit_rate.map(|limit| Arc::new(Rate::new(limit)));
        Ok(Http { hyper, proxies, rate, patience: Patience::small(&settings.timeouts) })
    }

    /// Returns the same connections for requests that are waited for in another way.
    pub(super) fn with(&self, patience: Patience) -> Http {
        Http { patience, ..self.clone() }
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let activity = Activity::begin();
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let mut request = request.map(|body| Outgoing::new(body, self.rate.clone(), activity.clone()));
        // What is asked in plain HTTP is asked of the proxy itself, each time anew.
        let proxy = way(&self.proxies, request.uri()).filter(|_| request.uri().scheme_str() == Some("http"));
        if let Some(login) = proxy.as_ref().and_then(|(_, proxy)| proxy.basic_auth()) {
            request.headers_mut().insert(hyper::header::PROXY_AUTHORIZATION, login.clone());
        }
        // The query of a signed URL is a permission; those of our own requests are in the headers.
        let (method, uri, begun) = (request.method().clone(), request.uri().clone(), Instant::now());
        let answer = tokio::select! {
            answer = self.hyper.request(request) => answer.map_err(classified),
            within = silent(&activity, &self.patience) => Err(ConnectorError::timeout(Silent(within).into())),
        };
        let (path, query, took) = (uri.path(), uri.query().unwrap_or_default(), begun.elapsed());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::trace!(%method, path, query, ?took, %error, "no answer");
                return Err(error);
            }
        };
        tracing::trace!(%method, path, query, ?took, status = answer.status().as_u16(), "request");
        let refused = !answer.status().is_success();
        if let Some((proxy, _)) = proxy.filter(|_| is_a_proxys(&answer)) {
            let error = AtProxy { proxy, fault: Fault::Refused(answer.status()) };
            return Err(ConnectorError::other(error.into(), None));
        }
        // moto says `text/html` of answers that are empty, as S3's are to what stores or deletes.
        let empty = answer.body().size_hint().exact() == Some(0);
        if !refused && !empty && is_a_page(&method, answer.headers().get("content-type")) {
            return Err(ConnectorError::other(NotS3.into(), Some(ErrorKind::TransientError)));
        }
        let answer = answer.map(|body| Arriving::new(body, self.rate.clone(), &self.patience, refused));
        let answer = answer.map(SdkBody::from_body_1_x);
        HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        // The services that AWS's chain asks for credentials come with times of their own.
        let answer = settings.read_timeout().unwrap_or(self.patience.answer);
        SharedHttpConnector::new(self.with(Patience { answer, ..self.patience }))
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
pub(super) struct Silent(pub(super) Duration);

/// Says that no connection came about.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Unreached(ClientError);

/// Returns when nothing has moved for as long as the patience lasts, and how long that was.
async fn silent(activity: &Activity, patience: &Patience) -> Duration {
    loop {
        let (quiet, all_sent) = activity.quiet();
        let within = if all_sent { patience.answer } else { patience.sending };
        if quiet >= within {
            return within;
        }
        // The last byte may go at any moment, after which another patience holds.
        sleep((within - quiet).min(patience.answer)).await;
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
fn classified(error: ClientError) -> ConnectorError {
    let unreached = error.is_connect();
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
    match error {
        error if unreached => ConnectorError::io(Unreached(error).into()),
        error if broken => ConnectorError::io(error.into()),
        error if cut => ConnectorError::other(error.into(), Some(ErrorKind::TransientError)),
        error if ours => ConnectorError::user(error.into()),
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
        let patience = Patience::writing(&Timeouts::default());
        let (activity, begun) = (Activity::begin(), Instant::now());
        assert_eq!(silent(&activity, &patience).await, patience.sending);
        assert_eq!(begun.elapsed(), patience.sending, "the server takes no byte");
        // A slow connection is none that stands still, however long it takes.
        let activity = Activity::begin();
        let moves = async {
            for _ in 0..100 {
                sleep(patience.sending / 3).await;
                activity.moved();
            }
        };
        tokio::select! {
            _ = silent(&activity, &patience) => panic!("it moved"),
            () = moves => {}
        }
        activity.all_sent();
        let begun = Instant::now();
        assert_eq!(silent(&activity, &patience).await, patience.answer, "it has all of it, and may work for longer");
        assert!(begun.elapsed() <= patience.answer);
    }
}
