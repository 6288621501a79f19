//! The bucket is the source of truth: changes made elsewhere appear.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::place::{Answer, Place};

const VERSIONS: &str = "/api/v1/models/m/versions";

/// Asks until the answer is as expected. The limit only ends a hanging test.
async fn until(place: &Place, path: &str, expected: impl Fn(&Answer) -> bool) {
    let begun = Instant::now();
    loop {
        let answer = place.get(path).await;
        if expected(&answer) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_and_deleted_elsewhere_shows() {
    let place = Place::new().await;
    place.push("m", "1", &[("f", b"x")], json!({"val_accuracy": 0.5})).await;
    place.get(VERSIONS).await.is(200);
    place.get("/api/v1/models/m/versions/latest").await.is(200);
    place.push("m", "2", &[("f", b"y")], json!({"val_accuracy": 0.7})).await;
    until(&place, VERSIONS, |answer| answer.json()["of"] == 2).await;
    until(&place, "/api/v1/models/m/versions/latest", |answer| answer.json()["version"] == "2").await;
    until(&place, "/api/v1/models", |answer| answer.json()["models"][0]["versions"] == 2).await;
    let version = "2".parse().unwrap();
    place.get("/api/v1/models/m/versions/2").await.is(200);
    place.storage.delete(&"m".parse().unwrap(), &version).await.unwrap();
    until(&place, "/api/v1/models/m/versions/2", |answer| answer.status == 410).await;
    until(&place, VERSIONS, |answer| answer.json()["of"] == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_cannot_be_used_spoils_no_table() {
    let place = Place::new().await;
    place.push("m", "1", &[("f", b"x")], json!({"val_accuracy": 0.5})).await;
    let body = bytes::Bytes::from_static(b"{}");
    place.storage.client().put_small(place.storage.bucket(), "m/v2/manifest.json", body, "x/y").await.unwrap();
    let page = place.get(&format!("{VERSIONS}?sort=-val_accuracy")).await.is(200).json();
    assert_eq!((&page["versions"][0]["version"], &page["versions"][1]["metadata"]), (&json!("1"), &json!({})));
    assert_eq!(place.get("/api/v1/models/m/versions/2").await.is(502).json()["kind"], "corrupt");
}
