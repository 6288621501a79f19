//! Publishing through the service, and deleting.

use hyper::Method;
use serde_json::json;

use crate::place::{Place, bytes, form};

const VERSIONS: &str = "/api/v1/models/plant/versions";

#[tokio::test(flavor = "multi_thread")]
async fn a_form_becomes_a_version() {
    let place = Place::new().await;
    let weights = bytes(20 << 20);
    let history = br#"{"val_accuracy": [0.7, 0.95, 0.9]}"#;
    let fields: [(&str, Option<&str>, &[u8]); 5] = [
        ("file", Some("weights/model.bin"), &weights),
        ("metadata", None, br#"{"architecture": "resnet18", "total_epochs": 30}"#),
        ("file", Some("training_history.json"), history),
        ("version", None, b"v1.0"),
        ("main", None, b"weights/model.bin"),
    ];
    let (kind, body) = form(&fields);
    let answer = place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await.is(201);
    let published = answer.json();
    let bytes = weights.len() + history.len();
    let foreign = json!({"objects": 0, "bytes": 0, "paths": []});
    let expected = json!({
        "model": "plant", "version": "1.0", "already": false, "model_file": "weights/model.bin", "files": 2,
        "bytes": bytes, "foreign": foreign,
    });
    assert_eq!(published, expected);
    let version = place.get(answer.header("location")).await.is(200).json();
    let metadata = json!({"best_epoch": 2, "val_accuracy": 0.95, "total_epochs": 30, "architecture": "resnet18"});
    assert_eq!(version["manifest"]["metadata"], metadata, "the history says some of it, what is given wins");
    assert_eq!(version["main"], "weights/model.bin");
    assert_eq!(version["manifest"]["history"], "training_history.json", "the one that the metadata comes from");
    let fetched = place.get(&format!("{VERSIONS}/1.0/files/weights/model.bin?stream")).await.is(200);
    assert!(fetched.body == weights);
    let again = place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await.is(200).json();
    assert_eq!(again["already"], true, "the same again is success");
    let (kind, body) = form(&[("file", Some("m"), b"other"), ("version", None, b"1.0")]);
    let refused = place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await.is(409).json();
    assert_eq!(refused["kind"], "conflict");
    let left = place.staged();
    assert!(left.is_empty(), "{left:?}");
}

/// Not a file whose name suggests a history if another is named; and the model file is detected by its name.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_that_was_named_is_the_one_that_is_drawn() {
    let place = Place::new().await;
    let (kind, body) = form(&[
        ("file", Some("training_history.json"), br#"{"val_accuracy": [0.1]}"#),
        ("file", Some("logs/metrics.json"), br#"{"val_accuracy": [0.7, 0.9, 0.8]}"#),
        ("file", Some("optimizer.pt"), &bytes(1000)),
        ("file", Some("model.safetensors"), b"weights"),
        ("history", None, b"logs/metrics.json"),
        ("version", None, b"1"),
    ]);
    let published = place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await.is(201).json();
    assert_eq!(published["model_file"], "model.safetensors");
    let version = place.get(&format!("{VERSIONS}/1")).await.is(200).json();
    assert_eq!(version["history"], "logs/metrics.json");
    assert_eq!(version["manifest"]["metadata"]["val_accuracy"], 0.9);
    let history = place.get(&format!("{VERSIONS}/1/history")).await.is(200).json();
    assert_eq!(history["total_epochs"], 3);
    // A file that is not a history is refused if it is named as one, and otherwise an ordinary file.
    let notes: [(&str, Option<&str>, &[u8]); 2] =
        [("file", Some("history.json"), b"\"it went well\""), ("file", Some("m.bin"), b"x")];
    let (kind, body) = form(&notes);
    place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await.is(201);
    let (kind, body) = form(&[notes[0], notes[1], ("history", None, b"history.json")]);
    let refused = place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await.is(400).json();
    assert_eq!(refused["kind"], "invalid", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_becomes_a_version() {
    let place = Place::new().await;
    // File systems do not support longer names, so nobody could fetch it.
    let long = "n".repeat(255);
    let longer = format!("deep/n{long}");
    let path = format!("{VERSIONS}/1/files/deep/{long}");
    let sent =
        place.send(Method::PUT, &path, &[("content-type", "application/octet-stream")], b"weights").await.is(201);
    assert_eq!(sent.header("location"), "/api/v1/models/plant/versions/1");
    let version = place.get("/api/v1/models/plant/versions/1").await.is(200).json();
    assert_eq!(
        (&version["files"][0]["path"], &version["files"][0]["size"]),
        (&json!(format!("deep/{long}")), &json!(7))
    );
    for path in ["../evil", "a//b", "manifest.json", "manifest.json/x", &longer, "a/%2e%2e/b"] {
        let path = format!("{VERSIONS}/2/files/{path}");
        let refused = place.send(Method::PUT, &path, &[], b"x").await;
        assert_eq!(refused.status.as_u16(), 400, "{path}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_forms_publish_nothing() {
    let place = Place::new().await;
    let ask = async |fields: &[(&str, Option<&str>, &[u8])]| {
        let (kind, body) = form(fields);
        let refused = place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await;
        assert!([400, 404, 409].contains(&refused.status.as_u16()), "{refused:?}");
    };
    ask(&[("version", None, b"1")]).await;
    ask(&[("file", Some("../../etc/passwd"), b"x")]).await;
    ask(&[("file", Some("/etc/passwd"), b"x")]).await;
    ask(&[("file", None, b"x")]).await;
    ask(&[("file", Some("a"), b"x"), ("file", Some("a"), b"y")]).await;
    ask(&[("file", Some("a"), b"x"), ("file", Some("a/b"), b"y")]).await;
    ask(&[("file", Some("a"), b"x"), ("metadata", None, b"[1]")]).await;
    ask(&[("file", Some("a"), b"x"), ("main", None, b"b")]).await;
    ask(&[("file", Some("a"), b"x"), ("history", None, b"b")]).await;
    ask(&[("file", Some("a"), b"x"), ("history", None, b"a")]).await;
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(70), "]".repeat(70));
    ask(&[("file", Some("a"), b"x"), ("metadata", None, deep.as_bytes())]).await;
    ask(&[("file", Some("optimizer.pt"), b"x"), ("file", Some("scheduler.pt"), b"x")]).await;
    ask(&[("file", Some("a"), b"x"), ("version", None, b"a b")]).await;
    ask(&[("file", Some("a"), b"x"), ("surprise", None, b"1")]).await;
    let (kind, body) = form(&[("file", Some("a"), b"x")]);
    place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body[..body.len() - 20]).await.is(400);
    place.send(Method::POST, VERSIONS, &[("content-type", "text/plain")], b"x").await.is(415);
    let models = place.get("/api/v1/models").await.is(200).json();
    assert_eq!(models, json!({"models": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_version_is_gone_at_once_and_its_name_retired() {
    let place = Place::new().await;
    place.push("plant", "1", &[("m", b"x")], json!({})).await;
    let path = format!("{VERSIONS}/1");
    place.get(&path).await.is(200);
    place.get(VERSIONS).await.is(200);
    place.send(Method::DELETE, &format!("{VERSIONS}/latest"), &[], b"").await.is(400);
    let deleted = place.send(Method::DELETE, &path, &[], b"").await.is(200).json();
    assert_eq!((&deleted["files"], &deleted["bytes"]), (&json!(1), &json!(1)));
    place.get(&path).await.is(410);
    let left = place.get(VERSIONS).await.is(200).json();
    assert_eq!((&left["of"], &left["versions"]), (&json!(0), &json!([])), "it had versions, and has none");
    place.get("/api/v1/models/plants/versions").await.is(404);
    assert_eq!(place.get("/api/v1/models").await.json(), json!({"models": []}));
    let refused = place.send(Method::PUT, &format!("{path}/files/m"), &[], b"x").await.is(409).json();
    assert!(refused["detail"].as_str().unwrap().contains("was deleted"), "{refused}");
}

/// A request that reads takes `latest` for the latest version; none publishes under that name, and a delete takes every
/// name as it is.
#[tokio::test(flavor = "multi_thread")]
async fn latest_is_no_name_of_a_new_version() {
    let place = Place::new().await;
    place.push("plant", "1.0", &[("m.bin", b"x")], json!({})).await;
    let expected =
        |name: &str| format!("`{name}` is not a version name: `plant@latest` already means the latest version");
    for name in ["latest", "Latest"] {
        let (kind, body) = form(&[("version", None, name.as_bytes()), ("file", Some("m.bin"), b"x")]);
        let sent = [
            place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await,
            place.send(Method::PUT, &format!("{VERSIONS}/{name}/files/m.bin"), &[], b"x").await,
            place
                .post("/api/v1/models/plant/uploads", &json!({"version": name, "files": [{"path": "m", "size": 1}]}))
                .await,
        ];
        for (at, answer) in sent.into_iter().enumerate() {
            let refused = answer.is(400).json();
            assert_eq!(refused["detail"], expected(name), "{refused}");
            // The path of a PUT needs a version.
            let hint = match at {
                1 => "write the name of the new version in place of `latest`",
                _ => "leave the version out to name it after the current time",
            };
            assert_eq!(refused["hint"], hint);
        }
        let refused = place.send(Method::DELETE, &format!("{VERSIONS}/{name}"), &[], b"").await.is(400).json();
        let detail = "name the version to delete: `plant@latest` can change in the meantime";
        assert_eq!(refused["detail"], detail, "{refused}");
    }
    place.get(&format!("{VERSIONS}/latest")).await.is(200);
}
