//! An S3 server in memory for unit tests. Tests set its clock, change its bucket between two requests, and decide how a
//! request is answered.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_sdk_s3::primitives::DateTime;
use aws_smithy_types::date_time::Format;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ModelStorage;
use super::capability::Probed;
use crate::s3::Capabilities;
use crate::settings::Settings;

/// The time at which each server starts.
pub(super) const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::days(20_000));

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(15);

/// What happens to a request.
pub(super) enum Act {
    Serve,
    /// It does nothing, and is answered with this status and code.
    Refuse(u16, &'static str),
    /// It is executed, and answered with this status and code all the same.
    ServeBut(u16, &'static str),
    /// It is executed only once this is notified.
    Hold(Arc<Notify>),
}

/// Decides about a request, such as `PUT m/v1/manifest.json`, and may change the bucket before it is executed.
type Play = dyn FnMut(&str, &mut Bucket) -> Act + Send;

#[derive(Clone)]
pub(super) struct Object {
    pub(super) body: Vec<u8>,
    /// The ETag that a listing shows.
    pub(super) etag: String,
    pub(super) modified: Option<OffsetDateTime>,
    metadata: BTreeMap<String, String>,
}

pub(super) struct Bucket {
    pub(super) now: OffsetDateTime,
    pub(super) objects: BTreeMap<String, Object>,
    /// Unfinished uploads by key and id, and when they were begun.
    pub(super) uploads: BTreeMap<(String, String), Option<OffsetDateTime>>,
    /// All requests so far.
    pub(super) asked: Vec<String>,
    stored: u64,
}

impl Bucket {
    pub(super) fn put(&mut self, key: &str, body: &[u8]) {
        self.put_with(key, body, BTreeMap::new());
    }

    pub(super) fn put_with(&mut self, key: &str, body: &[u8], metadata: BTreeMap<String, String>) {
        self.stored += 1;
        let (etag, modified) = (format!("{:032x}", self.stored), Some(self.now));
        self.objects.insert(key.to_owned(), Object { body: body.to_vec(), etag, modified, metadata });
    }

    pub(super) fn text(&self, key: &str) -> String {
        self.objects.get(key).map(|object| String::from_utf8(object.body.clone()).unwrap()).unwrap_or_default()
    }

    pub(super) fn keys(&self) -> Vec<&str> {
        self.objects.keys().map(String::as_str).collect()
    }

    /// The number of requests that begin like this.
    pub(super) fn count(&self, request: &str) -> usize {
        self.asked.iter().filter(|asked| asked.starts_with(request)).count()
    }
}

struct State {
    bucket: Mutex<Bucket>,
    play: Mutex<Box<Play>>,
    answered: Notify,
}

/// The server. It stops when dropped.
pub(super) struct TestServer {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl TestServer {
    pub(super) async fn start() -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (objects, uploads, asked) = Default::default();
        let bucket = Bucket { now: START, objects, uploads, asked, stored: 0 };
        let play: Box<Play> = Box::new(|_, _| Act::Serve);
        let state = Arc::new(State { bucket: Mutex::new(bucket), play: Mutex::new(play), answered: Notify::new() });
        let of_all = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&of_all)));
            }
        });
        TestServer { address, state, serving }
    }

    /// Its bucket, as another process would use it.
    pub(super) async fn storage(&self, create_if_absent: bool) -> ModelStorage {
        let endpoint = format!("http://{}", self.address);
        let settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| endpoint.clone())).unwrap();
        let storage = ModelStorage::open(&settings).await.unwrap();
        let capabilities = Capabilities { create_if_absent, ..Capabilities::AWS };
        let probed = Probed { revision: 0, server: None, probed_at: None, capabilities };
        storage.probed.set(probed).unwrap();
        storage
    }

    pub(super) fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.state.bucket.lock().unwrap()
    }

    /// Decides about requests from now on.
    pub(super) fn play(&self, play: impl FnMut(&str, &mut Bucket) -> Act + Send + 'static) {
        *self.state.play.lock().unwrap() = Box::new(play);
    }

    pub(super) fn passes(&self, seconds: i64) {
        self.bucket().now += time::Duration::seconds(seconds);
    }

    /// Waits until this holds of the bucket.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Bucket) -> bool) {
        let waiting = async {
            loop {
                let mut answered = std::pin::pin!(self.state.answered.notified());
                answered.as_mut().enable();
                if holds(&self.bucket()) {
                    return;
                }
                answered.await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
    }
}

