//! Bytes on a socket, to learn what a port speaks when the S3 client cannot make sense of it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const LARGEST: u64 = 8 * 1024;

/// What came back for a plain HTTP request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plain {
    /// The HTTP status; none when it was no HTTP.
    pub(super) status: Option<u16>,
    pub(super) server: Option<String>,
    pub(super) content_type: Option<String>,
    body: String,
    /// The first bytes are those of a TLS record.
    tls: bool,
    /// The first line, when it was no HTTP.
    pub(super) first_line: String,
}

impl Plain {
    /// Returns true when the port wants TLS and said so, in one of the ways that servers have.
    pub(super) fn wants_tls(&self) -> bool {
        // Go: "Client sent an HTTP request to an HTTPS server." nginx: "…plain HTTP request was sent to HTTPS port"
        self.tls || (self.status == Some(400) && self.body.contains("HTTPS"))
    }

    fn parse(bytes: &[u8]) -> Plain {
        if bytes.starts_with(&[0x15, 0x03]) {
            return Plain { tls: true, ..Plain::default() };
        }
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let first = head.lines().next().unwrap_or_default();
        if !first.starts_with("HTTP/") {
            let first_line = first.chars().take(60).collect();
            return Plain { first_line, ..Plain::default() };
        }
        let header = |name: &str| {
            let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        Plain {
            status: first.split_whitespace().nth(1).and_then(|status| status.parse().ok()),
            server: header("server"),
            content_type: header("content-type"),
            body: body.to_owned(),
            ..Plain::default()
        }
    }
}

/// Sends a plain HTTP request, and returns what came back.
pub(super) async fn get(host: &str, port: u16) -> io::Result<Plain> {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    Ok(Plain::parse(&exchange(host, port, request.as_bytes()).await?))
}

/// Begins a TLS handshake, and returns true when the answer is one.
pub(super) async fn speaks_tls(host: &str, port: u16) -> bool {
    let answer = exchange(host, port, &client_hello()).await.unwrap_or_default();
    // A handshake or an alert: even a refusal is in TLS.
    matches!(answer[..], [0x15 | 0x16, 0x03, ..])
}

async fn exchange(host: &str, port: u16, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let asked = async {
        let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        stream.write_all(request).await?;
        let mut chunk = [0; 2048];
        while (answer.len() as u64) < LARGEST {
            match stream.read(&mut chunk).await? {
                0 => break,
                read => answer.extend_from_slice(&chunk[..read]),
            }
            // The first bytes of anything but HTTP say all there is to know; its sender may wait for more.
            if !answer.starts_with(b"HTTP/") {
                break;
            }
        }
        io::Result::Ok(())
    };
    match timeout(PATIENCE, asked).await {
        // What came before it broke off, or before patience ran out, is an answer too.
        _ if !answer.is_empty() => Ok(answer),
        Ok(done) => done.map(|()| answer),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Returns the first message of a TLS 1.2 client, as short as servers take it.
fn client_hello() -> Vec<u8> {
    // supported_groups: x25519, secp256r1; signature_algorithms: ECDSA, RSA-PSS and RSA with SHA-256
    const EXTENSIONS: &[u8] = &[
        0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17, //
        0x00, 0x0d, 0x00, 0x08, 0x00, 0x06, 0x04, 0x03, 0x08, 0x04, 0x04, 0x01,
    ];
    let mut body = vec![0x03, 0x03];
    body.extend([0x4d; 32]); // The random bytes: nothing will be encrypted with them.
    body.push(0); // No session.
    body.extend([0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x2f]); // ECDHE with ECDSA or RSA, AES-128-GCM
    body.extend([0x01, 0x00]); // No compression.
    body.extend(u16_of(EXTENSIONS.len()));
    body.extend(EXTENSIONS);
    let mut handshake = vec![0x01, 0x00];
    handshake.extend(u16_of(body.len()));
    handshake.extend(body);
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(u16_of(handshake.len()));
    record.extend(handshake);
    record
}

/// Returns a length that is known to be short, in two bytes.
fn u16_of(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let html =
            Plain::parse(b"HTTP/1.1 200 OK\r\nServer: MinIO Console\r\ncontent-type: text/html\r\n\r\n<!doctype");
        assert_eq!((html.status, html.server.as_deref()), (Some(200), Some("MinIO Console")));
        assert_eq!(html.content_type.as_deref(), Some("text/html"));
        assert!(!html.wants_tls());
        assert!(Plain::parse(&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]).wants_tls());
        let go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        assert!(Plain::parse(go).wants_tls());
        assert_eq!(Plain::parse(b"SSH-2.0-OpenSSH_9.6\r\n").first_line, "SSH-2.0-OpenSSH_9.6");
        assert_eq!(Plain::parse(b""), Plain::default());
    }

    #[test]
    fn the_hello_says_its_lengths() {
        let hello = client_hello();
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        assert_eq!(usize::from(u16::from_be_bytes([hello[7], hello[8]])), hello.len() - 9);
    }
}
