//! The server: start and stop.

mod config;
mod service;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use modeldepot_listen::{Listen, Serving};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

pub use self::config::Config;
use self::service::{Service, observed};
use crate::access::Logins;
use crate::access::keys::{CONSOLE_KEY, Watched};
#[cfg(feature = "testing")]
use crate::double::Double;
#[cfg(feature = "testing")]
use crate::double::fault::FaultHit;
use crate::error::Error;
use crate::front::origin::Front;
use crate::gateway::Gateway;
use crate::store::Store;
use crate::store::saving::{self, Saving};
use crate::store::sweep::{Sweeper, Swept, sweep};

/// How long a stopped server waits for work on the disk.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A running server. Dropping it ends it at once; [`Server::stop`] lets running requests finish.
pub struct Server {
    address: SocketAddr,
    store: Arc<Store>,
    #[cfg(feature = "testing")]
    double: Double,
    encrypted: bool,
    serving: Serving,
    sweeper: Option<Sweeper>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens and locks the data folder, removes leftovers of a crash, and serves in the background.
    pub async fn start(config: Config) -> Result<Self, Error> {
        Self::start_with(config, Listen::default()).await
    }

    /// Starts like [`Server::start`], with a certificate or with other limits.
    pub async fn start_with(config: Config, listen: Listen) -> Result<Self, Error> {
        config.check()?;
        let listener =
            TcpListener::bind(config.listen).await.map_err(|source| Error::Bind { address: config.listen, source })?;
        let address = listener.local_addr().map_err(|source| Error::Bind { address: config.listen, source })?;
        let public = config.is_public().then(|| config.access_key.clone());
        let double = config.double();
        let Config { data, buckets, access_key, secret_key, keys, cors_origins, .. } = config;
        let on_request = config.on_request;
        let file = keys.map(Watched::open).transpose()?;
        let compress = config.compress;
        let store = blocking(move || Store::open(&data, &buckets, compress)).await?;
        let store = Arc::new(store);
        let mut owners = vec![(CONSOLE_KEY.to_owned(), store.index.console_secret.clone())];
        if file.is_none() {
            owners.push((access_key, secret_key.into()));
        }
        let (gateway, logins) = (Gateway::new(Arc::clone(&store), double.clone()), Arc::new(Logins::new(owners, file)));
        let front = Front::new(public, cors_origins, Arc::clone(&store.cors));
        let service = Service::new(front, gateway, logins, &double);
        let sweeper = Some(Sweeper::start(&store));
        let encrypted = listen.tls.is_some();
        #[cfg(feature = "testing")]
        let kept = double.clone();
        let serving = modeldepot_listen::serve(listener, listen, move |request| {
            observed(service.clone(), double.clone(), on_request.clone(), request)
        });
        tracing::info!(%address, "serving");
        Ok(Self {
            address,
            store,
            #[cfg(feature = "testing")]
            double: kept,
            encrypted,
            serving,
            sweeper,
        })
    }

    /// Returns the address that the server listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for clients on this machine, without a trailing slash.
    pub fn endpoint(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("{}://{address}", if self.encrypted { "https" } else { "http" })
    }

    /// Returns a key pair with all rights, known only to the owner of the data folder.
    ///
    /// For programs that run beside the server, such as a console. It is kept, so that links signed with it survive a
    /// restart.
    pub fn owner_keys(&self) -> (&str, &str) {
        (CONSOLE_KEY, self.store.index.console_secret.expose())
    }

    /// Returns the files that hold an object's bytes, in order; some may be compressed. An empty object has none.
    ///
    /// For administrators of the data folder, and for tests.
    pub fn stored_files(&self, bucket: &str, key: &str) -> Result<Vec<PathBuf>, Error> {
        match self.store.index.find(bucket, key) {
            Ok((_, segments)) => Ok(segments.iter().map(|segment| self.store.disk.path(segment.blob)).collect()),
            Err(error) if matches!(error.code().as_str(), "NoSuchKey" | "NoSuchBucket") => {
                Err(Error::NoSuchObject { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            Err(error) => Err(Error::Index { path: self.store.disk.index(), source: error.into() }),
        }
    }

    /// Returns what compression saves in the data folder, whether or not this server compresses new objects.
    pub fn saving(&self) -> Result<Saving, Error> {
        saving::measure(&self.store.disk, &self.store.index)
            .map_err(|error| Error::Index { path: self.store.disk.index(), source: error.into() })
    }

    /// Carries out the lifecycle rules of all buckets as of a time, in seconds since 1970, without waiting for the next
    /// sweep.
    ///
    /// For administrators of the data folder, and for tests.
    pub async fn sweep_as_of(&self, time: i64) -> Result<Swept, Error> {
        let store = Arc::clone(&self.store);
        blocking(move || {
            let path = store.disk.index();
            sweep(&store, time, &AtomicBool::new(false)).map_err(|error| Error::Index { path, source: error.into() })
        })
        .await
    }

    /// Stops accepting connections, lets running requests finish for a while, and closes the data folder.
    ///
    /// Requests that take too long are cut off. Work on the disk cannot be; it gets some more time, and when it has
    /// finished, another server can open the folder.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.serving.stop().await;
        self.closed().await;
        Ok(())
    }

    /// Ends at once: clients see what they would see if the process had been killed. Running requests are dropped
    /// unanswered.
    ///
    /// Disk writes in progress cannot be interrupted and are waited for, whether or not they are ever acknowledged.
    /// After that, another server can open the folder. For testing clients.
    pub async fn kill(mut self) {
        self.serving.kill().await;
        self.closed().await;
    }

    /// Ends all planned faults: later requests are answered normally.
    #[cfg(feature = "testing")]
    pub fn heal(&self) {
        self.double.heal();
    }

    /// Returns the faults that happened, in order.
    #[cfg(feature = "testing")]
    pub fn faults_hit(&self) -> Vec<FaultHit> {
        self.double.faults_hit()
    }

    /// Waits until nothing uses the data folder anymore.
    async fn closed(&mut self) {
        self.sweeper = None;
        // Work on blocking threads can only be waited for. Readers hold the disk but not the index.
        let patience = async {
            while Arc::strong_count(&self.store) > 1 || Arc::strong_count(&self.store.disk) > 1 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(STOP_PATIENCE, patience).await;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
