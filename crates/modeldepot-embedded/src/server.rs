//! The server: configuration, start, stop, and the loop that accepts connections.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use modeldepot_listen::{Listen, Peer, RequestBody, Serving};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::StreamingBlob;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;

use crate::access::{Gate, Logins, Secrets, unknown_key};
use crate::answers::{self, About};
use crate::bounded::{self, MAX_XML, Watch};
use crate::budget::{self, CHUNKS};
use crate::cdata::Plain;
use crate::disk::Disk;
use crate::double::{Double, Dropped};
use crate::error::Error;
#[cfg(feature = "testing")]
use crate::fault::{FaultHit, Faults};
use crate::gateway::forms::is_form;
use crate::gateway::{Gateway, Store, cors};
use crate::index::Index;
use crate::keys::Watched;
use crate::origin::{Front, Origin};
use crate::receive::waits_for_continue;
use crate::reframe::{Frames, Reframe};
#[cfg(feature = "testing")]
use crate::rules::AwsRules;
use crate::saving::{self, Saving};
use crate::seen::{Keys, OnRequest, Seen};
use crate::settings::CONSOLE_KEY;
use crate::signing::v2;
use crate::sweep::{Sweeper, Swept, sweep};
use crate::{record, signing, xml};

/// What every S3 server of this kind starts with, and everybody knows.
const DEFAULT_KEY: &str = "minioadmin";

/// How long work on the disk is waited for once the server is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How a server is started.
#[derive(Clone)]
pub struct Config {
    /// The data folder. A missing or empty one becomes a new data folder.
    pub data: PathBuf,
    /// The address to listen on. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The access key that clients sign with.
    pub access_key: String,
    /// The secret key that clients sign with.
    pub secret_key: String,
    /// A file of key pairs with rights per bucket. With it, the one pair above opens nothing.
    pub keys: Option<PathBuf>,
    /// The origins whose web pages may send requests. Those of any other origin are refused.
    pub cors_origins: Vec<Origin>,
    /// Is told of every request.
    pub on_request: Option<OnRequest>,
    /// Buckets that are created if they are missing.
    pub buckets: Vec<String>,
    /// Compresses new objects on the disk, each if a sample of it shrinks by a quarter. What clients see stays the same.
    /// A folder that was written so opens without it as well.
    pub compress: bool,
    /// Makes the server behave like those that accept `If-Match` and `If-None-Match` on writes and ignore them. For
    /// tests of clients that must notice.
    #[cfg(feature = "testing")]
    pub ignore_conditions: bool,
    /// Makes requests fail by a plan. For tests of clients that must cope.
    #[cfg(feature = "testing")]
    pub faults: Option<Faults>,
    /// Makes the server enforce rules that AWS has and servers on one machine do not. For tests of clients.
    #[cfg(feature = "testing")]
    pub aws_rules: Option<AwsRules>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data", &self.data)
            .field("listen", &self.listen)
            .field("access_key", &self.access_key)
            .field("secret_key", &"(hidden)")
            .field("keys", &self.keys)
            .field("cors_origins", &self.cors_origins)
            .field("buckets", &self.buckets)
            .field("compress", &self.compress)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Returns a configuration with one key pair and no buckets, on a port of this machine that the system chooses.
    pub fn new(data: impl Into<PathBuf>, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            listen: ([127, 0, 0, 1], 0).into(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            keys: None,
            cors_origins: Vec::new(),
            on_request: None,
            buckets: Vec::new(),
            compress: false,
            #[cfg(feature = "testing")]
            ignore_conditions: false,
            #[cfg(feature = "testing")]
            faults: None,
            #[cfg(feature = "testing")]
            aws_rules: None,
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.keys.is_some() {
            return self.check_buckets();
        }
        for (which, value) in [("access key", &self.access_key), ("secret key", &self.secret_key)] {
            if value.is_empty() {
                return Err(Error::EmptyCredentials { which });
            }
        }
        // It would stand beside the console's own secret, and open nothing.
        if self.access_key == CONSOLE_KEY {
            return Err(Error::ReservedAccessKey { access_key: self.access_key.clone() });
        }
        if !self.listen.ip().is_loopback() && self.is_public() {
            return Err(Error::DefaultCredentials { address: self.listen });
        }
        self.check_buckets()
    }

    /// Returns true when everybody knows the login.
    fn is_public(&self) -> bool {
        self.keys.is_none() && self.secret_key == DEFAULT_KEY
    }

    fn check_buckets(&self) -> Result<(), Error> {
        match self.buckets.iter().find(|name| !s3s::path::check_bucket_name(name)) {
            Some(name) => Err(Error::BucketName { name: name.clone() }),
            None => Ok(()),
        }
    }
}

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
    /// Opens and locks the data folder, removes what an earlier crash left, and serves in the background.
    pub async fn start(config: Config) -> Result<Self, Error> {
        Self::start_with(config, Listen::default()).await
    }

