//! Requests through a forward proxy.

use std::net::SocketAddr;

use modeldepot::advice::Advice;
use modeldepot::{Error, ErrorKind, Progress, S3Client, Settings};
use modeldepot_embedded::{Config, Server};
use modeldepot_listen::{Listen, Tls};
use tempfile::TempDir;

use crate::backend::{Backend, bytes, push};
use crate::proxy::{Manner, Proxy};

/// A name that only the proxy can resolve.
const HOST: &str = "s3.nowhere.invalid";

/// A login that the embedded server accepts with any name of its own.
const LOGIN: &str = "known-to-this-test";

fn settings(variables: &[(&str, String)]) -> Settings {
    let found = |name: &str| variables.iter().find(|(of, _)| *of == name).map(|(_, value)| value.clone());
    Settings::from_variables(|name| match name {
        "S3_ACCESS_KEY" | "S3_SECRET_KEY" => Some(LOGIN.to_owned()),
        "S3_CONNECT_TIMEOUT" => Some("2s".to_owned()),
        "S3_TIMEOUT" => Some("10s".to_owned()),
        name => found(name),
    })
    .unwrap()
}

async fn server(temp: &TempDir, tls: Option<Tls>) -> Server {
    let buckets = ["models", "plants-images", "data"].map(str::to_owned).to_vec();
    let config = Config { buckets, ..Config::new(temp.path().join("data"), LOGIN, LOGIN) };
    Server::start_with(config, Listen { tls, ..Listen::default() }).await.unwrap()
}

fn endpoint(server: &Server, scheme: &str) -> (&'static str, String) {
    ("S3_ENDPOINT", format!("{scheme}://{HOST}:{}", server.local_addr().port()))
}

