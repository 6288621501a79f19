//! Slow, large and numerous requests delay nothing else.

use std::time::Duration;

use hyper::Method;
use modeldepot_listen::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::place::{Place, bytes};

async fn impatient() -> Place {
    let patience = Duration::from_millis(300);
    let limits = Limits { head: patience, body: patience, answer: patience, idle: patience, ..Limits::default() };
    Place::with(|config| config.connections.limits = limits).await
}

/// Reads until the other side closes.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset connection is closed as well.
    let _ = stream.read_to_end(&mut all).await;
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_cut_off_and_others_are_answered_meanwhile() {
    let place = impatient().await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(place.address()).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").await.unwrap();
        slow.push(stream);
    }
    place.get("/healthz").await.is(200);
    for stream in slow {
        assert_eq!(String::from_utf8_lossy(&rest(stream).await), "", "no answer, only an end");
    }
    // One that drips is cut off as well: the limit is for the whole head. The pause makes it drip.
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    while stream.write_all(b"x: y\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // So is an idle connection.
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(rest(stream).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_cut_off_and_publishes_nothing() {
    let place = impatient().await;
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    let head = "PUT /api/v1/models/m/versions/1/files/f HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n123";
    stream.write_all(head.as_bytes()).await.unwrap();
    let told = rest(stream).await;
    assert!(told.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&told));
    place.get("/api/v1/models/m/versions").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_cut_off() {
    let place = impatient().await;
    // More than the buffers on both ends hold.
    place.push("m", "1", &[("f", &bytes(48 << 20))], json!({})).await;
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    let head = "GET /api/v1/models/m/versions/1/files/f?stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // Nothing is read until the service has closed the connection, which writing finds out.
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let came = rest(stream).await.len();
    assert!(came < 48 << 20, "{came} bytes came all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_requests_are_refused() {
    let place = Place::new().await;
    let large = format!("{{\"version\": \"{}\"}}", "x".repeat(2 << 20));
    let kind = [("content-type", "application/json")];
    let refused = place.send(Method::POST, "/api/v1/models/m/uploads", &kind, large.as_bytes()).await.is(413).json();
    assert_eq!(refused["kind"], "invalid");
    let mut stream = TcpStream::connect(place.address()).await.unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(500_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let told = rest(stream).await;
    assert!(told.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&told));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_its_rate() {
    let place = Place::with(|config| config.rate = std::num::NonZeroU32::new(5)).await;
    let mut refused = 0;
    for _ in 0..200 {
        let answer = place.get("/api/v1/version").await;
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), "1");
            refused += 1;
        }
    }
    assert!(refused > 0);
}
