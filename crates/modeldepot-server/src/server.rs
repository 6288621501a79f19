//! Starts, listens, stops.

use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use modeldepot::{ModelStorage, Settings};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::catalog::Catalog;
use crate::doctor::Doctor;
use crate::error::Error;
use crate::routes;
use crate::state::App;

/// How long a connection may take to send the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// How long running requests may take to finish once the service is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How the service is started.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the models lie.
    pub settings: Settings,
    /// Tries what the service stands on, for the page on health.
    pub doctor: Option<Doctor>,
}

/// A running service. Dropping it ends it at once; [`Server::stop`] lets running requests finish.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
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
        let bind = |source| Error::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let storage = ModelStorage::open(&config.settings).await?;
        let service = crate::state::Service { settings: config.settings.clone(), staging: std::env::temp_dir(), doctor: config.doctor.clone() }.into();
        let app = App { catalog: Catalog::new(storage.clone()), storage, service };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, routes::router(app), stopped));
        tracing::info!(%address, "serving");
        Ok(Server { address, stop: Some(stop), task })
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
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, router: Router, mut stopped: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    let router = router.clone();
                    let serve = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                        let router = router.clone();
                        async move {
                            let mut request = request.map(Body::new);
                            request.extensions_mut().insert(ConnectInfo(peer));
                            router.oneshot(request).await.map_err(|never: Infallible| match never {})
                        }
                    });
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD_PATIENCE)
                        .serve_connection(TokioIo::new(stream), serve);
                    let connection = graceful.watch(connection);
                    connections.spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "connection ended");
                        }
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
