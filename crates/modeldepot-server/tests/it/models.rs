//! Models, versions, comparisons.

use serde_json::{Value, json};

use crate::place::{Place, urlencoded};

const HISTORY: &[u8] = br#"{"train_loss": [0.9, 0.4, 0.3], "val_accuracy": [0.7, 0.95, 0.9]}"#;

async fn three() -> Place {
    let place = Place::new().await;
    for (version, accuracy, architecture) in [("1.0", 0.8, "resnet18"), ("1.9", 0.95, "resnet50"), ("1.10", 0.9, "vit")]
    {
        let weights = format!("weights of {version}");
        let files: [(&str, &[u8]); 2] = [("model.bin", weights.as_bytes()), ("config.json", b"{}")];
        let metadata = json!({"val_accuracy": accuracy, "architecture": architecture, "classes": ["a", "b"]});
        place.push("plant", version, &files, metadata).await;
    }
    place.push("whale", "7", &[("w.bin", b"w"), ("training_history.json", HISTORY)], json!({})).await;
    place
}

fn names(page: &Value) -> Vec<&str> {
    page["versions"].as_array().unwrap().iter().map(|row| row["version"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn models_and_their_versions() {
    let place = three().await;
    let models = place.get("/api/v1/models").await.is(200).json();
    assert_eq!(models["models"][0]["name"], "plant");
    assert_eq!((&models["models"][0]["latest"], &models["models"][0]["versions"]), (&json!("1.10"), &json!(3)));
    assert_eq!(models["models"][1]["name"], "whale");
    let page = place.get("/api/v1/models/plant/versions").await.is(200).json();
    assert_eq!(names(&page), ["1.10", "1.9", "1.0"], "the latest first");
    let facts = json!({"val_accuracy": 0.9, "architecture": "vit"});
    assert_eq!(page["versions"][0]["metadata"], facts, "numbers and texts, no lists");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_sorted_filtered_and_paged() {
    let place = three().await;
    let ask = async |query: &str| place.get(&format!("/api/v1/models/plant/versions?{query}")).await.is(200).json();
    let page = ask("sort=-val_accuracy").await;
    assert_eq!((names(&page), &page["known"]), (vec!["1.9", "1.10", "1.0"], &json!(3)));
    assert_eq!(names(&ask("sort=architecture").await), ["1.0", "1.9", "1.10"]);
    assert_eq!(page.get("unknown_fields"), None);
    let page = ask("sort=nothing").await;
    assert_eq!(names(&page), ["1.10", "1.9", "1.0"], "what nobody has sorts nothing");
    assert_eq!(page["unknown_fields"], json!(["nothing"]));
    let filter = |text: &str| format!("filter={}", urlencoded(text));
    assert_eq!(names(&ask(&filter("val_accuracy>=0.9")).await), ["1.10", "1.9"]);
    let both = format!("{}&{}", filter("val_accuracy>=0.9"), filter("architecture!=vit"));
    let page = ask(&both).await;
    assert_eq!((names(&page), &page["total"], &page["of"]), (vec!["1.9"], &json!(1), &json!(3)));
    assert_eq!(names(&ask(&filter("version>=1.9")).await), ["1.10", "1.9"], "as versions, not as numbers");
    let page = ask(&filter("unknown>0")).await;
    assert_eq!((names(&page), &page["unknown_fields"]), (vec![], &json!(["unknown"])));
    let page = ask("per_page=2&page=2").await;
    assert_eq!((names(&page), &page["page"], &page["total"]), (vec!["1.0"], &json!(2), &json!(3)));
    assert_eq!(names(&ask("page=99").await), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_its_manifest_and_its_history() {
    let place = three().await;
    let answer = place.get("/api/v1/models/plant/versions/latest").await.is(200);
    let version = answer.json();
    assert_eq!((&version["version"], &version["main"]), (&json!("1.10"), &json!("model.bin")));
    assert_eq!(version["manifest"]["metadata"]["classes"], json!(["a", "b"]));
    assert_eq!(version["files"].as_array().unwrap().len(), 2);
    let etag = [("if-none-match", answer.header("etag"))];
    let path = "/api/v1/models/plant/versions/v1.10";
    let again = place.send(hyper::Method::GET, path, &etag, b"").await.is(304);
    assert!(again.body.is_empty());
    let whale = place.get("/api/v1/models/whale/versions/7").await.is(200).json();
    assert_eq!(whale["history"], "training_history.json");
    let history = place.get("/api/v1/models/whale/versions/latest/history").await.is(200).json();
    assert_eq!((&history["best_epoch"], &history["total_epochs"]), (&json!(2.0), &json!(3)));
    assert_eq!(history["epochs"][1]["values"]["val_accuracy"], 0.95);
    place.get("/api/v1/models/plant/versions/1.0/history").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_side_by_side() {
    let place = three().await;
    let found = place.get("/api/v1/models/plant/compare?version=1.0&version=latest").await.is(200).json();
    assert_eq!(found["versions"], json!(["1.0", "1.10"]));
    let accuracy = &found["metadata"]["val_accuracy"];
    assert_eq!(*accuracy, json!({"values": [0.8, 0.9], "differs": true, "metric": true}));
    assert_eq!(found["metadata"]["classes"]["differs"], false);
    assert_eq!(found["files"]["model.bin"]["differs"], true);
    assert_eq!(found["files"]["config.json"]["differs"], false);
    place.get("/api/v1/models/plant/compare?version=1.0").await.is(400);
    place.get("/api/v1/models/plant/compare?version=1.0&version=2.0").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_original_wrote() {
    let place = Place::new().await;
    let (client, bucket) = (place.storage.client(), place.storage.bucket());
    let put = async |key: &str, bytes: &'static [u8]| {
        let bytes = bytes::Bytes::from_static(bytes);
        client.put_small(bucket, key, bytes, "application/octet-stream").await.unwrap();
    };
    put("plant/v20251028_181858/best_model.pth", b"weights").await;
    put("plant/v20251028_181858/training_history.json", HISTORY).await;
    let manifest = br#"{"model_name": "plant", "version": "20251028_181858",
        "model_file": "plant/v20251028_181858/best_model.pth", "model_url": "",
        "checksum": "14e1ab62f9b8b3d5c3f3c2b1e5cd5ea0", "metadata": {"val_accuracy": 0.95},
        "created_at": "2025-10-28T18:19:00.455545"}"#;
    put("plant/v20251028_181858/manifest.json", manifest).await;
    let page = place.get("/api/v1/models/plant/versions?sort=-val_accuracy").await.is(200).json();
    assert_eq!(page["versions"][0]["metadata"]["val_accuracy"], 0.95);
    let version = place.get("/api/v1/models/plant/versions/latest").await.is(200).json();
    assert_eq!((version["files"].as_array().unwrap().len(), &version["history"]), (2, &json!("training_history.json")));
    place.get("/api/v1/models/plant/versions/latest/history").await.is(200);
    // The checksum does not match: the file is withheld, and the answer says why.
    let refused = place.get("/api/v1/models/plant/versions/latest/files/best_model.pth").await.is(502);
    assert_eq!(refused.json()["kind"], "corrupt");
    place.get("/api/v1/models/plant/versions/latest/files/training_history.json").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_itself() {
    let place = Place::new().await;
    assert_eq!(place.get("/healthz").await.is(200).json()["status"], "ok");
    place.get("/readyz").await.is(200);
    let version = place.get("/api/v1/version").await.is(200).json();
    assert_eq!((&version["api"], &version["read_only"]), (&json!("v1"), &json!(false)));
    place.get("/api/v1/models/nothing/versions").await.is(404);
    let metrics = place.get("/metrics").await.is(200);
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    let counted = "modeldepot_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1";
    assert!(text.contains(counted) && text.ends_with("# EOF\n"), "{text}");
    assert!(!text.contains("nothing"), "names are for nobody to count");
    let page = place.get("/docs").await.is(200);
    let csp = page.header("content-security-policy").to_owned();
    assert!(csp.contains("script-src 'self'") && !csp.contains("unsafe"), "{csp}");
    assert_eq!(place.get("/api/v1/openapi.json").await.is(200).json()["openapi"], "3.1.0");
    place.s3.unwrap().stop().await.unwrap();
}
