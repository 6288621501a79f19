//! Just enough of an S3 client: one request per connection, signed, with every byte under the test's control.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use s3s::crypto::{Checksum as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// The state from which the signatures of later chunks follow.
#[derive(Clone)]
pub(crate) struct Seed {
    key: Vec<u8>,
    stamp: String,
    scope: String,
    signature: String,
}

impl Seed {
    fn signature(&self, method: &str, path: &str, query: &str, signed: &[(&str, &str)], payload: &str) -> String {
        let headers: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", names(signed));
        let digest = hex::encode(Sha256::checksum(canonical.as_bytes()));
        self.sign(&format!("AWS4-HMAC-SHA256\n{}\n{}\n{digest}", self.stamp, self.scope))
    }

    fn sign(&self, text: &str) -> String {
        hex::encode(hmac(&self.key, text.as_bytes()))
    }

    /// Returns a chunk of an `aws-chunked` body, signed as the next one.
    pub(crate) fn chunk(&mut self, data: &[u8]) -> Vec<u8> {
        let nothing = hex::encode(Sha256::checksum(b""));
        let digest = hex::encode(Sha256::checksum(data));
        let Self { stamp, scope, signature, .. } = &*self;
        self.signature =
            self.sign(&format!("AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{signature}\n{nothing}\n{digest}"));
        let head = format!("{:x};chunk-signature={}\r\n", data.len(), self.signature);
        [head.as_bytes(), data, b"\r\n"].concat()
    }
}

fn names(signed: &[(&str, &str)]) -> String {
    signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
}