struct Asked {
    line: String,
    method: String,
    key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: String::new(), body: body.into() }
    }

    fn error(status: u16, code: &str) -> Answer {
        Answer::new(status, format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
    }

    fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    loop {
        let asked = read(&mut stream).await?;
        let act = {
            let mut bucket = state.bucket.lock().unwrap();
            bucket.asked.push(asked.line.clone());
            (state.play.lock().unwrap())(&asked.line, &mut bucket)
        };
        let answer = match act {
            Act::Serve => execute(&asked, &mut state.bucket.lock().unwrap()),
            Act::Refuse(status, code) => Answer::error(status, code),
            Act::ServeBut(status, code) => {
                execute(&asked, &mut state.bucket.lock().unwrap());
                Answer::error(status, code)
            }
            Act::Hold(released) => {
                state.answered.notify_waiters();
                released.notified().await;
                execute(&asked, &mut state.bucket.lock().unwrap())
            }
        };
        let date = http_date(state.bucket.lock().unwrap().now);
        let Answer { status, headers, body } = answer;
        let length = match headers.contains("content-length") {
            true => String::new(),
            false => format!("content-length: {}\r\n", body.len()),
        };
        stream.write_all(format!("HTTP/1.1 {status} X\r\ndate: {date}\r\n{headers}{length}\r\n").as_bytes()).await?;
        if asked.method != "HEAD" {
            stream.write_all(&body).await?;
        }
        state.answered.notify_waiters();
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8(head).unwrap();
    let mut lines = text.lines();
    let mut words = lines.next().unwrap().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let headers: BTreeMap<String, String> = headers.collect();
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    let url = url::Url::parse(&format!("http://server{path}")).unwrap();
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().filter(|(name, _)| name != "x-id").collect();
    let key = url.path().trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
    let list = if method == "GET" && key.is_empty() { "LIST" } else { &method };
    let uploads = if query.contains_key("uploads") { " uploads" } else { "" };
    let upload = query.get("uploadId").map(|id| format!(" {id}")).unwrap_or_default();
    let line = format!("{list}{uploads} {key}{}{upload}", query.get("prefix").map_or("", String::as_str));
    Ok(Asked { line, method, key, query, headers, body })
}

fn http_date(time: OffsetDateTime) -> String {
    DateTime::from_secs(time.unix_timestamp()).fmt(Format::HttpDate).unwrap()
}

fn execute(asked: &Asked, bucket: &mut Bucket) -> Answer {
    let Asked { method, key, query, headers, body, .. } = asked;
    let time = |time: OffsetDateTime| time.format(&Rfc3339).unwrap();
    match (method.as_str(), key.as_str()) {
        ("HEAD", "") => Answer::new(200, ""),
        ("POST", "") => {
            let text = String::from_utf8_lossy(body);
            for key in text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")) {
                bucket.objects.remove(key.0);
            }
            Answer::new(200, "<DeleteResult></DeleteResult>")
        }
        ("GET", "") if query.contains_key("uploads") => {
            let shown = bucket.uploads.iter().map(|((key, id), begun)| {
                let begun = begun.map(|begun| format!("<Initiated>{}</Initiated>", time(begun))).unwrap_or_default();
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId>{begun}</Upload>")
            });
            let shown: String = shown.collect();
            Answer::new(200, format!("<ListMultipartUploadsResult>{shown}</ListMultipartUploadsResult>"))
        }
        ("GET", "") => {
            let prefix = query.get("prefix").map_or("", String::as_str);
            let shown = bucket.objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(key, object)| {
                let (etag, size) = (&object.etag, object.body.len());
                let modified =
                    object.modified.map(|modified| format!("<LastModified>{}</LastModified>", time(modified)));
                let modified = modified.unwrap_or_default();
                format!("<Contents><Key>{key}</Key>{modified}<ETag>\"{etag}\"</ETag><Size>{size}</Size></Contents>")
            });
            let shown: String = shown.collect();
            Answer::new(200, format!("<ListBucketResult><IsTruncated>false</IsTruncated>{shown}</ListBucketResult>"))
        }
        ("PUT", _) if headers.contains_key("if-none-match") && bucket.objects.contains_key(key) => {
            Answer::error(412, "PreconditionFailed")
        }
        ("PUT", _) => {
            let metadata = headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("x-amz-meta-")?, value)));
            let metadata = metadata.map(|(name, value)| (name.to_owned(), value.clone())).collect();
            bucket.put_with(key, body, metadata);
            Answer::new(200, "").with("etag", &format!("\"{}\"", bucket.objects[key].etag))
        }
        ("DELETE", _) => {
            match query.get("uploadId") {
                Some(id) => _ = bucket.uploads.remove(&(key.clone(), id.clone())),
                None => _ = bucket.objects.remove(key),
            }
            Answer::new(204, "")
        }
        ("GET" | "HEAD", _) => match bucket.objects.get(key) {
            None => Answer::error(404, "NoSuchKey"),
            Some(object) => {
                let mut answer = Answer::new(200, object.body.clone()).with("etag", &format!("\"{}\"", object.etag));
                if let Some(modified) = object.modified {
                    answer = answer.with("last-modified", &http_date(modified));
                }
                for (name, value) in &object.metadata {
                    answer = answer.with(&format!("x-amz-meta-{name}"), value);
                }
                answer
            }
        },
        _ => Answer::error(501, "NotImplemented"),
    }
}
