//! More connections than the limit.

use modeldepot_listen::Limits;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::stage::{Stage, rest};

fn small() -> Limits {
    Limits { connections: 10, crowded: 3, ..Limits::default() }
}

/// Begins requests that stay in progress, and waits until they do.
async fn busy(stage: &Stage, count: usize) -> Vec<TcpStream> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut stream = stage.say("GET /bulk HTTP/1.1\r\nhost: x\r\n\r\n").await;
        stream.read_exact(&mut [0; 12]).await.unwrap();
        all.push(stream);
    }
    all
}

#[tokio::test]
async fn connections_that_ask_nothing_keep_nobody_out() {
    let stage = Stage::with(small()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(stage.say("GET / HTTP/1.1\r\nx: y").await);
        let told = stage.ask("/").await;
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    }
    for stream in silent.drain(..35) {
        assert_eq!(rest(stream).await, "", "the oldest made room");
    }
}

#[tokio::test]
async fn where_all_are_at_work_the_next_is_told_so_and_nothing_blocks() {
    let stage = Stage::with(small()).await;
    let busy = busy(&stage, 10).await;
    for _ in 0..20 {
        let told = stage.ask("/").await;
        assert!(told.starts_with("HTTP/1.1 503") && told.contains("connection: close"), "{told}");
    }
    // A service may still answer a crowded request.
    let told = stage.ask("/refuse").await;
    assert!(told.starts_with("HTTP/1.1 401"), "{told}");
    // Crowded connections make room, too.
    let silent = [stage.connect().await, stage.connect().await, stage.connect().await, stage.connect().await];
    assert!(stage.ask("/").await.starts_with("HTTP/1.1 503"));
    drop((silent, busy));
    loop {
        if stage.ask("/").await.starts_with("HTTP/1.1 200") {
            break;
        }
        tokio::task::yield_now().await;
    }
}
