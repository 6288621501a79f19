//! HTTPS with a private certificate authority, as inside a company.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use modeldepot::diagnosis::TlsFault;
use modeldepot::{Error, ErrorKind, Progress, S3Client, Settings};
use modeldepot_listen::{Listen, Tls};

use crate::backend::{Backend, bytes, push};

struct Minio(Child);

impl Drop for Minio {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
async fn minio_over_https_with_an_authority_of_its_own() {
    let temp = tempfile::tempdir().unwrap();
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let certs = temp.path().join("certs");
    std::fs::create_dir(&certs).unwrap();
    std::fs::write(certs.join("public.crt"), certificate.pem()).unwrap();
    std::fs::write(certs.join("private.key"), key.serialize_pem()).unwrap();
    let bundle = temp.path().join("ca.pem");
    std::fs::write(&bundle, pem).unwrap();

    let tools = PathBuf::from(std::env::var_os("MODELDEPOT_TOOLS").expect("MODELDEPOT_TOOLS names no folder"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _minio = Minio(
        Command::new(tools.join("bin/minio"))
            .args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}"), "--certs-dir"])
            .args([certs.as_path(), &temp.path().join("drive")])
            .env("MINIO_BROWSER", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let settings = |bundle: Option<PathBuf>| {
        let mut settings = Settings::from_variables(|name| match name {
            "S3_ENDPOINT" => Some(format!("https://localhost:{port}")),
            _ => None,
        })
        .unwrap();
        settings.ca_bundle = bundle;
        settings
    };
    let b = Backend::with(settings(Some(bundle.clone())), temp).await;
    while b.client().bucket_exists(b.bucket()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    b.client().create_bucket(b.bucket()).await.unwrap();
    let file = b.file("m.bin", &bytes(20 << 20, 1));
    b.storage.push(push("m", None, &file, &[]), &Progress::none()).await.unwrap();
    let fetched = b.pull("m", "out").await.unwrap();
    assert!(std::fs::read(fetched.model_path).unwrap() == bytes(20 << 20, 1));

    // Without the authority no server is trusted, and the error says that the certificate is the cause.
    let stranger = S3Client::connect(&settings(None)).await.unwrap();
    let error = stranger.list_objects(b.bucket(), "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(matches!(error, Error::Tls { fault: TlsFault::UnknownIssuer, .. }), "{error:?}");
}

#[tokio::test]
async fn a_bundle_that_holds_no_certificate_is_refused_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let bundle = temp.path().join("ca.pem");
    let mut settings = Settings::from_variables(|_| None).unwrap();
    for content in [None, Some("not a certificate")] {
        if let Some(content) = content {
            std::fs::write(&bundle, content).unwrap();
        }
        settings.ca_bundle = Some(bundle.clone());
        let error = S3Client::connect(&settings).await.unwrap_err();
        assert!(error.to_string().contains("is not a usable CA bundle"), "{error:?}");
    }
}

/// Writes a self-signed certificate like that of `openssl req -x509`, which calls itself an authority.
fn certify(folder: &std::path::Path, name: &str) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(folder.join("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_its_own_is_trusted_where_it_is_in_the_bundle_also_once_it_is_renewed() {
    let temp = tempfile::tempdir().unwrap();
    certify(temp.path(), "127.0.0.1");
    let tls = Tls::load(temp.path().join("cert.pem"), temp.path().join("key.pem")).unwrap();
    let config = modeldepot_embedded::Config {
        buckets: vec!["models".to_owned()],
        ..modeldepot_embedded::Config::new(temp.path().join("data"), "minioadmin", "minioadmin")
    };
    let listen = Listen { tls: Some(tls), ..Listen::default() };
    let server = modeldepot_embedded::Server::start_with(config, listen).await.unwrap();
    let bucket = "models".parse().unwrap();
    let client = async |bundle: PathBuf| {
        let mut settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| server.endpoint())).unwrap();
        settings.ca_bundle = Some(bundle);
        settings.timeouts.answer = Duration::from_secs(2);
        S3Client::connect(&settings).await.unwrap()
    };
    assert!(server.endpoint().starts_with("https://127.0.0.1:"));
    assert!(client(temp.path().join("cert.pem")).await.bucket_exists(&bucket).await.unwrap());

    // This client trusts the certificate that is about to be replaced, and has no connection yet.
    let before = client(temp.path().join("cert.pem")).await;
    let old = temp.path().join("old.pem");
    std::fs::copy(temp.path().join("cert.pem"), &old).unwrap();
    certify(temp.path(), "127.0.0.1");
    while client(old.clone()).await.bucket_exists(&bucket).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(before.bucket_exists(&bucket).await.unwrap(), "the bundle was renewed with the certificate");

    // A known certificate is not enough: it must be for this server.
    certify(temp.path(), "models.example");
    while client(temp.path().join("cert.pem")).await.bucket_exists(&bucket).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let error = loop {
        let error = client(temp.path().join("cert.pem")).await.bucket_exists(&bucket).await.unwrap_err();
        match &error {
            Error::Tls { fault: TlsFault::WrongName { .. }, .. } => break error,
            Error::Tls { .. } => {}
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    server.stop().await.unwrap();
}
