//! Requests to the provider: bounded in time and size, without redirects.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::settings::is_loopback;

/// The largest response of a provider, in bytes.
const LONGEST: usize = 256 * 1024;

/// How many idle connections to the provider are kept.
const IDLE: usize = 4;

/// Why a request to the provider failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("`{0}` is not https")]
    Plain(String),
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("no connection to `{0}`")]
    Unreached(String, #[source] hyper_util::client::legacy::Error),
    #[error("the response is truncated, or longer than 256 KiB")]
    Body(#[source] axum::Error),
    #[error("it redirects elsewhere; redirects are not followed")]
    Redirected,
    #[error("it responded with status {0}")]
    Status(u16),
}

/// An HTTP client for one provider.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    /// Whether the provider is on this machine and may be reached without TLS.
    plain: bool,
    patience: Duration,
}

impl Http {
    pub(super) fn new(plain: bool, patience: Duration) -> Http {
        let mut roots = RootCertStore::empty();
        // Loading the system's certificates takes a while, and a provider without TLS needs none.
        if !plain {
            let found = rustls_native_certs::load_native_certs();
            for error in found.errors {
                tracing::warn!(%error, "cannot read a certificate authority of this machine");
            }
            roots.add_parsable_certificates(found.certs);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = versions.expect("ring speaks TLS 1.2 and 1.3").with_root_certificates(roots).with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE)
            // A connection that the provider has closed meanwhile must not fail a login.
            .pool_idle_timeout(Duration::from_secs(10))
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(connector);
        Http { client, plain, patience }
    }

    /// Returns true for a URL that may be requested, or that a browser may be sent to: everything that a provider with
    /// TLS names must use TLS, and a provider without TLS must be on this machine.
    pub(super) fn may_ask(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.plain && url.scheme() == "http" && is_loopback(url))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = host(request.uri());
        let allowed = Url::parse(&request.uri().to_string()).is_ok_and(|url| self.may_ask(&url));
        if !allowed {
            return Err(HttpError::Plain(host));
        }
        let answer = async {
            let answer = self.client.request(request.map(Body::from)).await;
            let (head, body) = answer.map_err(|error| HttpError::Unreached(host, error))?.into_parts();
            if head.status.is_redirection() {
                return Err(HttpError::Redirected);
            }
            // The content of a server error is of no use; refusals (4xx) are JSON.
            if head.status.is_server_error() {
                return Err(HttpError::Status(head.status.as_u16()));
            }
            let body = axum::body::to_bytes(Body::new(body), LONGEST).await.map_err(HttpError::Body)?;
            Ok(HttpResponse::from_parts(head, body.to_vec()))
        };
        tokio::time::timeout(self.patience, answer).await.unwrap_or(Err(HttpError::Late(self.patience)))
    }
}

fn host(uri: &Uri) -> String {
    uri.authority().map(|authority| authority.to_string()).unwrap_or_default()
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
