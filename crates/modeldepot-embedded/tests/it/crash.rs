//! The server is killed in the middle of writes, many times.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use modeldepot_embedded::Server;

use crate::client::Client;
use crate::serve::{Process, blocking, config, files, until};

const ROUNDS: u64 = 12;

/// What is known about an object: the last number that was acknowledged, and the last that was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    acknowledged: Option<u64>,
    sent: u64,
}

type Ledger = Arc<Mutex<BTreeMap<String, Known>>>;

/// The content of a version of a key. It names the version and determines the length.
fn content(key: &str, number: u64) -> Vec<u8> {
    let mut state = key.bytes().fold(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x1000_0000_01b3)
    });
    let len = 8 + (state >> 20) % 400_000;
    let mut bytes = number.to_be_bytes().to_vec();
    while (bytes.len() as u64) < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes
}

fn note(ledger: &Ledger, key: &str, change: impl FnOnce(&mut Known)) {
    change(ledger.lock().unwrap().entry(key.to_owned()).or_default());
}

/// Puts until the server is gone: always new keys, or one key repeatedly.
fn put(address: SocketAddr, ledger: Ledger, stop: Arc<AtomicBool>, name: String, fresh: bool) -> JoinHandle<()> {
    thread::spawn(move || {
        let client = Client::new(address);
        for n in 0.. {
            let key = if fresh { format!("{name}-{n}") } else { name.clone() };
            let mut number = 0;
            note(&ledger, &key, |known| {
                known.sent += 1;
                number = known.sent;
            });
            match client.try_send("PUT", &format!("/models/{key}"), &[], &content(&key, number)) {
                Ok(answer) if answer.status == 200 => note(&ledger, &key, |known| known.acknowledged = Some(number)),
                _ => return,
            }
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    })
}

/// Uploads in parts until the server is gone.
fn upload(address: SocketAddr, ledger: Ledger, stop: Arc<AtomicBool>, name: String) -> JoinHandle<()> {
    thread::spawn(move || {
        let client = Client::new(address);
        let once = |key: &str| -> Option<bool> {
            let begun = client.try_send("POST", &format!("/models/{key}?uploads="), &[], b"").ok()?;
            let id = begun.element("UploadId")?;
            let target = format!("/models/{key}?partNumber=1&uploadId={id}");
            let part = client.try_send("PUT", &target, &[], &content(key, 1)).ok()?;
            let body = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
                part.header("etag")?
            );
            let target = format!("/models/{key}?uploadId={id}");
            Some(client.try_send("POST", &target, &[], body.as_bytes()).ok()?.status == 200)
        };
        for n in 0.. {
            let key = format!("{name}-{n}");
            note(&ledger, &key, |known| known.sent = 1);
            match once(&key) {
                Some(true) => note(&ledger, &key, |known| known.acknowledged = Some(1)),
                _ => return,
            }
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    })
}

fn check(client: &Client, ledger: &Ledger) {
    for (key, known) in ledger.lock().unwrap().iter_mut() {
        let answer = client.get(&format!("/models/{key}"));
        match answer.status {
            404 => assert_eq!(known.acknowledged, None, "{key} was acknowledged and is gone"),
            200 => {
                let number = u64::from_be_bytes(answer.body[..8].try_into().unwrap());
                // One that was sent but whose answer was lost may exist, if it is complete.
                assert!(known.acknowledged.is_none_or(|acknowledged| acknowledged <= number), "{key} went back");
                assert!(number <= known.sent, "{key} was never sent");
                assert!(answer.body == content(key, number), "{key} is not what was sent");
                known.acknowledged = Some(number);
            }
            other => panic!("{key}: {other}"),
        }
    }
}

#[tokio::test]
async fn killed_at_any_moment_it_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let ledger = Ledger::default();
    let known = Arc::clone(&ledger);
    blocking(move || {
        for round in 0..ROUNDS {
            let server = Process::start(&path);
            check(&server.client(), &known);
            let stop = Arc::new(AtomicBool::new(false));
            let mut writers: Vec<_> = (0..3)
                .map(|n| put(server.address, known.clone(), stop.clone(), format!("fresh-{round}-{n}"), true))
                .collect();
            writers.push(put(server.address, known.clone(), stop.clone(), "over-and-over".into(), false));
            writers.push(upload(server.address, known.clone(), stop.clone(), format!("parts-{round}")));
            // In the middle of writes, wherever they are once so many were acknowledged in this round.
            let acknowledged = || known.lock().unwrap().values().filter_map(|known| known.acknowledged).sum::<u64>();
            let before = acknowledged();
            until("an acknowledgement", || acknowledged() > before + round * 7 % 40);
            drop(server);
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().for_each(|writer| writer.join().unwrap());
        }
    })
    .await;

    let server = Server::start(config(folder.path())).await.unwrap();
    let client = Client::new(server.local_addr());
    let known = Arc::clone(&ledger);
    blocking(move || check(&client, &known)).await;
    let ledger = ledger.lock().unwrap().clone();
    let acknowledged: Vec<_> = ledger.iter().filter(|(_, known)| known.acknowledged.is_some()).collect();
    assert!(acknowledged.len() > ROUNDS as usize, "too little was written to mean anything: {}", acknowledged.len());
    let needed: usize = acknowledged.iter().map(|(key, _)| server.stored_files("models", key).unwrap().len()).sum();
    // Parts of unfinished uploads are kept: their client may come back.
    let client = Client::new(server.local_addr());
    let unfinished = blocking(move || client.get("/models?uploads=").text().matches("<Upload>").count()).await;
    let files = files(folder.path());
    assert!((needed..=needed + unfinished).contains(&files), "{files} files, {needed} needed, {unfinished} uploads");
}
