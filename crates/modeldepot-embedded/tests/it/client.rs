//! Just enough of an S3 client: one request per connection, signed, with every byte under the test's control.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use s3s::crypto::{Checksum as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

pub(crate) struct Client {
    pub(crate) address: SocketAddr,
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
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::checksum(&[&block.map(|byte| byte ^ 0x36), text].concat());
    Sha256::checksum(&[&block.map(|byte| byte ^ 0x5c)[..], &inner].concat())
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Returns the head of a signed request. `target` is a path, encoded, with a sorted query whose every name has `=`.
    pub(crate) fn head(&self, method: &str, target: &str, headers: &[(&str, &str)], len: usize) -> String {
        self.head_of(method, target, "UNSIGNED-PAYLOAD", headers, len)
    }

    /// As [`Client::head`], for a body of another kind.
    pub(crate) fn head_of(
        &self,
        method: &str,
        target: &str,
        payload: &str,
        headers: &[(&str, &str)],
        len: usize,
    ) -> String {
        let now = OffsetDateTime::now_utc();
        let stamp = now.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
        let day = &stamp[..8];
        let host = self.address.to_string();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{stamp}\n\n\
             host;x-amz-content-sha256;x-amz-date\n{payload}"
        );
        let scope = format!("{day}/us-east-1/s3/aws4_request");
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex::encode(Sha256::checksum(canonical.as_bytes())));
        let key = [day, "us-east-1", "s3", "aws4_request"]
            .iter()
            .fold(b"AWS4minioadmin".to_vec(), |key, text| hmac(&key, text.as_bytes()).to_vec());
        let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {len}\r\n\
             x-amz-date: {stamp}\r\nx-amz-content-sha256: {payload}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=minioadmin/{scope}, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}\r\n"
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
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

/// Reads an answer whose `Content-Length` speaks of a body that does not come.
fn read_head(mut stream: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    Ok(Answer { status, body: bytes[end + 4..].to_vec(), head })
}
