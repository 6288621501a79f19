//! An endpoint with a path, like Supabase's: a gateway checks signatures over the whole path and forwards the path
//! below the base.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modeldepot::s3::PresignedMethod;
use modeldepot::{Progress, Settings};
use modeldepot_embedded::{Config, Server};
use ring::{digest, hmac};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::backend::{Backend, bytes, push};
use crate::proxy::head;

const BASE: &str = "/storage/v1/s3";
const SECRET: &str = "minioadmin";

fn hash(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// A request signed with signature version 4.
struct Signed {
    method: String,
    path: String,
    query: String,
    fields: Vec<(String, String)>,
}

impl Signed {
    fn parse(head: &str) -> Signed {
        let mut lines = head.lines();
        let mut words = lines.next().unwrap().split(' ');
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        Signed { method, path: path.to_owned(), query: query.to_owned(), fields }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(its, _)| *its == name).map(|(_, value)| value.replace("%2F", "/").replace("%3B", ";"))
    }

    /// Returns the parts of the request's signature: scope, signed headers, time and the signature.
    fn claims(&self) -> Option<(String, String, String, String)> {
        if let Some(signature) = self.parameter("X-Amz-Signature") {
            let scope = self.parameter("X-Amz-Credential")?;
            return Some((scope, self.parameter("X-Amz-SignedHeaders")?, self.parameter("X-Amz-Date")?, signature));
        }
        let authorization = self.field("authorization")?;
        let part = |name: &str| {
            let (_, rest) = authorization.split_once(name)?;
            Some(rest.split([',', ' ']).next()?.to_owned())
        };
        let time = self.field("x-amz-date")?.to_owned();
        Some((part("Credential=")?, part("SignedHeaders=")?, time, part("Signature=")?))
    }

    /// Signs the request as if it had this path.
    fn signature(&self, path: &str) -> Option<String> {
        let (credential, signed, time, _) = self.claims()?;
        let mut query: Vec<&str> = self.query.split('&').filter(|pair| !pair.is_empty()).collect();
        query.retain(|pair| !pair.starts_with("X-Amz-Signature="));
        let mut query: Vec<String> =
            query.iter().map(|pair| if pair.contains('=') { (*pair).to_owned() } else { format!("{pair}=") }).collect();
        query.sort();
        let headers: String =
            signed.split(';').map(|name| format!("{name}:{}\n", self.field(name).unwrap_or_default())).collect();
        let payload = self.field("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
        let canonical =
            [&self.method, path, &query.join("&"), &headers, &signed, payload].map(ToString::to_string).join("\n");
        let (_, scope) = credential.split_once('/')?;
        let canonical = hex::encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        let text = ["AWS4-HMAC-SHA256", &time, scope, &canonical].join("\n");
        let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| hash(&key, part));
        Some(hex::encode(hash(&key, &text)))
    }
}

/// Starts a gateway in front of a server.
async fn gateway(server: SocketAddr, refused: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, server, Arc::clone(&refused)));
        }
    });
    address
}

async fn pass(mut stream: TcpStream, server: SocketAddr, refused: Arc<Mutex<Vec<String>>>) {
    let Some((head, rest)) = head(&mut stream).await else { return };
    let request = Signed::parse(&head);
    let claimed = request.claims().map(|(.., signature)| signature);
    let inner = request.path.strip_prefix(BASE).filter(|rest| rest.starts_with('/') || rest.is_empty());
    let (Some(claimed), Some(inner)) =
        (claimed.filter(|it| request.signature(&request.path).as_ref() == Some(it)), inner)
    else {
        let signed = request.signature(&request.path);
        refused.lock().unwrap().push(format!("{head}\nsigned {signed:?}"));
        let _ = stream.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        let _ = stream.shutdown().await;
        while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
        return;
    };
    let inner = if inner.is_empty() { "/" } else { inner };
    let own = request.signature(inner).unwrap();
    let head = head.replacen(&request.path, inner, 1).replace(&claimed, &own);
    let head = head.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    let mut onward = TcpStream::connect(server).await.unwrap();
    onward.write_all(head.as_bytes()).await.unwrap();
    onward.write_all(&rest).await.unwrap();
    let _ = copy_bidirectional(&mut stream, &mut onward).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_keeps_the_path_of_the_endpoint() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(Config::new(temp.path().join("data"), SECRET, SECRET)).await.unwrap();
    let refused = Arc::new(Mutex::new(Vec::new()));
    let address = gateway(server.local_addr(), Arc::clone(&refused)).await;
    for end in ["", "/"] {
        let endpoint = format!("http://{address}{BASE}{end}");
        let bucket = format!("models-{}", end.len());
        let settings = Settings::from_variables(|name| match name {
            "S3_ENDPOINT" => Some(endpoint.clone()),
            "S3_BUCKET_MODELS" => Some(bucket.clone()),
            _ => None,
        })
        .unwrap();
        let b = Backend::with(settings, tempfile::tempdir().unwrap()).await;
        assert_eq!(b.client().endpoint(), format!("http://{address}{BASE}"));
        let made = b.client().create_bucket(b.bucket()).await;
        assert!(matches!(made, Ok(true)), "{made:?} {:?}", refused.lock().unwrap());
        let file = b.file("m.bin", &bytes(20 << 20, 1));
        b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
        let fetched = b.pull("m@1", "out").await.unwrap();
        assert!(std::fs::read(fetched.model_path).unwrap() == bytes(20 << 20, 1));
        // A second version copies parts, whose source is given only by bucket and key.
        let mut next = bytes(20 << 20, 1);
        next[0] ^= 1;
        let file = b.file("m.bin", &next);
        b.storage.push(push("m", Some("2"), &file, &[]), &Progress::none()).await.unwrap();
        assert!(b.storage.probe().await.unwrap().capabilities.create_if_absent);
        let version = b.storage.versions(&"m".parse().unwrap()).await.unwrap();
        assert_eq!(version.len(), 2);

        let key = "a b/ü+%.bin";
        b.put(key, b"odd").await;
        let life = Duration::from_secs(60);
        let url = b.client().presign(b.bucket(), key, PresignedMethod::Get, life).await.unwrap();
        assert!(url.starts_with(&format!("http://{address}{BASE}/{bucket}/a%20b/")), "{url}");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let target = url.split_once(&address.to_string()).unwrap().1;
        let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("odd"), "{answer}");
        assert!(b.client().object_url(b.bucket(), "k").ends_with(&format!("{BASE}/{bucket}/k")));
    }
    assert_eq!(*refused.lock().unwrap(), Vec::<String>::new());
    // The gateway does refuse requests: without the base, and with a path that was not signed.
    let settings =
        Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| format!("http://{address}"))).unwrap();
    let outside = Backend::with(settings, tempfile::tempdir().unwrap()).await;
    assert!(outside.client().bucket_exists(outside.bucket()).await.is_err());
}
