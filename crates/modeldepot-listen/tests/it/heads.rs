//! Heads of requests.

use std::time::Duration;

use modeldepot_listen::Limits;
use tokio::io::AsyncWriteExt as _;

use crate::stage::{Stage, answered, later, rest, short};

#[tokio::test]
async fn a_head_has_its_size() {
    let stage = Stage::with(Limits::default()).await;
    let head = |size: usize| {
        let start = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: ";
        format!("{start}{}\r\n\r\n", "y".repeat(size - start.len() - 4))
    };
    let limit = Limits::default().longest_head;
    let largest = rest(stage.say(&head(limit - 1)).await).await;
    assert!(largest.starts_with("HTTP/1.1 200"), "{largest}");
    for size in [limit + 1, limit + 100, 100_000, 500_000] {
        let told = rest(stage.say(&head(size)).await).await;
        assert!(told.starts_with("HTTP/1.1 431"), "{size}: {told}");
    }
    // Many small lines that add up to a large head.
    let many: String = (0..10_000).map(|n| format!("x{n}: y\r\n")).collect();
    let told = rest(stage.say(&format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n")).await).await;
    assert!(told.starts_with("HTTP/1.1 431"), "{told}");
}

#[tokio::test]
async fn a_head_that_stands_still_or_drips_ends() {
    let stage = Stage::with(short()).await;
    assert_eq!(rest(stage.connect().await).await, "", "nothing at all");
    assert_eq!(rest(stage.say("GET / HT").await).await, "");
    let mut drips = stage.say("GET / HTTP/1.1\r\n").await;
    while drips.write_all(b"x: y\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test]
async fn a_connection_may_be_kept_but_not_for_ever() {
    let stage =
        Stage::with(Limits { head: Duration::from_secs(600), idle: Duration::from_millis(300), ..short() }).await;
    let kept = stage.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(rest(kept).await.starts_with("HTTP/1.1 200"));
    // The second request's head has the time limit of a head, too.
    let limits = Limits { head: Duration::from_millis(300), idle: Duration::from_secs(600), ..short() };
    let stage = Stage::with(limits).await;
    let mut kept = stage.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answered(&mut kept).await.starts_with("HTTP/1.1 200"));
    later(Duration::from_secs(1)).await;
    kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(rest(kept).await.matches("HTTP/1.1 200").count(), 1, "it may be idle for longer than a head takes");
    let mut kept = stage.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answered(&mut kept).await.starts_with("HTTP/1.1 200"));
    later(Duration::from_millis(500)).await;
    kept.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(kept).await, "");
}
