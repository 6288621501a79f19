//! Buckets shared with the Python pipeline.

use std::path::PathBuf;
use std::process::Command;

use modeldepot::{Error, Mismatch, Progress, Selector};

use crate::backend::{Backend, bytes, push};

const MANIFEST: &str = r#"{
  "model_name": "plant_classifier",
  "version": "20251028_181858",
  "model_file": "plant_classifier/v20251028_181858/best_model.pth",
  "model_url": "http://localhost:9000/models/...",
  "checksum": "900150983cd24fb0d6963f7d28e17f72",
  "metadata": {"architecture": "resnet18"},
  "created_at": "2025-10-28T18:19:00.455545",
  "a_field_of_tomorrow": true
}"#;

pub(crate) async fn its_versions_are_read_and_verified(b: Backend) {
    let prefix = "plant_classifier/v20251028_181858";
    b.put(&format!("{prefix}/best_model.pth"), b"abc").await;
    b.put(&format!("{prefix}/training_history.json"), b"{}").await;
    b.put(&format!("{prefix}/manifest.json"), MANIFEST.as_bytes()).await;
    let selector: Selector = "plant_classifier".parse().unwrap();

    let verified = b.storage.verify(&selector, &Progress::none()).await.unwrap();
    assert_eq!((verified.files, verified.unverified.len(), verified.bytes), (2, 1, 5));
    let fetched = b.pull(&selector.to_string(), "out").await.unwrap();
    assert_eq!(std::fs::read(&fetched.model_path).unwrap(), b"abc");
    assert_eq!(std::fs::read(b.path("out/training_history.json")).unwrap(), b"{}");
    assert_eq!(std::fs::read(b.path("out/manifest.json")).unwrap(), MANIFEST.as_bytes(), "byte for byte");

    b.put(&format!("{prefix}/best_model.pth"), b"abd").await;
    for error in [
        b.storage.verify(&selector, &Progress::none()).await.unwrap_err(),
        b.pull(&selector.to_string(), "other").await.unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::Damaged { mismatch: Mismatch::Digest { algorithm: "MD5", .. }, .. }),
            "{error:?}"
        );
    }
    assert!(!b.path("other").exists());
    b.client().delete_object(b.bucket(), &format!("{prefix}/best_model.pth")).await.unwrap();
    let error = b.storage.verify(&selector, &Progress::none()).await.unwrap_err();
    assert!(error.to_string().contains("is missing from the bucket"), "{error:?}");
}

/// Runs the project's boto3 script, which uses the Python pipeline's layout.
fn python(b: &Backend, args: &[&str]) -> std::process::Output {
    let tools = PathBuf::from(std::env::var_os("MODELDEPOT_TOOLS").expect("MODELDEPOT_TOOLS names no folder"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/original_pipeline.py");
    let endpoint = b.client().endpoint();
    Command::new(tools.join("venv/bin/python"))
        .arg(script)
        .args(args)
        .env("S3_ENDPOINT", endpoint)
        .env("S3_BUCKET_MODELS", b.bucket().as_str())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs boto3: run by `cargo xtask test`"]
async fn outside_boto3_reads_what_we_wrote_and_we_read_what_it_wrote() {
    let b = Backend::embedded().await;
    let (ours, theirs) = (bytes(20 << 20, 1), bytes(20 << 20, 2));
    let (model, history) = (b.file("best_model.pth", &ours), b.file("training_history.json", b"{}"));
    b.storage.push(push("plant", Some("1.0"), &model, &[history]), &Progress::none()).await.unwrap();
    let out = b.path("python");
    let run = python(&b, &["pull", "plant", "1.0", out.to_str().unwrap()]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(std::fs::read(out.join("best_model.pth")).unwrap() == ours);
    assert_eq!(std::fs::read(out.join("training_history.json")).unwrap(), b"{}");

    b.file("best_model.pth", &theirs);
    let run = python(&b, &["push", model.to_str().unwrap(), "plant", "20251028_181858"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let latest: Selector = "plant".parse().unwrap();
    let fetched = b.pull(&latest.to_string(), "rust").await.unwrap();
    assert_eq!(fetched.manifest.version.as_str(), "20251028_181858");
    assert!(std::fs::read(fetched.model_path).unwrap() == theirs);
    assert_eq!(b.storage.versions(&"plant".parse().unwrap()).await.unwrap().len(), 2);

    // It refuses a copy that differs from what we published.
    b.put("plant/v1.0/best_model.pth", &bytes(20 << 20, 3)).await;
    let run = python(&b, &["pull", "plant", "1.0", out.to_str().unwrap()]);
    assert!(!run.status.success() && String::from_utf8_lossy(&run.stderr).contains("best_model.pth"));
}
