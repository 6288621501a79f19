//! Planned faults, as a client sees them.

use std::io;
use std::time::{Duration, Instant};

use modeldepot_embedded::{Fault, Faults, Server};

use crate::client::{Answer, Client};
use crate::serve::{Running, blocking, config};

async fn failing(faults: Faults) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.faults = Some(faults);
    let server = Server::start(config).await.unwrap();
    let client = Client::new(server.local_addr());
    Running { server, client, folder }
}

/// A plan in which one fault hits the first request of each kind.
fn first(fault: Fault) -> Faults {
    Faults::new(7).with(fault, 1.0).times(1)
}

fn hits(server: &Server) -> Vec<(Fault, String)> {
    server.faults_hit().into_iter().map(|hit| (hit.fault, hit.request)).collect()
}

fn put(client: &Client) -> io::Result<Answer> {
    client.try_send("PUT", "/models/k", &[], b"bytes")
}

/// Applies a fault to a PUT. Returns its outcome and the status of a GET afterwards.
async fn put_under(fault: Fault) -> (io::Result<Answer>, u16) {
    let r = failing(first(fault).only("PUT /models/k")).await;
    let client = r.client;
    let outcome = blocking(move || (put(&client), client.get("/models/k").status)).await;
    assert_eq!(hits(&r.server), [(fault, "PUT /models/k".to_owned())]);
    outcome
}

#[tokio::test]
async fn a_dropped_request_did_nothing_and_a_dropped_answer_did() {
    let (sent, found) = put_under(Fault::DropBefore).await;
    assert!(sent.is_err() && found == 404, "{sent:?} {found}");
    let (sent, found) = put_under(Fault::DropAfter).await;
    assert!(sent.is_err() && found == 200, "{sent:?} {found}");
}

#[tokio::test]
async fn refusals_are_those_of_s3_and_nothing_was_done() {
    for (fault, status, code) in [
        (Fault::InternalError, 500, "InternalError"),
        (Fault::Unavailable, 503, "ServiceUnavailable"),
        (Fault::SlowDown, 503, "SlowDown"),
    ] {
        let (sent, found) = put_under(fault).await;
        let sent = sent.unwrap();
        assert_eq!((sent.status, sent.code().as_str(), found), (status, code, 404));
        assert_eq!(sent.header("server"), Some("modeldepot-embedded"));
    }
}

#[tokio::test]
async fn a_conflict_befalls_conditional_writes_only() {
    let r = failing(Faults::new(7).with(Fault::Conflict, 1.0).times(2)).await;
    let client = r.client;
    blocking(move || {
        assert_eq!(put(&client).unwrap().status, 200);
        let create = || client.send("PUT", "/models/k", &[("if-none-match", "*")], b"others");
        let refused = create();
        assert_eq!((refused.status, refused.code().as_str()), (409, "ConditionalRequestConflict"));
        assert_eq!(create().status, 412);
        assert_eq!(client.get("/models/k").body, b"bytes");
    })
    .await;
    assert_eq!(hits(&r.server), [(Fault::Conflict, "PUT /models/k".to_owned())]);
}

#[tokio::test]
async fn a_cut_body_ends_after_its_head_and_before_its_end() {
    let r = failing(first(Fault::CutBody)).await;
    let client = r.client;
    blocking(move || {
        let bytes = vec![7; 2_000_000];
        assert_eq!(client.put("/models/k", &bytes).status, 200);
        let cut = client.try_send("GET", "/models/k", &[], b"").unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(client.get("/models/k").body, bytes);
        // Listings are cut off as well.
        assert!(client.try_send("GET", "/models?list-type=2", &[], b"").is_err());
        assert_eq!(client.get("/models?list-type=2").element("KeyCount").as_deref(), Some("1"));
        assert_eq!(client.send("HEAD", "/models/k", &[], b"").status, 200, "what has no body cannot break off");
    })
    .await;
    let listing = "GET /models?list-type=2".to_owned();
    assert_eq!(hits(&r.server), [(Fault::CutBody, "GET /models/k".to_owned()), (Fault::CutBody, listing)]);
}

