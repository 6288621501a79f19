//! Slow, large and numerous clients.

use std::io::{Read, Write};
use std::time::Duration;

use modeldepot_embedded::{Fault, Faults, Server};
use modeldepot_listen::{Limits, Listen};

use crate::client::{Client, read};
use crate::serve::{Running, blocking, config, settle_at};

const SHORT: Duration = Duration::from_millis(500);

async fn limited(limits: Limits, faults: Option<Faults>) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.faults = faults;
    let server = Server::start_with(config, Listen { limits, tls: None }).await.unwrap();
    let client = Client::new(server.local_addr());
    Running { server, client, folder }
}

#[tokio::test]
async fn a_put_that_stands_still_or_drips_ends_and_leaves_nothing() {
    let r = limited(Limits { body: SHORT, ..Limits::default() }, None).await;
    let (client, folder) = (r.client, r.folder);
    blocking(move || {
        for first in [1, 2_000_000] {
            let mut stream = client.connect().unwrap();
            stream.write_all(client.head("PUT", "/models/k", &[], 100_000_000).as_bytes()).unwrap();
            stream.write_all(&vec![b'x'; first]).unwrap();
            // Ten bytes a second, each in time. The pause makes it slow.
            let mut drips = 0;
            while drips < 1000 && stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
                drips += 1;
            }
            assert!(drips < 1000, "it goes on dripping");
        }
        let mut stream = client.connect().unwrap();
        stream.write_all(client.head("PUT", "/models/k", &[], 100).as_bytes()).unwrap();
        let answer = read(stream).unwrap();
        assert_eq!((answer.status, answer.code()), (400, "RequestTimeout".into()), "{}", answer.text());
        assert_eq!(client.get("/models/k").status, 404);
        settle_at(0, folder.path());
    })
    .await;
}

#[tokio::test]
async fn an_object_that_is_not_read_is_not_kept_waiting_for_ever() {
    let r = limited(Limits { answer: SHORT, ..Limits::default() }, None).await;
    let client = r.client;
    blocking(move || {
        assert_eq!(client.put("/models/k", &vec![7; 40 << 20]).status, 200);
        let mut stream = client.connect().unwrap();
        stream.write_all(client.head("GET", "/models/k", &[], 0).as_bytes()).unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
        // Nothing is read until the server has closed the connection, which writing finds out.
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut came = Vec::new();
        let _ = stream.read_to_end(&mut came);
        assert!(came.len() < 40 << 20, "all of it came after all");
        assert_eq!(client.get("/models/k").body.len(), 40 << 20);
    })
    .await;
}

#[tokio::test]
async fn a_head_has_its_size() {
    let r = limited(Limits::default(), None).await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        assert_eq!(client.send("GET", "/models/k", &[("x-large", &"y".repeat(60_000))], b"").status, 200);
        for size in [66_000, 100_000] {
            assert_eq!(client.send("GET", "/models/k", &[("x-large", &"y".repeat(size))], b"").status, 431);
        }
    })
    .await;
}

#[tokio::test]
async fn where_all_connections_are_at_work_the_next_is_told_to_slow_down() {
    let r = limited(Limits { connections: 4, crowded: 2, ..Limits::default() }, None).await;
    let client = r.client;
    blocking(move || {
        client.put("/models/k", b"x");
        let puts: Vec<_> = (0..4)
            .map(|n| {
                let mut stream = client.connect().unwrap();
                let waits = [("expect", "100-continue")];
                stream.write_all(client.head("PUT", &format!("/models/{n}"), &waits, 10).as_bytes()).unwrap();
                // The request is in progress once it asks for more.
                stream.read_exact(&mut [0; 12]).unwrap();
                stream
            })
            .collect();
        for _ in 0..5 {
            let answer = client.get("/models/k");
            assert_eq!((answer.status, answer.code()), (503, "SlowDown".into()));
        }
        drop(puts);
        while client.get("/models/k").status != 200 {}
    })
    .await;
}

#[tokio::test]
async fn a_client_that_waits_for_its_answer_is_not_slow() {
    let limits = Limits { body: SHORT, answer: SHORT, head: SHORT, idle: SHORT, ..Limits::default() };
    let faults = Faults::new(7).with(Fault::Delay, 1.0).longest_delay(Duration::from_secs(6));
    let r = limited(limits, Some(faults)).await;
    let client = r.client;
    blocking(move || {
        for n in 0..5 {
            assert_eq!(client.put(&format!("/models/{n}"), b"x").status, 200);
        }
    })
    .await;
}
