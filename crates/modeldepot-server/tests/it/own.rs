//! Objects that modeldepot did not create are kept and listed; files removed by others are noticed.

use hyper::Method;
use modeldepot_server::{Scope, Tokens};
use serde_json::json;

use crate::place::{Place, form};

const VERSIONS: &str = "/api/v1/models/m/versions";

async fn put(place: &Place, key: &str) {
    let body = bytes::Bytes::from_static(b"somebody's");
    place.storage.client().put_small(place.storage.bucket(), key, body, "x/y").await.unwrap();
}

async fn lose(place: &Place, key: &str) {
    place.storage.client().delete_object(place.storage.bucket(), key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_objects_are_named_and_left() {
    let place = Place::new().await;
    put(&place, "m/v1/notes.onnx").await;
    let (kind, body) = form(&[("version", None, b"1"), ("file", Some("w.bin"), b"weights")]);
    let published = place.send(Method::POST, VERSIONS, &[("content-type", &kind)], &body).await.is(201).json();
    let foreign = json!({"objects": 1, "bytes": 10, "paths": ["notes.onnx"]});
    assert_eq!(published["foreign"], foreign);
    let listed = place.get(VERSIONS).await.is(200).json();
    assert_eq!((&listed["versions"][0]["files"], &listed["versions"][0]["size"]), (&json!(1), &json!(7)));
    let deleted = place.send(Method::DELETE, &format!("{VERSIONS}/1"), &[], b"").await.is(200).json();
    assert_eq!((&deleted["files"], &deleted["foreign"]), (&json!(1), &foreign));
    assert!(place.storage.client().object_exists(place.storage.bucket(), "m/v1/notes.onnx").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_files_show_in_lists_and_pages() {
    let place = Place::new().await;
    for version in ["1", "2", "3"] {
        place.push("m", version, &[("w.bin", b"weights"), ("h.txt", b"x")], json!({})).await;
    }
    for key in ["m/v1/w.bin", "m/v1/h.txt", "m/v2/h.txt", "m/v3/h.txt"] {
        lose(&place, key).await;
    }
    let listed = place.get(VERSIONS).await.is(200).json();
    let damaged: Vec<_> = listed["versions"].as_array().unwrap().iter().map(|row| row["damaged"].clone()).collect();
    assert_eq!(damaged, [true, true, true], "the manifests were read for the metadata");
    let one = place.get(&format!("{VERSIONS}/2")).await.is(200).json();
    assert_eq!(one["damaged"], json!([{"path": "h.txt", "size": 1}]));
    let latest = place.get(&format!("{VERSIONS}/latest")).await.is(200).json();
    assert_eq!((&latest["version"], latest["damaged"].as_array().unwrap().len()), (&json!("3"), 1));
    // The console shows it before anyone fetches the version.
    for (path, expected) in [("/models/m", ">damaged<"), ("/models/m/versions/3", "This version is damaged")] {
        let page = place.get(path).await.is(200);
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(text.contains(expected), "{path}: {text}");
    }
    let models = place.get("/api/v1/models").await.is(200).json();
    assert_eq!(models["models"][0]["latest_damaged"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_lost_later_shows_as_well() {
    let place = Place::new().await;
    place.push("m", "1", &[("w.bin", b"weights"), ("h.txt", b"x")], json!({})).await;
    let path = format!("{VERSIONS}/1");
    assert_eq!(place.get(&path).await.is(200).json()["damaged"], json!([]));
    lose(&place, "m/v1/h.txt").await;
    let begun = std::time::Instant::now();
    while place.get(&path).await.is(200).json()["damaged"] == json!([]) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "it never shows");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_shared_bucket_delete_nothing_that_is_another_depots() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = Tokens::add(&tokens, "ana", Scope::Delete).unwrap();
    let place = Place::with(|config| {
        config.tokens = Some(tokens.clone());
        config.settings.prefix = "team".parse().unwrap();
    })
    .await;
    // At the root of the bucket; the service uses the folder `team`.
    place.push("m", "1", &[("w.bin", b"weights")], json!({})).await;
    put(&place, "notes.txt").await;
    put(&place, "team/notes.txt").await;
    let bearer = format!("Bearer {token}");
    let page = format!("/buckets/{}", place.storage.bucket());
    let ask = async |method, path: &str, body: &[u8]| {
        let kind = "application/x-www-form-urlencoded";
        place.send(method, path, &[("authorization", &bearer), ("content-type", kind)], body).await
    };
    let delete = format!("{page}/delete");
    for key in ["m%2Fv1%2Fw.bin", "m%2Fv1%2Fmanifest.json", ".depot%2Fprobe.json"] {
        ask(Method::POST, &delete, format!("key={key}").as_bytes()).await.is(409);
    }
    let chosen = async |path: &str| {
        let page = ask(Method::GET, path, b"").await.is(200);
        String::from_utf8(page.body.to_vec()).unwrap().matches("type=\"checkbox\" name=\"key\"").count()
    };
    assert_eq!(chosen(&page).await, 0, "what lies beside the service's folder is somebody else's");
    assert_eq!(chosen(&format!("{page}?prefix=team%2F")).await, 1);
    ask(Method::POST, &delete, b"key=team%2Fnotes.txt").await.is(303);
    assert_eq!(chosen(&format!("{page}?prefix=team%2F")).await, 0);
}