fn stamp() -> String {
    OffsetDateTime::now_utc().format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The content of the first XML element of this name.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    }

    pub(crate) fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0u8; 64];
    let hashed = Sha256::checksum(key);
    let key = if key.len() > block.len() { &hashed } else { key };
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::checksum(&[&block.map(|byte| byte ^ 0x36), text].concat());
    Sha256::checksum(&[&block.map(|byte| byte ^ 0x5c)[..], &inner].concat())
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, access_key: "minioadmin".into(), secret_key: "minioadmin".into() }
    }

    /// The same server, for another key pair.
    pub(crate) fn signing_with(&self, access_key: &str, secret_key: &str) -> Self {
        Self { address: self.address, access_key: access_key.into(), secret_key: secret_key.into() }
    }

    /// Returns the head of a signed request. `target` is a path, encoded, with a sorted query whose every name has `=`.
    pub(crate) fn head(&self, method: &str, target: &str, headers: &[(&str, &str)], len: usize) -> String {
        self.head_of(method, target, "UNSIGNED-PAYLOAD", headers, len)
    }

    /// Like [`Client::head`], for another kind of body.
    pub(crate) fn head_of(
        &self,
        method: &str,
        target: &str,
        payload: &str,
        headers: &[(&str, &str)],
        len: usize,
    ) -> String {
        let (signed, rest): (Vec<_>, Vec<_>) = headers.iter().partition(|(name, _)| name.starts_with("x-amz-"));
        let head = self.signed_head(method, target, payload, &signed, "s3").0;
        let rest: String = rest.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{head}content-length: {len}\r\n{rest}\r\n")
    }

    /// Returns a head that signs these headers and no others, without its end, and the seed for signing chunks.
    pub(crate) fn signed_head(
        &self,
        method: &str,
        target: &str,
        payload: &str,
        headers: &[(&str, &str)],
        service: &str,
    ) -> (String, Seed) {
        let stamp = stamp();
        let host = self.address.to_string();
        let mut signed = vec![("host", &*host), ("x-amz-content-sha256", payload), ("x-amz-date", &stamp)];
        signed.extend(headers);
        signed.sort();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let seed = self.seed(&stamp, service);
        let signature = seed.signature(method, path, query, &signed, payload);
        let names = names(&signed);
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nconnection: close\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={}/{}, SignedHeaders={names}, Signature={signature}\r\n",
            self.access_key, seed.scope
        );
        for (name, value) in signed {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        (head, Seed { signature, ..seed })
    }

    /// Returns the target of a presigned link. `query` is sorted and encoded, and its names come after `X-Amz`.
    pub(crate) fn link(
        &self,
        method: &str,
        path: &str,
        query: &str,
        expires: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let stamp = stamp();
        let host = self.address.to_string();
        let mut signed = vec![("host", &*host)];
        signed.extend(headers);
        signed.sort();
        let seed = self.seed(&stamp, "s3");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={stamp}&X-Amz-Expires={expires}&\
             X-Amz-SignedHeaders={}{}{query}",
            self.access_key,
            seed.scope.replace('/', "%2F"),
            names(&signed).replace(';', "%3B"),
            if query.is_empty() { "" } else { "&" },
        );
        let signature = seed.signature(method, path, &query, &signed, "UNSIGNED-PAYLOAD");
        format!("{path}?{query}&X-Amz-Signature={signature}")
    }

    /// Returns the target of a presigned link signed for another `Host`.
    pub(crate) fn link_for(&self, host: &str, method: &str, path: &str) -> String {
        let stamp = stamp();
        let seed = self.seed(&stamp, "s3");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={stamp}&X-Amz-Expires=600&\
             X-Amz-SignedHeaders=host",
            self.access_key,
            seed.scope.replace('/', "%2F"),
        );
        let signature = seed.signature(method, path, &query, &[("host", host)], "UNSIGNED-PAYLOAD");
        format!("{path}?{query}&X-Amz-Signature={signature}")
    }

    /// Returns the head of a GET whose signature leaves the host out.
    pub(crate) fn head_without_host(&self, path: &str) -> String {
        let stamp = stamp();
        let seed = self.seed(&stamp, "s3");
        let payload = "UNSIGNED-PAYLOAD";
        let signed = [("x-amz-content-sha256", payload), ("x-amz-date", &*stamp)];
        let signature = seed.signature("GET", path, "", &signed, payload);
        format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nx-amz-date: {stamp}\r\n\
             x-amz-content-sha256: {payload}\r\nauthorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, \
             Signature={signature}\r\n\r\n",
            self.address,
            self.access_key,
            seed.scope,
            names(&signed)
        )
    }

    fn seed(&self, stamp: &str, service: &str) -> Seed {
        let day = &stamp[..8];
        let secret = format!("AWS4{}", self.secret_key).into_bytes();
        let key = [day, "us-east-1", service, "aws4_request"]
            .iter()
            .fold(secret, |key, text| hmac(&key, text.as_bytes()).to_vec());
        let scope = format!("{day}/us-east-1/{service}/aws4_request");
        Seed { key, stamp: stamp.to_owned(), scope, signature: String::new() }
    }

    /// Sends a head and a body unchanged, and reads the whole answer.
    pub(crate) fn raw(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect().unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses by the head need not read the body.
        let _ = stream.write_all(body);
        if head.starts_with("HEAD ") { read_head(stream).unwrap() } else { read(stream).unwrap() }
    }

    pub(crate) fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(stream)
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(self.head(method, target, headers, body.len()).as_bytes())?;
        stream.write_all(body)?;
        if method == "HEAD" { read_head(stream) } else { read(stream) }
    }

    pub(crate) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, target, headers, body).unwrap()
    }

    pub(crate) fn put(&self, target: &str, body: &[u8]) -> Answer {
        self.send("PUT", target, &[], body)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"")
    }
}

/// Reads an answer up to the end of the connection. One that was cut short is an error.
pub(crate) fn read(stream: TcpStream) -> io::Result<Answer> {
    let answer = read_head(stream)?;
    match answer.header("content-length").map(str::parse::<usize>) {
        Some(Ok(len)) if len > answer.body.len() && answer.status != 304 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer),
    }
}

/// Reads an answer whose `Content-Length` announces a body that is not sent.
fn read_head(mut stream: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // Some servers end a connection this way after a complete answer.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !bytes.is_empty() => {}
        done => drop(done?),
    }
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    Ok(Answer { status, body: bytes[end + 4..].to_vec(), head })
}
