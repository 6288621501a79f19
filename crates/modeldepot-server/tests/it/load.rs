//! Many requests at once: every answer is right.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use crate::place::{Place, bytes};

const CLIENTS: usize = 16;
const REQUESTS: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_right_under_load() {
    let place = Arc::new(Place::new().await);
    let file = bytes(3 << 20);
    for version in 0..10 {
        place.push("m", &version.to_string(), &[("f", &file)], json!({"n": version})).await;
    }
    let clients = (0..CLIENTS).map(|client| {
        let (place, file) = (Arc::clone(&place), file.clone());
        tokio::spawn(async move {
            for request in 0..REQUESTS {
                let version = (client + request) % 10;
                let path = format!("/api/v1/models/m/versions/{version}");
                match (client + request) % 8 {
                    0..=2 => {
                        let found = place.get(&path).await.is(200).json();
                        assert_eq!(found["manifest"]["metadata"]["n"], version);
                    }
                    3..=4 => {
                        let from = (request * 70_000) % file.len();
                        let to = (from + 100_000).min(file.len());
                        let range = format!("bytes={from}-{}", to - 1);
                        let path = format!("{path}/files/f");
                        let part = place.send(Method::GET, &path, &[("range", &range)], b"").await.is(206);
                        assert!(part.body == file[from..to]);
                    }
                    5..=6 => {
                        let page = place.get("/api/v1/models/m/versions?sort=-n&per_page=1").await.is(200).json();
                        assert_eq!(page["versions"][0]["version"], "9");
                    }
                    _ => {
                        let path = format!("/api/v1/models/new-{client}/versions/{request}/files/f");
                        place.send(Method::PUT, &path, &[], path.as_bytes()).await.is(201);
                        assert_eq!(place.get(&path).await.is(200).body, path.as_bytes());
                    }
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let models = place.get("/api/v1/models").await.is(200).json();
    assert_eq!(models["models"].as_array().unwrap().len(), CLIENTS + 1);
}
