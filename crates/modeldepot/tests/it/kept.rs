//! What a pull that fails leaves for the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use modeldepot::{Event, ModelStorage, Progress, Pull};

use crate::backend::{Backend, bytes, push};
use crate::misbehaving::{Act, Misbehaving};

/// The length of a part of a small file.
const PART: usize = 8 << 20;

/// An answer with the bytes of a range, or fewer than it declares.
fn part(content: &[u8], first: usize, end: usize, brings: &[u8]) -> Act {
    let headers = vec![
        ("etag", "\"e\"".to_owned()),
        ("content-range", format!("bytes {first}-{}/{}", end - 1, content.len())),
        ("content-length", (end - first).to_string()),
    ];
    Act::Close(206, headers, brings.to_vec())
}

/// Two parts of three have landed when the third fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_pull_keeps_what_another_may_complete() {
    type Third = fn(&[u8], usize) -> Act;
    let cases: [(&str, bool, Third); 4] = [
        ("the server is busy", true, |_, _| {
            let body = b"<Error><Code>SlowDown</Code><Message>m</Message></Error>";
            Act::Answer(503, vec![("retry-after", "20".to_owned())], body.to_vec())
        }),
        // One copy of several may be cut off.
        ("it ends after two bytes", true, |content, first| {
            let end = (2 * PART + 2).max(first);
            part(content, first, content.len(), &content[first..end])
        }),
        ("it is forbidden", false, |_, _| Act::refuse(403, "AccessDenied")),
        ("it has other bytes", false, |content, first| {
            part(content, first, content.len(), &[7; 5][first - 2 * PART..])
        }),
    ];
    let content = bytes(2 * PART + 5, 1);
    let b = Backend::embedded().await;
    let file = b.file("m.bin", &content);
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    for (n, (what, kept, third)) in cases.into_iter().enumerate() {
        let landed = Arc::new(AtomicU64::new(0));
        let (sum, served) = (Arc::clone(&landed), content.clone());
        let server = Misbehaving::before(b.client().endpoint(), move |asked| match asked.range() {
            Some((first, _)) if asked.is("GET", "/m.bin") && first >= 2 * PART as u64 => {
                tokio::task::block_in_place(|| {
                    while sum.load(Ordering::Relaxed) < 2 * PART as u64 {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                });
                third(&served, first as usize)
            }
            Some((first, last)) if asked.is("GET", "/m.bin") => {
                let (first, end) = (first as usize, last as usize + 1);
                part(&served, first, end, &served[first..end])
            }
            _ => Act::Pass,
        })
        .await;
        let failing = server.settings(Duration::from_secs(2));
        let mut settings = b.settings.clone().timeouts(failing.timeouts);
        settings.endpoint = failing.endpoint;
        let storage = ModelStorage::open(&settings).await.unwrap();
        let folder = format!("out-{n}");
        let pull = Pull::new("m@1".parse().unwrap(), b.path(&folder));
        let progress = Progress::new(move |event| {
            if let Event::Moved { bytes, .. } = event {
                landed.fetch_add(bytes, Ordering::Relaxed);
            }
        });
        let error = storage.pull(&pull, &progress).await.unwrap_err();
        assert_eq!(b.path(&format!("{folder}/.modeldepot-staging")).exists(), kept, "{what}: {error:?}");
        assert!(!b.path(&format!("{folder}/m.bin")).exists(), "{what}");
        let fetched = b.pull("m@1", &folder).await.unwrap();
        assert_eq!(fetched.kept, if kept { 2 * PART as u64 } else { 0 }, "{what}");
        assert!(std::fs::read(&fetched.model_path).unwrap() == content, "{what}");
    }
}
