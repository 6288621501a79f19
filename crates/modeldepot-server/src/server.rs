//! Starting, listening and stopping.

use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use modeldepot::ModelStorage;
use modeldepot_listen::{Peer, RequestBody, Serving};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::ServiceExt as _;
use url::Url;

use crate::auth::{Gate, TokensError, Used};
use crate::catalog::Catalog;
use crate::config::{Config, STOP_PATIENCE};
use crate::error::Error;
use crate::guard::Guard;
use crate::jobs::Jobs;
use crate::log::Logs;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::oidc::{Oidc, Provider};
use crate::readiness::Readiness;
use crate::remote::Proxies;
use crate::router::router;
use crate::staging::{self, Staging};
use crate::state::{App, Service};
use crate::uploads::Uploads;

/// How long the last lines of the logs may take at the end.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// A running service. Dropping it ends it at once; [`Server::stop`] lets running requests finish.
pub struct Server {
    address: SocketAddr,
    encrypted: bool,
    serving: Serving,
    /// Ends uploads that were abandoned.
    sweep: JoinHandle<()>,
    /// The last use of tokens, and the task that stores it.
    used: (Arc<Used>, JoinHandle<()>),
    /// Reopens the logs on SIGHUP.
    reopen: JoinHandle<()>,
    uploads: Arc<Uploads>,
    logs: Logs,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens, and serves in the background. The bucket is not accessed yet.
    ///
    /// # Errors
    /// [`Error`], if the service cannot start with this configuration.
    pub async fn start(config: Config) -> Result<Server, Error> {
        let Config { listen, settings, tokens, read_only, redirect, public_url, staging, rate, .. } = config;
        let Config { staging_quota, trusted_proxies, unsafe_upload_urls, doctor, mut connections, .. } = config;
        let Config { audit_log, access_log, login, oidc, .. } = config;
        let logs = Logs { audit: audit_log, access: access_log };
        let closed = tokens.is_some() || oidc.is_some();
        if !listen.ip().is_loopback() && !closed {
            return Err(Error::Open { address: listen });
        }
        let encrypted = connections.tls.is_some();
        let secure = encrypted || public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        connections.limits.proxies.extend(&trusted_proxies);
        let gate = Gate::new(tokens, login.as_ref(), oidc.is_some(), secure, read_only)?;
        let oidc = oidc.map(|oidc| provider(oidc, public_url.clone(), listen, encrypted)).transpose()?;
        if !listen.ip().is_loopback() && !secure {
            tracing::warn!(
                "tokens and models are sent unencrypted to {listen}: serve HTTPS with `--tls-cert` and `--tls-key`, or set \
                 `--public-url https://…` behind a proxy that does"
            );
        }
        let bind = |source| Error::Bind { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        // Before the storage derives its concurrency from the limit of open files.
        staging::raise();
        let metrics = Metrics::new();
        let received = metrics.received.clone();
        let staging = tokio::task::spawn_blocking(move || Staging::open(staging, staging_quota, received)).await;
        let staging = staging.map_err(|error| Error::Staging { path: PathBuf::new(), source: error.into() })?;
        let staging = staging.map_err(|(path, source)| Error::Staging { path, source })?;
        let storage = ModelStorage::open(&settings).await?;
        let uploads: Arc<Uploads> = Arc::default();
        let used = Arc::clone(&gate.used);
        let service = Service {
            gate: Arc::new(gate),
            guard: Guard::new(!closed, public_url, rate),
            proxies: Proxies::new(trusted_proxies),
            logins: Logins::default(),
            readiness: Readiness::default(),
            oidc,
            jobs: Jobs::default(),
            uploads: Arc::clone(&uploads),
            metrics,
            logs: logs.clone(),
            redirect,
            staging: Arc::new(staging),
            doctor,
            unsafe_upload_urls,
            settings,
        };
        let app = App { catalog: Catalog::new(storage.clone()), storage, service: Arc::new(service) };
        let sweep = tokio::spawn(Arc::clone(&uploads).sweep());
        let keep = tokio::spawn(Arc::clone(&used).keep());
        let reopen = tokio::spawn(logs.clone().reopen_on_hangup());
        let router = router(app);
        let serving = modeldepot_listen::serve(listener, connections, move |request: hyper::Request<RequestBody>| {
            let mut request = request.map(Body::new);
            if let Some(peer) = request.extensions().get::<Peer>().copied() {
                request.extensions_mut().insert(ConnectInfo(peer.address));
            }
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        tracing::info!(%address, "serving");
        Ok(Server { address, encrypted, serving, sweep, used: (used, keep), reopen, uploads, logs })
    }

    /// Returns the address that the service listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for clients on this machine, without a trailing slash.
    pub fn url(&self) -> String {
        let mut address = self.address;
        match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("{}://{address}", if self.encrypted { "https" } else { "http" })
    }

    /// Stops accepting connections, and lets running requests finish for a while.
    pub async fn stop(mut self) {
        self.serving.stop().await;
        // Only this process could complete them.
        let _ = timeout(STOP_PATIENCE, self.uploads.end()).await;
        let _ = timeout(STOP_PATIENCE, self.used.0.write()).await;
        let logs = self.logs.clone();
        let _ = tokio::task::spawn_blocking(move || logs.flush(LOG_PATIENCE)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.sweep.abort();
        self.used.1.abort();
        self.reopen.abort();
    }
}

/// Returns the login provider.
fn provider(oidc: Oidc, public_url: Option<Url>, listen: SocketAddr, encrypted: bool) -> Result<Provider, Error> {
    if !cfg!(feature = "oidc") {
        return Err(Error::NoOidc);
    }
    // Otherwise the provider could be told to send codes to any host that a browser names.
    if public_url.is_none() && !listen.ip().is_loopback() {
        return Err(Error::NoPublicUrl { address: listen });
    }
    if oidc.grants.is_empty() {
        return Err(Error::NoGrants);
    }
    Provider::new(oidc, public_url, encrypted).map_err(|_| Error::Tokens(TokensError::Random))
}
