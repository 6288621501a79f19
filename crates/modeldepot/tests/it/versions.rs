//! Which version a push takes when none is named, and what it reports about others.

use modeldepot::{Error, Progress, Published, Push};

use crate::backend::{Backend, push};

async fn published(b: &Backend, version: Option<&str>) -> Published {
    let file = b.file("m.bin", b"weights");
    b.storage.push(push("m", version, &file, &[]), &Progress::none()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_without_a_version_takes_no_retired_second() {
    let b = Backend::embedded().await;
    for second in ["20251028_181858", "20251028_181859", "20251028_181900"] {
        assert_eq!(published(&b, None).await.manifest.version.as_str(), second);
        b.storage.delete(&"m".parse().unwrap(), &second.parse().unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_without_a_version_passes_the_seconds_that_others_hold() {
    let b = Backend::embedded().await;
    let hold = async |second: &str, number: u8| {
        let key = format!(".depot/leases/m/{second}/00000000-0000-7000-8000-00000000000{number}.json");
        b.put(&key, br#"{"tool": "another", "begun": "2025-10-28T18:18:58Z", "at_work": true}"#).await;
    };
    // It comes third, and so passes two seconds.
    hold("20251028_181858", 1).await;
    hold("20251028_181858", 2).await;
    hold("20251028_181900", 1).await;
    assert_eq!(published(&b, None).await.manifest.version.as_str(), "20251028_181901");
    // One that names its version does not pass it.
    let file = b.file("m.bin", b"weights");
    let named: Push = push("m", Some("20251028_181858"), &file, &[]);
    let error = b.storage.push(named, &Progress::none()).await.unwrap_err();
    assert!(matches!(&error, Error::VersionBusy { by, .. } if by == "another"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_reports_a_later_version() {
    let b = Backend::embedded().await;
    let later = async |version: &str| {
        let published = published(&b, Some(version)).await;
        (published.already, published.latest.map(|latest| latest.to_string()))
    };
    let some = |version: &str| Some(version.to_owned());
    assert_eq!(later("2").await, (false, None));
    assert_eq!(later("1").await, (false, some("2")));
    assert_eq!(later("1").await, (true, some("2")));
    assert_eq!(later("2").await, (true, None), "it is the latest itself");
    assert_eq!(later("3").await, (false, None));
    // Deleted and unpublished versions do not count.
    b.storage.delete(&"m".parse().unwrap(), &"3".parse().unwrap()).await.unwrap();
    b.put("m/v4/m.bin", b"of a push that died").await;
    assert_eq!(later("1.5").await, (false, some("2")));
    assert_eq!(published(&b, None).await.latest, None, "a version that was not named is meant to be the latest");
}
