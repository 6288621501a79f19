//! A plain GET that tries a presigned URL as `curl` would: without credentials and without the S3 client.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::error::Error;

/// The most that is read of a response.
const LARGEST: u64 = 1024 * 1024;

/// How long the request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches the first byte of an `http://` URL, and returns the status; `None` for other schemes.
pub(crate) async fn first_byte(url: &str) -> Result<Option<u16>, Error> {
    let Ok(parsed) = Url::parse(url) else { return Ok(None) };
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else { return Ok(None) };
    if parsed.scheme() != "http" {
        return Ok(None);
    }
    // Without the query, which contains the signature.
    let shown = parsed[..url::Position::AfterPath].to_owned();
    let failed = |error: io::Error| Error::Fetch { url: shown.clone(), answer: error.to_string() };
    let target = &parsed[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = match parsed.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nRange: bytes=0-0\r\nConnection: close\r\n\r\n");
    let asked = async {
        let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LARGEST).read_to_end(&mut answer).await?;
        Ok(answer)
    };
    let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut));
    let answer = timeout(PATIENCE, asked).await.unwrap_or_else(late).map_err(failed)?;
    let head = String::from_utf8_lossy(&answer);
    // `HTTP/1.1 206 Partial Content`
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    match status {
        Some(status @ 200..300) => Ok(Some(status)),
        Some(status) => Err(Error::Fetch { url: shown, answer: format!("HTTP {status}") }),
        None => Err(Error::Fetch { url: shown, answer: "not HTTP".to_owned() }),
    }
}
