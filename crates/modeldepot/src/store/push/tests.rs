//! Which push continues which.

use std::path::{Path, PathBuf};

use super::*;
use crate::settings::Settings;
use crate::store::Scan;

/// A storage at this endpoint, bucket and prefix, to which nothing is sent.
async fn storage(endpoint: &str, bucket: &str, prefix: &str) -> ModelStorage {
    let mut settings = Settings::from_variables(|name| match name {
        "S3_ENDPOINT" => Some(endpoint.to_owned()),
        "S3_BUCKET_MODELS" => Some(bucket.to_owned()),
        _ => None,
    })
    .unwrap();
    settings.prefix = prefix.parse().unwrap();
    ModelStorage::open(&settings).await.unwrap()
}

const HERE: (&str, &str, &str) = ("http://127.0.0.1:1", "models", "");

/// An interrupted push continues only as the push of the same model, to the same place: the same version, or the same
/// file where none was named.
#[tokio::test]
async fn a_push_continues_no_other_push() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf {
        let path = folder.path().join("files").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, name).unwrap();
        path
    };
    let push = |model: &str, version: Option<&str>, path: &Path| {
        let source = Source::scan(&Scan::new(path)).unwrap();
        let mut push = Push::new(model.parse().unwrap(), source).state_folder(folder.path().join("state"));
        push.version = version.map(|version| version.parse().unwrap());
        push
    };
    let (a, other) = (file("a/m.bin"), file("b/m.bin"));
    file("a/config.json");
    let whole = a.parent().unwrap();
    let pushes = [
        (HERE, push("m", None, &a)),
        (HERE, push("m", None, &other)),
        (HERE, push("m", Some("1"), &a)),
        (HERE, push("m", Some("2"), &a)),
        (HERE, push("n", None, &a)),
        (("http://127.0.0.1:2", "models", ""), push("m", None, &a)),
        (("http://127.0.0.1:1", "others", ""), push("m", None, &a)),
        (("http://127.0.0.1:1", "models", "team"), push("m", None, &a)),
    ];
    let open = async |(endpoint, bucket, prefix), push: &Push| {
        let (state, entry) = storage(endpoint, bucket, prefix).await.resume_state(push).await;
        (state.unwrap(), entry)
    };
    for (number, (place, push)) in pushes.iter().enumerate() {
        let (mut state, entry) = open(*place, push).await;
        assert_eq!(entry, None, "{number}");
        let id = Uuid::from_u128(number as u128);
        state.write(&Entry { version: format!("20250101_00000{number}").parse().unwrap(), id }).unwrap();
    }
    for (number, (place, push)) in pushes.iter().enumerate() {
        let entry = open(*place, push).await.1.unwrap();
        assert_eq!(entry.id, Uuid::from_u128(number as u128));
    }
    // Its model file stands for a folder, and a version for all its files.
    assert_eq!(open(HERE, &push("m", None, whole)).await.1.unwrap().id, Uuid::from_u128(0));
    assert_eq!(open(HERE, &push("m", Some("1"), &other)).await.1.unwrap().id, Uuid::from_u128(2));
    // Without a folder, or in one that cannot be written to, nothing is kept.
    let mut without = push("m", None, &a);
    without.state_folder = None;
    let here = storage(HERE.0, HERE.1, HERE.2).await;
    assert!(matches!(here.resume_state(&without).await, (None, None)));
    assert!(matches!(here.resume_state(&without.clone().state_folder(&a)).await, (None, None)));
    // While a push runs, nobody else continues it.
    let (_running, _) = open(HERE, &push("m", None, &a)).await;
    assert!(matches!(here.resume_state(&push("m", None, &a)).await, (None, None)));
}
