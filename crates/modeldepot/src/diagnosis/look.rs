//! Bytes on a socket, to learn what a port speaks when the S3 client cannot make sense of it.
//!
//! Nothing of the settings but host and port is used: no login is ever shown to a stranger.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one exchange may take. There are two at most.
const PATIENCE: Duration = Duration::from_millis(2500);

/// The most that is read of an answer.
const LARGEST: u64 = 8 * 1024;

/// What a port speaks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// Plain HTTP.
    Http,
    /// TLS.
    Tls,
    /// Something else: its first bytes.
    Banner(Vec<u8>),
    /// Nothing that came in time.
    Nothing,
}

/// Asks in plain HTTP, and in TLS where that brings no answer. Takes 5 seconds at most.
pub(crate) async fn spoken(host: &str, port: u16) -> Spoken {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    match exchange(host, port, request.as_bytes()).await {
        Ok(answer) if !answer.is_empty() => told(&answer),
        _ => match exchange(host, port, &client_hello()).await.unwrap_or_default()[..] {
            // A handshake or an alert: even a refusal is in TLS.
            [0x15 | 0x16, 0x03, ..] => Spoken::Tls,
            _ => Spoken::Nothing,
        },
    }
}

/// Reads the answer to plain HTTP.
fn told(answer: &[u8]) -> Spoken {
    if answer.starts_with(&[0x15, 0x03]) {
        return Spoken::Tls;
    }
    if !answer.starts_with(b"HTTP/") {
        return Spoken::Banner(answer.to_vec());
    }
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    if wants_tls(status.unwrap_or_default(), body) { Spoken::Tls } else { Spoken::Http }
}

/// Returns true for the refusals by which servers say that their port wants TLS.
pub(crate) fn wants_tls(status: u16, body: &str) -> bool {
    // Go: "Client sent an HTTP request to an HTTPS server."; nginx: "The plain HTTP request was sent to HTTPS port";
    // Apache: "You're speaking plain HTTP to an SSL-enabled server port."
    status == 400 && (body.contains("HTTPS") || body.contains("SSL-enabled server port"))
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
        assert_eq!(told(b"HTTP/1.1 200 OK\r\nServer: MinIO Console\r\n\r\n<!doctype"), Spoken::Http);
        assert_eq!(told(&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]), Spoken::Tls);
        for text in [
            "Client sent an HTTP request to an HTTPS server.\n",
            "<title>400 The plain HTTP request was sent to HTTPS port</title>",
            "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
        ] {
            assert_eq!(told(format!("HTTP/1.0 400 Bad Request\r\n\r\n{text}").as_bytes()), Spoken::Tls);
        }
        assert_eq!(told(b"SSH-2.0-OpenSSH_9.6\r\n"), Spoken::Banner(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()));
        assert_eq!(told(b"HTTP/1.1"), Spoken::Http);
    }

    #[test]
    fn the_hello_says_its_lengths() {
        let hello = client_hello();
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        assert_eq!(usize::from(u16::from_be_bytes([hello[7], hello[8]])), hello.len() - 9);
    }
}
