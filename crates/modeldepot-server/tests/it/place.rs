//! A service with its own S3 server, and a client for it.

use std::net::SocketAddr;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use modeldepot::{ModelStorage, Progress, Push, Scan, Settings, Source};
use modeldepot_embedded::Server as S3;
use modeldepot_server::{Config, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Waits until something is so, as long as it takes on a busy machine.
pub(crate) async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(120);
    while !is().await {
        assert!(tokio::time::Instant::now() < end, "{what} does not come");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

pub(crate) struct Place {
    pub(crate) storage: ModelStorage,
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
    pub(crate) s3: Option<S3>,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn is(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

impl Place {
    pub(crate) async fn new() -> Place {
        Place::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Place {
        Place::failing(None, change).await
    }

    /// A service on a server that fails according to a plan.
    pub(crate) async fn failing(
        faults: Option<modeldepot_embedded::Faults>,
        change: impl FnOnce(&mut Config),
    ) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let s3 = S3::start(modeldepot_embedded::Config {
            faults,
            ..modeldepot_embedded::Config::new(folder.path().join("data"), "minioadmin", "minioadmin")
        })
        .await
        .unwrap();
        let endpoint = s3.endpoint();
        Place { s3: Some(s3), ..Place::at(&endpoint, folder, change).await }
    }

    pub(crate) async fn at(endpoint: &str, folder: TempDir, change: impl FnOnce(&mut Config)) -> Place {
        let place = Place::without_a_bucket(endpoint, folder, change).await;
        place.storage.client().create_bucket(place.storage.bucket()).await.unwrap();
        place
    }

    pub(crate) async fn without_a_bucket(endpoint: &str, folder: TempDir, change: impl FnOnce(&mut Config)) -> Place {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let settings = Settings::from_variables(|name| match name {
            "S3_ENDPOINT" => Some(endpoint.to_owned()),
            "S3_BUCKET_MODELS" => Some(format!("models-{unique}")),
            "S3_BUCKET_IMAGES" => Some("plants-images".to_owned()),
            "S3_BUCKET_DATA" => Some("data".to_owned()),
            _ => None,
        })
        .unwrap();
        let storage = ModelStorage::open(&settings).await.unwrap();
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), settings);
        config.staging = Some(folder.path().join("staging"));
        change(&mut config);
        let server = Server::start(config).await.unwrap();
        Place { storage, server, folder, s3: None }
    }

    /// Returns the folders of uploads in progress.
    pub(crate) fn staged(&self) -> Vec<std::path::PathBuf> {
        let entries = |folder: std::path::PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
        let services = entries(self.folder.path().join("staging")).map(|entry| entry.path());
        services.flat_map(|service| entries(service).map(|entry| entry.path())).collect()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Publishes without the service.
    pub(crate) async fn push(&self, model: &str, version: &str, files: &[(&str, &[u8])], metadata: Value) {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let source = Source::scan(&Scan::new(folder.path())).unwrap();
        let push = Push::new(model.parse().unwrap(), source)
            .version(version.parse().unwrap())
            .metadata(metadata.as_object().unwrap().clone())
            .created(time::OffsetDateTime::UNIX_EPOCH)
            .tool("test");
        self.storage.push(push, &Progress::none()).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], b"").await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.address(), method, path, headers, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        self.send(Method::POST, path, &[("content-type", "application/json")], &body).await
    }
}

/// Sends a request on a new connection, and returns the answer as soon as it begins.
pub(crate) async fn begin(
    to: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response<Incoming> {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", to.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = axum::body::Body::from(body.to_vec());
    sender.send_request(request.body(body).unwrap()).await.unwrap()
}

pub(crate) async fn send(to: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let answer = begin(to, method, path, headers, body).await;
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX).await;
    Answer { status: parts.status, headers: parts.headers, body: body.unwrap() }
}

/// A form of fields with a file name each, or none.
pub(crate) fn form(fields: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "----a-boundary-of-the-test";
    let mut body = Vec::new();
    for (name, file, bytes) in fields {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Bytes that are different at every offset.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub(crate) fn urlencoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
