//! Servers that are not S3, or not as expected: each behaves on a real socket like what it is named after.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A server on its own port. Its threads end with the process.
pub(crate) struct Peer {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    /// Accepts connections and passes each to `serve`.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Peer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (serve, connections) = (Arc::new(serve), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Peer { port, connections }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The number of accepted connections.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads a request and returns its first line.
fn asked(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
        // Without HTTP there is no end of the head: servers give up after the first line.
        if head[0].is_ascii_control() && head.len() > 4 {
            return None;
        }
    }
    String::from_utf8_lossy(&head).lines().next().map(str::to_owned)
}

/// Answers a request by its first line, with a status line, headers and a body; a `HEAD` without the body.
fn answer(stream: &mut (impl Read + Write), answers: impl Fn(&str) -> (String, String)) {
    let Some(line) = asked(stream) else {
        // As nginx and Go respond to anything that is not HTTP.
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let (head, body) = answers(&line);
    let _ = write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    if !line.starts_with("HEAD ") {
        let _ = stream.write_all(body.as_bytes());
    }
    let _ = stream.flush();
}

/// An HTTP server that gives every request the same answer.
pub(crate) fn http(head: &str, body: &str) -> Peer {
    let (head, body) = (head.to_owned(), body.to_owned());
    web(move |_| (head.clone(), body.clone()))
}

/// An HTTP server whose answer depends on the request's first line.
pub(crate) fn web(answers: impl Fn(&str) -> (String, String) + Send + Sync + 'static) -> Peer {
    Peer::start(move |mut stream| answer(&mut stream, &answers))
}

/// A server that speaks first, or gives the same answer to everything.
pub(crate) fn says(text: &'static [u8], first: bool) -> Peer {
    Peer::start(move |mut stream| {
        if !first {
            let _ = stream.read(&mut [0; 4096]);
        }
        let _ = stream.write_all(text);
        // A reset could discard what was sent.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    })
}

/// A server that accepts connections and does nothing else.
pub(crate) fn silent() -> Peer {
    // Until the client goes away.
    Peer::start(|mut stream| while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {})
}

/// A certificate, its key, and its issuer.
pub(crate) struct Certified {
    pub(crate) pem: String,
    pub(crate) key: String,
}

/// What a certificate for these names says.
pub(crate) fn named(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

/// Creates a self-signed certificate for 127.0.0.1 and localhost, with changes.
pub(crate) fn certified(with: impl FnOnce(&mut CertificateParams)) -> Certified {
    let key = KeyPair::generate().unwrap();
    let mut params = named(&["localhost", "127.0.0.1"]);
    with(&mut params);
    Certified { pem: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// Creates an authority, and a certificate signed by it.
pub(crate) fn signed(with: impl FnOnce(&mut CertificateParams)) -> (String, Certified) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut params = named(&["localhost", "127.0.0.1"]);
    with(&mut params);
    let pem = params.signed_by(&key, &issuer).unwrap().pem();
    (ca_pem, Certified { pem, key: key.serialize_pem() })
}

/// An HTTPS server. With `clients`, it requires a certificate of that authority.
pub(crate) fn https(certified: &Certified, clients: Option<&str>, head: &str, body: &str) -> Peer {
    let (head, body) = (head.to_owned(), body.to_owned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(rustls::pki_types::CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
            let verifier: Arc<dyn ClientCertVerifier> =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = rustls::pki_types::CertificateDer::pem_slice_iter(certified.pem.as_bytes()).map(Result::unwrap);
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    let config = Arc::new(builder.with_single_cert(chain.collect(), key).unwrap());
    Peer::start(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let heard = asked(&mut stream);
        if heard.is_some() {
            let _ =
                write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
        let _ = stream.sock.shutdown(std::net::Shutdown::Write);
        while stream.sock.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    })
}
