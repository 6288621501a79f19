//! Bodies and answers that stall.

use std::time::{Duration, Instant};

use modeldepot_listen::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stage::{Stage, answered, closed, rest, short};

const TAKE: &str = "POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";

#[tokio::test]
async fn a_body_that_stands_still_or_drips_ends() {
    let stage = Stage::with(short()).await;
    let told = rest(stage.say(TAKE).await).await;
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    // A byte every 50 ms is 20 bytes a second.
    let mut drips = stage.say(TAKE).await;
    let mut sent = 0;
    while sent < 1000 && drips.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        sent += 1;
    }
    assert!(sent < 1000, "it dripped on");
    // A fast start earns no credit.
    let mut drips = stage.say(TAKE).await;
    drips.write_all(&[b'x'; 500_000]).await.unwrap();
    let mut sent = 0;
    while sent < 1000 && drips.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        sent += 1;
    }
    assert!(sent < 1000, "it dripped on");
}

#[tokio::test]
async fn a_slow_body_that_keeps_the_pace_arrives() {
    let limits = Limits { body: Duration::from_secs(5), ..short() };
    let stage = Stage::with(limits).await;
    let mut slow =
        stage.say("POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 20480\r\nconnection: close\r\n\r\n").await;
    for _ in 0..20 {
        slow.write_all(&[b'x'; 1024]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told = rest(slow).await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
}

#[tokio::test]
async fn a_client_that_waits_for_the_server_may_wait() {
    let stage = Stage::with(short()).await;
    let told = stage.ask("/think").await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
}

#[tokio::test]
async fn an_answer_that_is_not_read_ends() {
    let stage = Stage::with(short()).await;
    let mut stands = stage.say("GET /bulk HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut first = [0; 12];
    stands.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    closed(&mut stands).await;
    let came = rest(stands).await.len();
    assert!(came < 64 << 20, "{came} bytes came all the same");
    // One that reads slowly but steadily gets everything.
    let mut slow = stage.say("GET /bulk HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let (mut came, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        match slow.read(&mut piece).await.unwrap() {
            0 => break,
            bytes => came += bytes,
        }
        // What makes it slow.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(came > 64 << 20, "{came}");
}

#[tokio::test]
async fn who_is_refused_while_sending_gets_to_read_why() {
    let stage = Stage::with(Limits::default()).await;
    for _ in 0..20 {
        let mut stream = stage.say("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n").await;
        // It may not be read completely.
        let _ = stream.write_all(&vec![b'x'; 4_000_000]).await;
        let told = rest(stream).await;
        assert!(told.starts_with("HTTP/1.1 401"), "{told}");
    }
}

#[tokio::test]
async fn a_service_may_end_a_connection_without_an_answer() {
    let stage = Stage::with(Limits::default()).await;
    assert_eq!(stage.ask("/drop").await, "");
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_waits_for_nobody_else() {
    let mut stage = Stage::with(Limits { stop: Duration::from_secs(60), ..Limits::default() }).await;
    let (silent, partial) = (stage.connect().await, stage.say("GET / HT").await);
    let mut kept = stage.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answered(&mut kept).await.starts_with("HTTP/1.1 200"));
    let thinks = stage.say("GET /think HTTP/1.1\r\nhost: x\r\n\r\n").await;
    stage.thinks().await;
    let begun = Instant::now();
    stage.serving.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(30), "it waited for clients that ask nothing");
    assert!(rest(thinks).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(kept).await, "", "it is closed after its answer");
    assert_eq!(rest(silent).await + &rest(partial).await, "");
}

#[tokio::test]
async fn killing_answers_nobody() {
    let mut stage = Stage::with(Limits::default()).await;
    let thinks = stage.say("GET /think HTTP/1.1\r\nhost: x\r\n\r\n").await;
    stage.thinks().await;
    stage.serving.kill().await;
    assert_eq!(rest(thinks).await, "");
}
