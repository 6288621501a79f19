//! Conditional writes.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};

use modeldepot_embedded::Server;

use crate::client::Client;
use crate::serve::{blocking, config, running, settle_at};

#[tokio::test(flavor = "multi_thread")]
async fn of_64_racing_creates_one_wins() {
    let r = running().await;
    let address = r.server.local_addr();
    let folder = r.folder.path().to_owned();
    blocking(move || {
        for round in 0..3 {
            let start = Arc::new(Barrier::new(64));
            let racers: Vec<_> = (0..64)
                .map(|n| {
                    let start = Arc::clone(&start);
                    std::thread::spawn(move || {
                        let body = format!("racer {n}");
                        start.wait();
                        let target = format!("/models/race{round}");
                        let answer =
                            Client::new(address).send("PUT", &target, &[("if-none-match", "*")], body.as_bytes());
                        (answer.status, answer.code(), body)
                    })
                })
                .collect();
            let results: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
            let winners: Vec<_> = results.iter().filter(|(status, ..)| *status == 200).collect();
            assert_eq!(winners.len(), 1);
            assert!(
                results
                    .iter()
                    .all(|(status, code, _)| *status == 200 || (*status, code.as_str()) == (412, "PreconditionFailed"))
            );
            let stored = Client::new(address).get(&format!("/models/race{round}"));
            assert_eq!(stored.text(), winners[0].2);
        }
        settle_at(3, &folder);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_swaps_lose_no_update() {
    let r = running().await;
    let address = r.server.local_addr();
    blocking(move || {
        let client = Client::new(address);
        client.put("/models/counter", b"0");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(move || {
                    let client = Client::new(address);
                    let mut added = 0;
                    while added < 5 {
                        let now = client.get("/models/counter");
                        let next = (now.text().parse::<u32>().unwrap() + 1).to_string();
                        let tag = now.header("etag").unwrap();
                        let answer = client.send("PUT", "/models/counter", &[("if-match", tag)], next.as_bytes());
                        added += u32::from(answer.status == 200);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(client.get("/models/counter").text(), "40");
    })
    .await;
}

fn verdicts(client: &Client) -> BTreeMap<&'static str, (u16, String)> {
    let send = |method: &str, key: &str, header: (&str, &str)| {
        let answer = client.send(method, &format!("/models/{key}"), &[header], b"x");
        (answer.status, answer.code())
    };
    let copy = |header: (&str, &str)| {
        let headers = [("x-amz-copy-source", "/models/there"), header];
        let answer = client.send("PUT", "/models/there2", &headers, b"");
        (answer.status, answer.code())
    };
    client.put("/models/there", b"old");
    client.put("/models/there2", b"old");
    BTreeMap::from([
        ("create of existing", send("PUT", "there", ("if-none-match", "*"))),
        ("swap of other", send("PUT", "there", ("if-match", "\"00000000000000000000000000000000\""))),
        ("swap of missing", send("PUT", "none", ("if-match", "\"x\""))),
        ("copy over existing", copy(("if-none-match", "*"))),
        ("copy over other", copy(("if-match", "\"x\""))),
        ("delete of other", send("DELETE", "there", ("if-match", "\"x\""))),
        ("delete of this", send("DELETE", "there2", ("if-match", "*"))),
    ])
}

#[tokio::test]
async fn what_conditions_answer() {
    let r = running().await;
    let client = r.client;
    let verdicts = blocking(move || verdicts(&client)).await;
    let failed = || (412, "PreconditionFailed".to_owned());
    assert_eq!(
        verdicts,
        BTreeMap::from([
            ("create of existing", failed()),
            ("swap of other", failed()),
            ("swap of missing", (404, "NoSuchKey".into())),
            ("copy over existing", failed()),
            ("copy over other", failed()),
            ("delete of other", failed()),
            ("delete of this", (204, String::new())),
        ])
    );
}

#[tokio::test]
async fn a_server_told_to_ignore_conditions_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.ignore_conditions = true;
    let server = Server::start(config).await.unwrap();
    let client = Client::new(server.local_addr());
    let verdicts = blocking(move || verdicts(&client)).await;
    assert!(verdicts.values().all(|(status, _)| *status < 300), "{verdicts:?}");
}
