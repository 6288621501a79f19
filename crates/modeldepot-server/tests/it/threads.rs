//! Many large uploads at once, with few blocking threads: the service does not deadlock.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::place::{Place, bytes, form};

/// Generous: it fails by deadlock, not by slowness.
const PATIENCE: Duration = Duration::from_secs(240);

const UPLOADS: usize = 6;

/// Each of two parts.
const FILES: [&str; 3] = ["a.bin", "b.bin", "c.bin"];

#[test]
fn many_large_uploads_pass_with_few_threads_that_may_block() {
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(3).enable_all().build().unwrap();
    let work = async {
        let place = Arc::new(Place::new().await);
        let weights = bytes(8_400_000);
        let uploads = (0..UPLOADS).map(|upload| {
            let (place, weights) = (Arc::clone(&place), weights.clone());
            tokio::spawn(async move {
                let version = upload.to_string();
                let mut fields: Vec<(&str, Option<&str>, &[u8])> =
                    FILES.iter().map(|name| ("file", Some(*name), weights.as_slice())).collect();
                fields.push(("version", None, version.as_bytes()));
                let (kind, body) = form(&fields);
                let versions = "/api/v1/models/m/versions";
                place.send(Method::POST, versions, &[("content-type", &kind)], &body).await.is(201);
                let path = format!("{versions}/{version}/files/b.bin?stream");
                assert!(place.get(&path).await.is(200).body == weights);
            })
        });
        for upload in uploads.collect::<Vec<_>>() {
            upload.await.unwrap();
        }
        place.get("/api/v1/models").await.is(200);
    };
    let passed = runtime.block_on(async { timeout(PATIENCE, work).await });
    runtime.shutdown_background();
    passed.expect("it stands still");
}
