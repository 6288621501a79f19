//! Certificates, and plain HTTP on a TLS port.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use modeldepot_listen::{Limits, Tls, TlsError};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::stage::{Stage, later, rest, short};

/// A folder with a certificate, which can be renewed.
struct Certs {
    folder: tempfile::TempDir,
}

impl Certs {
    fn new() -> (Certs, CertificateDer<'static>) {
        let certs = Certs { folder: tempfile::tempdir().unwrap() };
        let first = certs.renew();
        (certs, first)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn made() -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names = vec![
            "localhost".to_owned(),
            "models.example".to_owned(),
            "*.models.example".to_owned(),
            "127.0.0.1".to_owned(),
        ];
        (CertificateParams::new(names).unwrap().self_signed(&key).unwrap(), key)
    }

    fn renew(&self) -> CertificateDer<'static> {
        let (certificate, key) = Certs::made();
        std::fs::write(self.path("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    fn load(&self) -> Result<Tls, TlsError> {
        Tls::load(self.path("cert.pem"), self.path("key.pem"))
    }
}

/// Connects as a client that trusts these certificates.
async fn connect(
    stage: &Stage,
    trusted: &[CertificateDer<'static>],
    config: impl FnOnce(&mut ClientConfig),
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config(&mut client);
    let stream = stage.connect().await;
    TlsConnector::from(Arc::new(client)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Returns the certificate that the server shows.
async fn shown(stage: &Stage, trusted: &[CertificateDer<'static>]) -> CertificateDer<'static> {
    let stream = connect(stage, trusted, |_| {}).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn requests_are_answered_over_tls() {
    let (certs, certificate) = Certs::new();
    let stage = Stage::encrypted(certs.load().unwrap(), Limits::default()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(client));
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stage.connect().await).await.unwrap();
        stream.write_all(b"GET /bulk HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert!(all.starts_with(b"HTTP/1.1 200") && all.len() > 64 << 20);
    }
    let trusted = [certificate];
    let stream = connect(&stage, &trusted, |client| {
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    });
    assert_eq!(stream.await.unwrap().get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn what_is_not_tls_is_told_so_or_ended() {
    let (certs, certificate) = Certs::new();
    let stage = Stage::encrypted(certs.load().unwrap(), short()).await;
    let told = stage.ask("/").await;
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("this port speaks HTTPS"), "{told}");
    let body = told.split("\r\n\r\n").nth(1).unwrap();
    assert!(told.contains(&format!("content-length: {}", body.len())), "{told}");
    assert_eq!(rest(stage.connect().await).await, "", "nothing at all");
    assert_eq!(rest(stage.say("\x16").await).await, "", "half a handshake");
    assert!(!rest(stage.say("\x16\x03\x01\0\x05hello and more").await).await.contains("HTTP"));
    // A client that sends nothing afterwards is closed as well.
    let mut silent = connect(&stage, &[certificate], |_| {}).await.unwrap();
    let mut all = Vec::new();
    let _ = silent.read_to_end(&mut all).await;
    assert!(all.is_empty());
}

/// The server checks for a renewed certificate once a second.
const LOOKS_AGAIN: Duration = Duration::from_millis(1100);

/// Waits until a connection gets this certificate.
async fn shows(stage: &Stage, all: &[CertificateDer<'static>], expected: &CertificateDer<'static>) -> bool {
    for _ in 0..60 {
        if shown(stage, all).await == *expected {
            return true;
        }
        later(LOOKS_AGAIN).await;
    }
    false
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let (certs, first) = Certs::new();
    let stage = Stage::encrypted(certs.load().unwrap(), Limits::default()).await;
    assert_eq!(shown(&stage, std::slice::from_ref(&first)).await, first);
    let second = certs.renew();
    let mut all = vec![first, second];
    assert!(shows(&stage, &all, &all[1]).await, "the renewed one");

    // Half a renewal, in every order in which a tool may write: the last complete one stays in use.
    let (third, key) = Certs::made();
    let pem = third.pem();
    all.push(third.der().clone());
    let write = |name: &str, content: &[u8]| std::fs::write(certs.path(name), content).unwrap();
    for broken in [&b""[..], &pem.as_bytes()[..pem.len() / 2], b"not a certificate", pem.as_bytes()] {
        write("cert.pem", broken);
        later(LOOKS_AGAIN).await;
        assert_eq!(shown(&stage, &all).await, all[1], "{}", String::from_utf8_lossy(broken));
    }
    for missing in ["cert.pem", "key.pem"] {
        std::fs::remove_file(certs.path(missing)).unwrap();
        later(LOOKS_AGAIN).await;
        assert_eq!(shown(&stage, &all).await, all[1], "without {missing}");
    }
    write("cert.pem", pem.as_bytes());
    write("key.pem", key.serialize_pem().as_bytes());
    assert!(shows(&stage, &all, &all[2]).await, "the whole one, after all that");
}

#[test]
fn a_certificate_that_cannot_be_used_says_why() {
    let (certs, _) = Certs::new();
    let (certificate, key) = (certs.path("cert.pem"), certs.path("key.pem"));
    let said = |certificate: &Path, key: &Path| {
        let error = Tls::load(certificate, key).unwrap_err();
        format!("{error}").replace(&certs.folder.path().display().to_string(), "$DIR")
    };
    assert_eq!(said(Path::new("nowhere.pem"), &key), "cannot read the certificate `nowhere.pem`");
    assert_eq!(said(&certificate, Path::new("nowhere.pem")), "cannot read the private key `nowhere.pem`");
    assert_eq!(said(&key, &key), "`$DIR/key.pem` holds no certificate in PEM");
    assert_eq!(said(&certificate, &certificate), "`$DIR/cert.pem` holds no private key in PEM");
    let locked = certs.path("locked.pem");
    std::fs::write(&locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
        .unwrap();
    assert_eq!(said(&certificate, &locked), "the private key `$DIR/locked.pem` is encrypted");
    let other = certs.path("other.pem");
    std::fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(
        said(&certificate, &other),
        "the private key `$DIR/other.pem` does not belong to the certificate `$DIR/cert.pem`"
    );
    std::fs::write(&other, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(said(&other, &key), "the certificate `$DIR/other.pem` cannot be used");
}

#[test]
fn a_certificate_knows_its_names() {
    let (certs, _) = Certs::new();
    let tls = certs.load().unwrap();
    for name in ["localhost", "models.example", "a.models.example", "127.0.0.1"] {
        assert!(tls.is_for(name), "{name}");
    }
    for name in ["example", "127.0.0.2", "::1", "[::1]", "", "a.b.models.example"] {
        assert!(!tls.is_for(name), "{name}");
    }
    assert_eq!(tls.names(), ["localhost", "models.example"]);
}