/// Pushes and pulls with every kind of transfer.
async fn round_trip(settings: Settings) {
    let b = Backend::with(settings, tempfile::tempdir().unwrap()).await;
    let file = b.file("m.bin", &bytes(20 << 20, 1));
    b.storage.push(push("m", None, &file, &[]), &Progress::none()).await.unwrap();
    let fetched = b.pull("m", "out").await.unwrap();
    assert!(std::fs::read(fetched.model_path).unwrap() == bytes(20 << 20, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_is_asked_of_the_proxy_with_its_login() {
    let temp = tempfile::tempdir().unwrap();
    let server = server(&temp, None).await;
    // me:p@ss
    let proxy = Proxy::start(Manner::Login("Basic bWU6cEBzcw=="), server.local_addr()).await;
    let address = format!("http://me:p%40ss@{}", proxy.address);
    round_trip(settings(&[endpoint(&server, "http"), ("http_proxy", address)])).await;
    let seen = proxy.seen();
    assert!(seen.iter().all(|line| line.contains(&format!(" http://{HOST}:"))), "in absolute form: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_goes_through_a_tunnel_to_the_server_itself() {
    let temp = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    let (cert, pem) = (temp.path().join("cert.pem"), temp.path().join("key.pem"));
    std::fs::write(&cert, certificate.pem()).unwrap();
    std::fs::write(&pem, key.serialize_pem()).unwrap();
    let server = server(&temp, Some(Tls::load(&cert, &pem).unwrap())).await;
    let proxy = Proxy::start(Manner::Login("Basic bWU6aHVzaA=="), server.local_addr()).await;
    let settings = settings(&[
        endpoint(&server, "https"),
        ("HTTPS_PROXY", format!("me:hush@{}", proxy.address)),
        ("AWS_CA_BUNDLE", cert.display().to_string()),
    ]);
    round_trip(settings).await;
    let port = server.local_addr().port();
    assert_eq!(proxy.seen(), [format!("CONNECT {HOST}:{port} HTTP/1.1")], "nothing of the requests is seen");
}

/// Sends a request through the proxy of this variable, and returns the error.
async fn failure(scheme: &str, variable: &'static str, proxy: &str) -> Error {
    let place = ("S3_ENDPOINT", format!("{scheme}://{HOST}"));
    let client = S3Client::connect(&settings(&[place, (variable, proxy.to_owned())])).await.unwrap();
    let error = client.list_objects(&"models".parse().unwrap(), "").await.unwrap_err();
    let shown = format!("{error:?} {error} {:?}", modeldepot::causes(&error));
    assert!(!shown.contains("hush"), "{shown}");
    error
}

fn said(error: &Error, address: SocketAddr) -> String {
    let chain: Vec<String> = std::iter::once(error.to_string()).chain(modeldepot::causes(error)).collect();
    let hint = match error.advice(None) {
        Some(Advice::Note(note)) => note.to_string(),
        advice => format!("{advice:?}"),
    };
    format!("{}\nhint: {hint}", chain.join("\n")).replace(&address.to_string(), "PROXY")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_says_is_told() {
    let nobody: SocketAddr = "127.0.0.1:9".parse().unwrap();
    for (scheme, variable) in [("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY")] {
        for (manner, kind) in [
            (Manner::Login("Basic no"), ErrorKind::Denied),
            (Manner::Refuses(403), ErrorKind::Denied),
            (Manner::Refuses(502), ErrorKind::Unavailable),
        ] {
            let proxy = Proxy::start(manner, nobody).await;
            let error = failure(scheme, variable, &format!("http://me:hush@{}", proxy.address)).await;
            assert_eq!(error.kind(), kind, "{error}");
            let told = said(&error, proxy.address).replace(scheme, "SCHEME").replace(variable, "VARIABLE");
            let told = told.replace("SCHEME://PROXY", "http://PROXY").replace("SCHEME://USER", "http://USER");
            match manner {
                Manner::Login(_) => insta::allow_duplicates! { insta::assert_snapshot!(told, @"
                the proxy `http://PROXY` on the way to `SCHEME://s3.nowhere.invalid` does not accept the login: HTTP 407
                hint: check user and password in VARIABLE or ALL_PROXY: `@`, `:`, `/` and `%` in them are written %40, %3A, %2F and %25
                ") },
                Manner::Refuses(403) => insta::allow_duplicates! { insta::assert_snapshot!(told, @"
                the proxy `http://PROXY` refuses requests to `SCHEME://s3.nowhere.invalid`: HTTP 403
                hint: ask for the proxy to let `s3.nowhere.invalid` through, or reach it directly with NO_PROXY=s3.nowhere.invalid
                ") },
                _ => insta::allow_duplicates! { insta::assert_snapshot!(told, @"
                the proxy `http://PROXY` cannot reach `SCHEME://s3.nowhere.invalid`: HTTP 502
                hint: ask for the proxy to let `s3.nowhere.invalid` through, or reach it directly with NO_PROXY=s3.nowhere.invalid
                ") },
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_not_there() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["http", "https", "socks5h"] {
        let error = failure("https", "ALL_PROXY", &format!("{scheme}://me:hush@{gone}")).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let told = said(&error, gone).replace(&format!("`{scheme}://PROXY"), "`SCHEME://PROXY");
        insta::allow_duplicates! { insta::assert_snapshot!(told, @"
        cannot reach the proxy `SCHEME://PROXY` on the way to `https://s3.nowhere.invalid`
        Connection refused (os error 111)
        hint: check HTTPS_PROXY or ALL_PROXY; hosts in NO_PROXY are reached directly, as in NO_PROXY=s3.nowhere.invalid
        ") }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_the_server_is_not_the_proxys() {
    let temp = tempfile::tempdir().unwrap();
    let server = server(&temp, None).await;
    let proxy = Proxy::start(Manner::Open, server.local_addr()).await;
    let mut settings = settings(&[endpoint(&server, "http"), ("http_proxy", format!("http://{}", proxy.address))]);
    settings.credentials = modeldepot::Credentials::Key {
        access: "stranger".to_owned(),
        secret: modeldepot::Secret::new("none"),
        token: None,
    };
    let client = S3Client::connect(&settings).await.unwrap();
    let error = client.list_objects(&"models".parse().unwrap(), "").await.unwrap_err();
    assert!(matches!(&error, Error::Denied { code, .. } if code == "InvalidAccessKeyId"), "{error:?}");
    let head = client.bucket_exists(&"models".parse().unwrap()).await.unwrap_err();
    assert!(matches!(head, Error::Denied { .. }), "without a body: {head:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_and_exceptions_are_reached_directly() {
    let temp = tempfile::tempdir().unwrap();
    let server = server(&temp, None).await;
    let proxy = Proxy::start(Manner::Refuses(403), server.local_addr()).await;
    let through = ("ALL_PROXY", format!("http://{}", proxy.address));
    let bucket = "models".parse().unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let place = ("S3_ENDPOINT", format!("http://{host}:{}", server.local_addr().port()));
        let client = S3Client::connect(&settings(&[place, through.clone()])).await.unwrap();
        assert!(client.bucket_exists(&bucket).await.unwrap(), "{host}");
    }
    let place = ("S3_ENDPOINT", format!("http://{HOST}"));
    let excepted = settings(&[place, through, ("NO_PROXY", "nowhere.invalid".to_owned())]);
    let error = S3Client::connect(&excepted).await.unwrap().bucket_exists(&bucket).await.unwrap_err();
    assert!(error.advice(None) == Some(Advice::CheckHost), "nobody knows the name: {error:?}");
    assert_eq!(proxy.seen(), Vec::<String>::new());
}

/// The part of SOCKS 5 that a client needs: a login, and the server by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn socks() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
    let temp = tempfile::tempdir().unwrap();
    let server = server(&temp, None).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, target) = (listener.local_addr().unwrap(), server.local_addr());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                async fn read(stream: &mut tokio::net::TcpStream, count: usize) -> Vec<u8> {
                    let mut bytes = vec![0; count];
                    stream.read_exact(&mut bytes).await.unwrap();
                    bytes
                }
                let methods = read(&mut stream, 2).await[1];
                read(&mut stream, methods.into()).await;
                stream.write_all(&[5, 2]).await.unwrap();
                assert_eq!(read(&mut stream, 11).await, b"\x01\x02me\x06secret");
                stream.write_all(&[1, 0]).await.unwrap();
                let head = read(&mut stream, 5).await;
                let name = read(&mut stream, usize::from(head[4]) + 2).await;
                assert_eq!(&name[..HOST.len()], HOST.as_bytes(), "the proxy looks it up");
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                let mut onward = tokio::net::TcpStream::connect(target).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    round_trip(settings(&[endpoint(&server, "http"), ("all_proxy", format!("socks5h://me:secret@{address}"))])).await;
}
