//! Verifications and their events.

use std::pin::Pin;

use hyper::Method;
use serde_json::{Value, json};

use crate::place::{Place, begin, bytes};

/// Reads events until the final one.
async fn events(place: &Place, id: &str) -> Vec<(String, Value)> {
    let answer = place.get(&format!("/api/v1/jobs/{id}/events")).await.is(200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let events = text.split("\n\n").filter_map(|event| {
        let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
        Some((name.to_owned(), serde_json::from_str(data).unwrap()))
    });
    events.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_verified_while_one_watches() {
    let place = Place::new().await;
    let large = bytes(20 << 20);
    place.push("m", "1", &[("model.bin", &large), ("config.json", b"{}")], json!({})).await;
    let begun = place.post("/api/v1/models/m/versions/latest/verify", &Value::Null).await.is(202);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(begun.header("location"), format!("/api/v1/jobs/{id}"));
    let seen = events(&place, &id).await;
    let (name, last) = seen.last().unwrap();
    assert_eq!((name.as_str(), &last["state"], &last["files_done"]), ("end", &json!("verified"), &json!(2)));
    assert_eq!((&last["bytes_done"], &last["unverified"]), (&json!((20 << 20) + 2), &json!(0)));
    assert!(seen[..seen.len() - 1].iter().all(|(name, _)| name == "progress"));
    let again = events(&place, &id).await;
    assert_eq!(again.len(), 1, "who comes late hears how it ended");
    assert_eq!(place.get(&format!("/api/v1/jobs/{id}")).await.is(200).json(), *last);
    place.get("/api/v1/jobs/00000000-0000-0000-0000-000000000000/events").await.is(404);
    place.post("/api/v1/models/m/versions/2/verify", &Value::Null).await.is(404);
}

/// A version of the Python pipeline, or of anyone who writes a line of JSON.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_digest_is_not_called_verified() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let manifest = br#"{"model_name": "m", "version": "1", "model_file": "m/v1/m.onnx"}"#;
    for (key, bytes) in [("m/v1/m.onnx", &b"weights"[..]), ("m/v1/manifest.json", manifest)] {
        let (path, client) = (folder.path().join("file"), place.storage.client());
        std::fs::write(&path, bytes).unwrap();
        client.upload_file(&path, place.storage.bucket(), key, &Default::default(), |_| {}).await.unwrap();
    }
    let document = place.get("/api/v1/models/m/versions/1").await.is(200).json();
    assert_eq!(document["unverified"], 1);
    let begun = place.post("/api/v1/models/m/versions/1/verify", &Value::Null).await.is(202);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let (_, last) = events(&place, &id).await.pop().unwrap();
    assert_eq!((&last["state"], &last["unverified"]), (&json!("unverified"), &json!(1)));
    assert_eq!(last["unverified_files"], json!(["m.onnx"]));
    let page = place.get(&format!("/models/m/versions/1/verify?job={id}")).await.is(200);
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(page.contains("Not verified: 1 of 1 file"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told() {
    let place = Place::new().await;
    place.push("m", "1", &[("model.bin", b"weights")], json!({})).await;
    let body = bytes::Bytes::from_static(b"WEIGHTS");
    place.storage.client().put_small(place.storage.bucket(), "m/v1/model.bin", body, "x/y").await.unwrap();
    let begun = place.post("/api/v1/models/m/versions/1/verify", &Value::Null).await.is(202).json();
    let seen = events(&place, begun["id"].as_str().unwrap()).await;
    let last = &seen.last().unwrap().1;
    assert_eq!((&last["state"], &last["problem"]["kind"]), (&json!("failed"), &json!("corrupt")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_goes_away_stops_nothing() {
    let place = Place::new().await;
    place.push("m", "1", &[("model.bin", &bytes(20 << 20))], json!({})).await;
    let begun = place.post("/api/v1/models/m/versions/1/verify", &Value::Null).await.is(202).json();
    let id = begun["id"].as_str().unwrap();
    for _ in 0..20 {
        let path = format!("/api/v1/jobs/{id}/events");
        let mut body = begin(place.address(), Method::GET, &path, &[], b"").await.into_body();
        let first = std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await;
        assert!(first.unwrap().unwrap().is_data());
    }
    let (name, last) = events(&place, id).await.pop().unwrap();
    assert_eq!((name.as_str(), &last["state"]), ("end", &json!("verified")));
}