    /// Starts as [`Server::start`] does, with a certificate, or other limits for clients than usual.
    pub async fn start_with(config: Config, listen: Listen) -> Result<Self, Error> {
        config.check()?;
        let listener =
            TcpListener::bind(config.listen).await.map_err(|source| Error::Bind { address: config.listen, source })?;
        let address = listener.local_addr().map_err(|source| Error::Bind { address: config.listen, source })?;
        let public = config.is_public().then(|| config.access_key.clone());
        let double = Double::of(&config);
        let Config { data, buckets, access_key, secret_key, keys, cors_origins, .. } = config;
        let on_request = config.on_request;
        let file = keys.map(Watched::open).transpose()?;
        let compress = config.compress;
        let store = blocking(move || open(&data, &buckets, compress)).await?;
        let store = Arc::new(store);
        let mut owners = vec![(CONSOLE_KEY.to_owned(), store.index.console_secret.clone())];
        if file.is_none() {
            owners.push((access_key, secret_key.into()));
        }
        let (gateway, logins) = (Gateway::new(Arc::clone(&store), double.clone()), Arc::new(Logins::new(owners, file)));
        let service = Service {
            protocol: service(gateway.clone(), Arc::clone(&logins), &double),
            front: Arc::new(Front::new(public, cors_origins, Arc::clone(&store.cors))),
            gateway,
            logins,
        };
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

    /// Returns the address it listens on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL that clients on this machine connect to, without a slash at the end.
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

    /// Returns a key pair that may do everything, and that nobody but the owner of the data folder can know.
    ///
    /// For programs that run beside the server, such as a console. It stays the same, so links that it signed outlive a
    /// restart.
    pub fn owner_keys(&self) -> (&str, &str) {
        (CONSOLE_KEY, self.store.index.console_secret.expose())
    }

    /// Returns the files that hold an object's bytes, in order, some of them perhaps compressed. An empty object has none.
    ///
    /// For people who look after the data folder, and for tests.
    pub fn stored_files(&self, bucket: &str, key: &str) -> Result<Vec<PathBuf>, Error> {
        match self.store.index.find(bucket, key) {
            Ok((_, segments)) => Ok(segments.iter().map(|segment| self.store.disk.path(segment.blob)).collect()),
            Err(error) if matches!(error.code().as_str(), "NoSuchKey" | "NoSuchBucket") => {
                Err(Error::NoSuchObject { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            Err(error) => Err(Error::Index { path: self.store.disk.index(), source: error.into() }),
        }
    }

    /// Returns what compression saves in the data folder, whether or not this server compresses.
    pub fn saving(&self) -> Result<Saving, Error> {
        saving::measure(&self.store.disk, &self.store.index)
            .map_err(|error| Error::Index { path: self.store.disk.index(), source: error.into() })
    }

    /// Carries out the lifecycle rules of all buckets as of a time, in seconds since 1970, without waiting for the hour.
    ///
    /// For people who look after the data folder, and for tests.
    pub async fn sweep_as_of(&self, time: i64) -> Result<Swept, Error> {
        let store = Arc::clone(&self.store);
        blocking(move || {
            let path = store.disk.index();
            sweep(&store, time, &AtomicBool::new(false)).map_err(|error| Error::Index { path, source: error.into() })
        })
        .await
    }

    /// Stops accepting, lets running requests finish for a while, and closes the data folder.
    ///
    /// Requests that do not end in time are cut off. Work on the disk cannot be: it is awaited for a while more, and
    /// once it is done another server may open the folder.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.serving.stop().await;
        self.closed().await;
        Ok(())
    }

    /// Ends at once: to clients it looks as if the process had been killed. No request is finished, no answer sent.
    ///
    /// What a thread is writing to the disk at this moment is awaited, for nothing can interrupt it; whether it is
    /// acknowledged is another matter. Then another server may open the folder. For tests of clients.
    pub async fn kill(mut self) {
        self.serving.kill().await;
        self.closed().await;
    }

    /// Lets all requests from now on succeed, whatever the plan of faults says.
    #[cfg(feature = "testing")]
    pub fn heal(&self) {
        self.double.heal();
    }

    /// Returns the faults that happened, in order.
    #[cfg(feature = "testing")]
    pub fn faults_hit(&self) -> Vec<FaultHit> {
        self.double.faults_hit()
    }

    /// Waits until nothing uses the data folder any more.
    async fn closed(&mut self) {
        self.sweeper = None;
        // Work on blocking threads cannot be interrupted, only awaited. Readers hold the disk without the index.
        let patience = async {
            while Arc::strong_count(&self.store) > 1 || Arc::strong_count(&self.store.disk) > 1 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(STOP_PATIENCE, patience).await;
    }
}

fn open(folder: &std::path::Path, buckets: &[String], compress: bool) -> Result<Store, Error> {
    let mut disk = Disk::open(folder)?;
    let path = disk.index();
    // Without its index, every file in the folder would look like a leftover.
    let fresh = path.metadata().map_or(true, |found| found.len() == 0);
    if fresh && disk.has_blobs()? {
        return Err(Error::IndexMissing { path });
    }
    if compress {
        disk.raise_format()?;
        disk.compress = true;
    }
    let index = Index::open(&path, buckets, Arc::clone(&disk.room))?;
    if fresh {
        disk.sync_folder()?;
    }
    let cors = cors::Rules::of(&index).map_err(|error| Error::Index { path: path.clone(), source: error.into() })?;
    let known = index.blobs().map_err(|error| Error::Index { path, source: error.into() })?;
    let swept = disk.sweep(&known)?;
    if swept.removed > 0 {
        tracing::info!(files = swept.removed, "removed leftovers of unfinished writes");
    }
    if swept.present < known.len() {
        tracing::error!(files = known.len() - swept.present, "files that objects need are missing");
    }
    Ok(Store { disk: Arc::new(disk), index, cors: Arc::new(cors) })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// What answers requests.
#[derive(Clone)]
struct Service {
    front: Arc<Front>,
    protocol: S3Service,
    /// For what does not pass the protocol layer.
    gateway: Gateway,
    logins: Arc<Logins>,
}

fn service(gateway: Gateway, logins: Arc<Logins>, double: &Double) -> S3Service {
    let mut builder = S3ServiceBuilder::new(gateway);
    builder.set_auth(Secrets(Arc::clone(&logins)));
    builder.set_access(Gate(logins, double.clone()));
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML;
    // Uploads by HTML form are answered before the protocol layer, which would gather them in memory, sees them.
    config.post_object_max_file_size = 0;
    config.form_max_fields_size = 64 << 10;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
}

/// Answers a request, and tells of it.
async fn observed(
    service: Service,
    double: Double,
    on_request: Option<OnRequest>,
    mut request: Request<RequestBody>,
) -> Result<Response<s3s::Body>, Dropped> {
    let Some(on_request) = on_request else { return answer(service, double, request).await };
    let (seen, keys) = (Seen::of(&request), Keys::default());
    request.extensions_mut().insert(keys.clone());
    let answered = answer(service, double, request).await;
    let (id, status) = match &answered {
        Ok(response) => {
            let id = response.headers().get("x-amz-request-id").and_then(|id| id.to_str().ok());
            (id.unwrap_or_default(), response.status().as_u16())
        }
        Err(_) => ("", 0),
    };
    on_request.tell(&seen.ended(&keys, id, status));
    answered
}

/// Answers a request. An error ends the connection without an answer.
async fn answer(
    service: Service,
    double: Double,
    mut request: Request<RequestBody>,
) -> Result<Response<s3s::Body>, Dropped> {
    let about = About::of(&request);
    let is_preflight = request.method() == Method::OPTIONS;
    answers::forgive(&mut request);
    let span = tracing::error_span!("request", id = about.id);
    let mut response = admitted(service, double, request, &about).instrument(span).await?;
    if !is_preflight || response.status().as_u16() >= 400 {
        about.finish(&mut response);
    }
    xml::repair(&mut response);
    Ok(response)
}

async fn admitted(
    service: Service,
    double: Double,
    request: Request<RequestBody>,
    about: &About,
) -> Result<Response<s3s::Body>, Dropped> {
    if request.extensions().get::<Peer>().is_some_and(|peer| peer.crowded) {
        return Ok(plain_error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."));
    }
    let sender = match service.front.admit(&request) {
        Ok(sender) => sender,
        Err(answer) => return Ok(*answer),
    };
    let front = Arc::clone(&service.front);
    let is_head = request.method() == Method::HEAD;
    let waits = waits_for_continue(request.headers());
    let mut response = double.answer(request, |request| serve(service, request)).await?;
    let headers = response.headers_mut();
    headers.insert(hyper::header::SERVER, HeaderValue::from_static("modeldepot-embedded"));
    // Before the names of all headers are told to a browser.
    about.stamp(headers);
    // A client that was refused before it sent its body does not send it. Then the connection cannot be used again,
    // and the client should hear so instead of finding it closed under its next request.
    if waits && response.status().as_u16() >= 400 {
        response.headers_mut().insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
    }
    // The protocol layer answers a ranged GET with 206 but a ranged HEAD with 200, whatever it is told.
    if is_head && response.headers().contains_key(hyper::header::CONTENT_RANGE) && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    front.finish(&sender, &mut response);
    Ok(response)
}

/// Refuses by the head alone, before anything waits for a body: a signature for another service is checked with its body.
fn check_head(logins: &Logins, request: &Request<RequestBody>) -> s3s::S3Result<()> {
    let query = request.uri().query().unwrap_or_default();
    signing::check(request.headers(), query)?;
    if v2::is_link(query) {
        let link = v2::Link::read(request.method(), request.uri(), request.headers(), record::now())?;
        let (secret, _) = logins.find(&link.access_key).ok_or_else(unknown_key)?;
        link.verify(&secret)?;
    }
    check_conditions(request)?;
    answers::require_length(request)
}

/// Refuses a write under a condition that nobody can read: to leave it out would be to write whatever is there.
fn check_conditions(request: &Request<RequestBody>) -> s3s::S3Result<()> {
    let unread = |value: &HeaderValue| value.to_str().map_or(true, |text| text.trim().is_empty());
    let conditions = [hyper::header::IF_MATCH, hyper::header::IF_NONE_MATCH];
    let is_write = [Method::PUT, Method::POST, Method::DELETE].contains(request.method());
    if is_write && conditions.iter().any(|name| request.headers().get_all(name).iter().any(unread)) {
        return Err(s3s::s3_error!(InvalidArgument, "If-Match and If-None-Match must hold entity tags"));
    }
    Ok(())
}

async fn serve(service: Service, request: Request<RequestBody>) -> Response<s3s::Body> {
    if is_form(&request) {
        return service.gateway.form(&service.logins, request).await;
    }
    if let Err(error) = check_head(&service.logins, &request) {
        let status = error.status_code().unwrap_or(StatusCode::BAD_REQUEST);
        return plain_error(status, error.code().as_str(), error.message().unwrap_or_default());
    }
    let is_chunked =
        request.headers().get("x-amz-content-sha256").is_some_and(|kind| kind.as_bytes().starts_with(b"STREAMING-"));
    let watch = Watch::default();
    let is_gathered = bounded::is_gathered(&request);
    let request: Request<s3s::Body> = if is_chunked && is_gathered {
        let request = bounded::bound(request, watch.clone(), &budget::XML);
        request.map(|body| StreamingBlob::wrap(Plain::new(Reframe::new(body, &CHUNKS), watch.clone())).into())
    } else if is_chunked {
        request.map(|body| StreamingBlob::wrap(Reframe::new(Frames(body), &CHUNKS)).into())
    } else if is_gathered {
        let request = bounded::bound(request, watch.clone(), &budget::XML);
        request.map(|body| StreamingBlob::wrap(Plain::new(body, watch.clone())).into())
    } else {
        request.map(s3s::Body::http_body)
    };
    let answer = service.protocol.call(request).await.unwrap_or_else(|error| {
        tracing::error!(?error, "the protocol layer failed");
        plain_error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "Please try again")
    });
    watch.answer().unwrap_or(answer)
}

pub(crate) fn plain_error(status: StatusCode, code: &str, message: &str) -> Response<s3s::Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(s3s::Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