#[tokio::test]
async fn what_arrives_of_a_cut_body_is_a_part_of_it() {
    let r = failing(Faults::new(3).with(Fault::CutBody, 1.0).only("GET")).await;
    let client = r.client;
    let arrived = blocking(move || {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(client.put("/models/k", &bytes).status, 200);
        let lengths = (0..8).map(|_| {
            use std::io::{Read as _, Write as _};
            let mut stream = client.connect().unwrap();
            stream.write_all(client.head("GET", "/models/k", &[], 0).as_bytes()).unwrap();
            let mut read = Vec::new();
            // The connection may be reset; what arrived before counts.
            let _ = stream.read_to_end(&mut read);
            let start = read.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
            assert!(bytes.starts_with(&read[start..]));
            read.len() - start
        });
        lengths.collect::<Vec<_>>()
    })
    .await;
    assert!(arrived.iter().all(|len| *len < 3_000_000) && arrived.iter().any(|len| *len > 0), "{arrived:?}");
}

#[tokio::test]
async fn one_bit_of_an_object_flips_and_nothing_else_does() {
    let r = failing(first(Fault::FlipBit)).await;
    let client = r.client;
    blocking(move || {
        let bytes = vec![7; 2_000_000];
        assert_eq!(client.put("/models/k", &bytes).status, 200);
        let other = client.get("/models/k").body;
        let flipped: u32 = other.iter().zip(&bytes).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((other.len(), flipped), (bytes.len(), 1));
        assert_eq!(client.get("/models/k").body, bytes);
        assert_eq!(client.get("/models?list-type=2").element("KeyCount").as_deref(), Some("1"));
        assert_eq!(client.get("/models/none").code(), "NoSuchKey");
    })
    .await;
    assert_eq!(hits(&r.server), [(Fault::FlipBit, "GET /models/k".to_owned())]);
}

#[tokio::test]
async fn a_delay_delays() {
    let r = failing(Faults::new(1).with(Fault::Delay, 1.0).longest_delay(Duration::from_millis(400))).await;
    let client = r.client;
    let began = Instant::now();
    blocking(move || assert!((0..8).all(|_| put(&client).unwrap().status == 200))).await;
    assert!(began.elapsed() > Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(r.server.faults_hit().len(), 8);
}

#[tokio::test]
async fn a_seed_does_the_same_again() {
    let run = async |seed| {
        let plan = Faults::new(seed).with(Fault::DropBefore, 0.3).with(Fault::SlowDown, 0.3);
        let r = failing(plan).await;
        let client = r.client;
        blocking(move || (0..30).for_each(|n| drop(client.try_send("PUT", &format!("/models/{}", n % 5), &[], b""))))
            .await;
        hits(&r.server)
    };
    assert_eq!(run(5).await, run(5).await);
    assert_ne!(run(5).await, run(6).await);
}

#[tokio::test]
async fn healed_it_fails_no_more() {
    let r = failing(Faults::new(1).with(Fault::Unavailable, 1.0)).await;
    let client = r.client;
    let client = blocking(move || {
        assert_eq!(put(&client).unwrap().status, 503);
        client
    })
    .await;
    r.server.heal();
    blocking(move || assert_eq!(put(&client).unwrap().status, 200)).await;
    assert_eq!(r.server.faults_hit().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_it_leaves_clients_without_an_answer_and_the_folder_free() {
    use std::io::Write as _;
    let r = failing(Faults::new(1)).await;
    let (client, address) = (r.client, r.server.local_addr());
    let body = vec![7; 4_000_000];
    let mut half = blocking(move || {
        assert_eq!(client.put("/models/k", b"bytes").status, 200);
        let mut stream = client.connect().unwrap();
        stream.write_all(client.head("PUT", "/models/half", &[], body.len()).as_bytes()).unwrap();
        stream.write_all(&body[..2_000_000]).unwrap();
        stream
    })
    .await;
    let began = Instant::now();
    r.server.kill().await;
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for the request");
    assert!(blocking(move || half.write_all(&[7; 2_000_000]).is_err() || crate::client::read(half).is_err()).await);

    let mut again = config(r.folder.path());
    again.listen = address;
    let server = Server::start(again).await.unwrap();
    let client = Client::new(server.local_addr());
    blocking(move || {
        assert_eq!(client.get("/models/k").body, b"bytes");
        assert_eq!(client.get("/models/half").status, 404);
    })
    .await;
}
