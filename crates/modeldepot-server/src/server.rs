//! Starts, listens, stops.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use modeldepot::{ModelStorage, Settings};
use modeldepot_listen::Network;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;
use url::Url;

use crate::auth::{Gate, TokensError, Used};
use crate::catalog::Catalog;
use crate::doctor::Doctor;
use crate::error::Error;
use crate::guard::{Guard, network};
use crate::jobs::Jobs;
use crate::metrics::Metrics;
use crate::oidc::{Oidc, Provider};
use crate::remote::Proxies;
use crate::routes;
use crate::state::{App, Service};
use crate::steady::Steady;
use crate::uploads::Uploads;

/// How long running requests may take to finish once the service is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// Connections at once. Beyond that they wait to be accepted.
const CONNECTIONS: usize = 1024;

/// Connections of one client at once, unless it is this machine, which may be a proxy for many.
const CONNECTIONS_EACH: usize = 128;

/// How the service is started.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the models lie.
    pub settings: Settings,
    /// The file of tokens ([`Tokens`](crate::Tokens)). Without one everybody is let in, from this machine only.
    pub tokens: Option<PathBuf>,
    /// Where people log in with a browser. Without tokens too, only they are let in.
    pub oidc: Option<Oidc>,
    /// Whether nothing may be published or deleted.
    pub read_only: bool,
    /// Whether large files are fetched from the S3 endpoint itself.
    pub redirect: Redirect,
    /// The URL by which browsers reach the service, where that is not the address it listens on: behind a proxy.
    pub public_url: Option<Url>,
    /// A folder for uploads on their way. They are removed when they are published.
    pub staging: PathBuf,
    /// Requests a second that each client may send. None is no limit.
    pub rate: Option<NonZeroU32>,
    /// The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Tries what the service stands on, for the page on health.
    pub doctor: Option<Doctor>,
    /// How long clients are waited for.
    pub patience: Patience,
}

/// How long clients are waited for, so that none holds the service by being slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the head of a request, from the first moment that one may come.
    pub head: Duration,
    /// For more of the body of a request. After that it must have come at 512 bytes a second on the average, too.
    pub body: Duration,
    /// For the client to read anything of its answer.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), body: Duration::from_secs(30), answer: Duration::from_secs(60) }
    }
}

impl Config {
    /// Returns the configuration for everybody on this machine.
    pub fn new(listen: SocketAddr, settings: Settings) -> Config {
        Config {
            listen,
            settings,
            tokens: None,
            oidc: None,
            read_only: false,
            redirect: Redirect::Auto,
            public_url: None,
            staging: std::env::temp_dir(),
            rate: None,
            trusted_proxies: Vec::new(),
            doctor: None,
            patience: Patience::default(),
        }
    }
}

/// Whether files are fetched from the S3 endpoint itself, by a presigned URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// Large files, where the client can reach the endpoint as far as one can tell.
    #[default]
    Auto,
    /// Every file.
    Always,
    /// None: each passes through the service.
    Never,
}

/// A running service. Dropping it ends it at once; [`Server::stop`] lets running requests finish.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    /// Ends uploads that were abandoned.
    sweep: JoinHandle<()>,
    /// When tokens were last used, and what writes it down.
    used: (Arc<Used>, JoinHandle<()>),
    uploads: Arc<Uploads>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens, and serves in the background. Nothing is asked of the bucket yet.
    ///
    /// # Errors
    /// [`Error`], when it cannot be started like this.
    pub async fn start(config: Config) -> Result<Server, Error> {
        let Config { listen, settings, tokens, read_only, redirect, public_url, staging, rate, .. } = config;
        let Config { trusted_proxies, oidc, doctor, patience, .. } = config;
        let closed = tokens.is_some() || oidc.is_some();
        if !listen.ip().is_loopback() && !closed {
            return Err(Error::Open { address: listen });
        }
        let secure = public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        let gate = Gate::new(tokens, oidc.is_some(), secure, read_only)?;
        let oidc = oidc.map(|oidc| provider(oidc, public_url.clone(), listen)).transpose()?;
        let bind = |source| Error::Bind { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let storage = ModelStorage::open(&settings).await?;
        let uploads: Arc<Uploads> = Arc::default();
        let used = Arc::clone(&gate.used);
        let service = Service {
            gate,
            guard: Guard::new(!closed, public_url, rate, patience.body),
            proxies: Proxies::new(trusted_proxies),
            oidc,
            jobs: Jobs::default(),
            uploads: Arc::clone(&uploads),
            metrics: Metrics::new(),
            redirect,
            staging,
            doctor,
            settings,
        };
        let app = App { catalog: Catalog::new(storage.clone()), storage, service: Arc::new(service) };
        let (stop, stopped) = oneshot::channel();
        let sweep = tokio::spawn(Arc::clone(&uploads).sweep());
        let keep = tokio::spawn(Arc::clone(&used).keep());
        let task = tokio::spawn(accept(listener, routes::router(app), patience, stopped));
        tracing::info!(%address, "serving");
        Ok(Server { address, stop: Some(stop), task, sweep, used: (used, keep), uploads })
    }

    /// Returns the address it listens on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL by which it is reached from this machine, without a slash at the end.
    pub fn url(&self) -> String {
        let mut address = self.address;
        match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}")
    }

    /// Stops accepting, and lets running requests finish for a while.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // A failure means that the loop is gone already.
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
        // This service alone could complete them.
        let _ = timeout(STOP_PATIENCE, self.uploads.end()).await;
        let _ = timeout(STOP_PATIENCE, self.used.0.write()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        self.sweep.abort();
        self.used.1.abort();
    }
}

/// Returns where people log in.
fn provider(oidc: Oidc, public_url: Option<Url>, listen: SocketAddr) -> Result<Provider, Error> {
    if !cfg!(feature = "oidc") {
        return Err(Error::NoOidc);
    }
    // Otherwise the provider would be told to send a code to whatever a browser calls this service.
    if public_url.is_none() && !listen.ip().is_loopback() {
        return Err(Error::NoPublicUrl { address: listen });
    }
    if oidc.grants.is_empty() {
        return Err(Error::NoGrants);
    }
    Provider::new(oidc, public_url).map_err(|_| Error::Tokens(TokensError::Random))
}

async fn accept(listener: TcpListener, router: Router, patience: Patience, mut stopped: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let (turns, clients) = (Arc::new(Semaphore::new(CONNECTIONS)), Clients::default());
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let turn = Arc::clone(&turns).acquire_owned().await.expect("open");
            (listener.accept().await, turn)
        };
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            (accepted, turn) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = clients.enter(peer.ip()) else {
                        tracing::debug!(%peer, "too many connections");
                        continue;
                    };
                    let connection = graceful.watch(connection(stream, peer, router.clone(), patience));
                    connections.spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "connection ended");
                        }
                        drop((turn, place));
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // Out of file descriptors, most likely: trying again at once would only burn time.
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let _ = timeout(STOP_PATIENCE, graceful.shutdown()).await;
    connections.shutdown().await;
}

/// Serves one connection.
fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Patience,
) -> impl GracefulConnection<Error = hyper::Error> + Send {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let serve = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Steady::new(stream, patience.answer)), serve)
}

/// How many connections each client has.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A client's right to a connection.
struct Place(Clients, IpAddr);

impl Clients {
    fn enter(&self, address: IpAddr) -> Option<Place> {
        let client = network(address);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        if *count >= CONNECTIONS_EACH && !address.to_canonical().is_loopback() {
            return None;
        }
        *count += 1;
        Some(Place(self.clone(), client))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.1);
            }
        }
    }
}
