//! Checks of concurrent and interrupted pushes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use modeldepot::advice::Advice;
use modeldepot::{Error, ErrorKind, Event, ModelStorage, Progress, Published, Pull, Result};

use crate::backend::{Backend, bytes, push};

const RACERS: u64 = 12;

/// Pushes different bytes under one model from many storages at once, as many processes would.
async fn race(b: &Backend, version: Option<&'static str>) -> Vec<Result<Published>> {
    // Probed before the race, so that the pushes race and not the probes.
    b.storage.probe().await.unwrap();
    let racers = (0..RACERS).map(|n| {
        let file = b.file(&format!("racer-{n}/m.bin"), &bytes(100_000, n + 1));
        let settings = b.settings.clone();
        tokio::spawn(async move {
            let storage = ModelStorage::open(&settings).await.unwrap();
            storage.push(push("m", version, &file, &[]), &Progress::none()).await
        })
    });
    futures_util::future::join_all(racers.collect::<Vec<_>>()).await.into_iter().map(|r| r.unwrap()).collect()
}

pub(crate) async fn racing_pushers_of_one_version_have_one_winner(b: Backend) {
    let outcomes = race(&b, Some("1")).await;
    let winners: Vec<_> = outcomes.iter().enumerate().filter(|(_, o)| o.is_ok()).map(|(n, _)| n as u64).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    for error in outcomes.iter().filter_map(|o| o.as_ref().err()) {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    }
    let fetched = b.pull("m@1", "out").await.unwrap();
    assert!(std::fs::read(fetched.model_path).unwrap() == bytes(100_000, winners[0] + 1), "not the winner's bytes");
    assert_eq!(b.keys().await, ["m/v1/m.bin", "m/v1/manifest.json"], "nobody's lease is left");
}

pub(crate) async fn racing_automatic_pushers_get_a_version_each(b: Backend) {
    let outcomes = race(&b, None).await;
    let versions: BTreeSet<_> = outcomes.iter().map(|o| o.as_ref().unwrap().manifest.version.to_string()).collect();
    assert_eq!(versions.len(), RACERS as usize, "{versions:?}");
    assert!(versions.iter().all(|version| version.as_str() >= "20251028_181858"), "none from before: {versions:?}");
    for version in versions {
        b.storage.verify(&format!("m@{version}").parse().unwrap(), &Progress::none()).await.unwrap();
    }
    assert!(b.keys().await.iter().all(|key| key.starts_with("m/")), "nobody's lease is left");
}

/// Pushes and kills the push, like kill -9, once `enough` bytes are confirmed.
async fn cut_off(b: &Backend, request: modeldepot::Push, enough: u64) {
    let storage = ModelStorage::open(&b.settings).await.unwrap();
    let (reached, mut wait) = tokio::sync::mpsc::unbounded_channel();
    let sum = AtomicU64::new(0);
    let progress = Progress::new(move |event| {
        if let Event::Moved { bytes, .. } = event
            && sum.fetch_add(bytes, Ordering::Relaxed) + bytes >= enough
        {
            let _ = reached.send(());
        }
    });
    let pushing = tokio::spawn(async move { storage.push(request, &progress).await });
    wait.recv().await.unwrap();
    pushing.abort();
    assert!(pushing.await.is_err(), "the push was to be cut off");
}

pub(crate) async fn an_interrupted_push_resumes(b: Backend) {
    let (size, part) = (40 << 20, 8 << 20);
    let file = b.file("m.bin", &bytes(size, 1));
    let history = b.file("h.json", b"{}");
    let request =
        || push("m", Some("1"), &file, std::slice::from_ref(&history)).state_folder(b.path("state")).copies(false);
    cut_off(&b, request(), 2 * part).await;
    assert_eq!(b.storage.models().await.unwrap(), []);
    // Without the resume state, another pusher must assume that the push may still be alive.
    let other = b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap_err();
    assert!(matches!(other, Error::VersionBusy { .. }), "{other:?}");
    let published = b.storage.push(request(), &Progress::none()).await.unwrap();
    assert!(published.kept >= 2 * part, "{} bytes were kept", published.kept);
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
    assert_eq!(b.keys().await, ["m/v1/h.json", "m/v1/m.bin", "m/v1/manifest.json"]);
    assert_eq!(b.client().list_multipart_uploads(b.bucket(), "m/v1/m.bin").await.unwrap(), []);
    assert_eq!(std::fs::read_dir(b.path("state")).unwrap().count(), 0, "the journal is closed");
    // Other bytes under the same name are another push, whatever parts exist.
    let request = || push("m", Some("2"), &file, &[]).state_folder(b.path("state")).copies(false);
    cut_off(&b, request(), 2 * part).await;
    b.file("m.bin", &bytes(size, 2));
    let published = b.storage.push(request(), &Progress::none()).await.unwrap();
    assert_eq!(published.kept, 0);
    b.storage.verify(&"m@2".parse().unwrap(), &Progress::none()).await.unwrap();
}

pub(crate) async fn an_interrupted_push_without_a_version_resumes_the_same_one(b: Backend) {
    let part = 8 << 20;
    let file = b.file("m.bin", &bytes(40 << 20, 1));
    let request = |seconds: u64| {
        let mut push = push("m", None, &file, &[]);
        push.created = push.created.map(|created| created + std::time::Duration::from_secs(seconds));
        push.state_folder = Some(b.path("state"));
        push
    };
    cut_off(&b, request(0), 2 * part).await;
    let published = b.storage.push(request(60), &Progress::none()).await.unwrap();
    assert!(published.kept >= 2 * part, "{} bytes were kept", published.kept);
    assert_eq!(published.manifest.version.as_str(), "20251028_181858");
    let next = b.storage.push(request(120), &Progress::none()).await.unwrap();
    assert_eq!(next.manifest.version.as_str(), "20251028_182058", "a finished push is not resumed");
}

pub(crate) async fn a_living_pusher_is_not_disturbed(b: Backend) {
    let file = b.file("large/m.bin", &bytes(40 << 20, 1));
    let other = b.file("other/m.bin", b"other");
    let rival = ModelStorage::open(&b.settings).await.unwrap();
    rival.probe().await.unwrap();
    let outcome = Arc::new(Mutex::new(None));
    let (kept, runtime) = (Arc::clone(&outcome), tokio::runtime::Handle::current());
    // In the middle of the push another one starts, also with an explicit version.
    let progress = Progress::new(move |event| {
        let mut outcome = kept.lock().unwrap();
        if outcome.is_none() && matches!(event, Event::Moved { .. }) {
            let (rival, push) = (rival.clone(), push("m", Some("1"), &other, &[]));
            *outcome = Some(runtime.spawn(async move { rival.push(push, &Progress::none()).await }));
        }
    });
    b.storage.push(push("m", Some("1"), &file, &[]), &progress).await.unwrap();
    let rival = outcome.lock().unwrap().take().unwrap();
    assert_eq!(rival.await.unwrap().unwrap_err().kind(), ErrorKind::Conflict);
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
}

pub(crate) async fn the_probe_finds_what_this_server_does(b: Backend) {
    let probed = b.storage.probe().await.unwrap();
    assert_eq!(probed.capabilities, b.on.does);
    assert_eq!(b.keys().await, [""; 0], "the probe cleans up");
    let uploads = b.client().list_multipart_uploads(b.bucket(), "").await.unwrap();
    assert!(uploads.is_empty(), "the probe cleans up: {uploads:?}");
    let harmless = b.on.does.unsigned_headers.are_harmless();
    match b.storage.check_upload_urls().await {
        Ok(()) => assert!(harmless),
        Err(error) => assert!(!harmless && matches!(error.advice(None), Some(Advice::AvoidUploadUrls)), "{error:?}"),
    }
    let other = ModelStorage::open(&b.settings).await.unwrap();
    assert_eq!(other.last_probe().await.unwrap(), Some(probed), "kept in the bucket for others");
    b.put(".depot/probe.json", b"{\"probed_at\": \"2020-01-01T00:00:00Z\"}").await;
    assert_eq!(other.last_probe().await.unwrap(), None, "an old or broken record is not trusted");
}

pub(crate) async fn an_interrupted_pull_resumes(b: Backend) {
    // More parts than are fetched at once, so that an interruption after two of them is far from the end.
    let (size, part) = (80usize << 20, 8u64 << 20);
    let content = bytes(size, 1);
    let file = b.file("m.bin", &content);
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    // Interrupted, like kill -9, after two parts are complete.
    let (reached, mut wait) = tokio::sync::mpsc::unbounded_channel();
    let sum = AtomicU64::new(0);
    let progress = Progress::new(move |event| {
        if let Event::Moved { bytes, .. } = event
            && sum.fetch_add(bytes, Ordering::Relaxed) + bytes >= 2 * part
        {
            let _ = reached.send(());
        }
    });
    let pull = Pull::new("m".parse().unwrap(), b.path("out"));
    let (settings, request) = (b.settings.clone(), pull.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let pulling =
        runtime.spawn(async move { ModelStorage::open(&settings).await.unwrap().pull(&request, &progress).await });
    wait.recv().await.unwrap();
    // Everything ends with its runtime, which lets writes that are in progress complete.
    tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    assert!(pulling.await.is_err(), "the pull was to be cut off");
    let names = || -> Vec<String> {
        let names = std::fs::read_dir(b.path("out")).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names(), [".modeldepot-staging"]);
    let staging = b.path("out/.modeldepot-staging");

    // Local data is not trusted: a byte changed on disk in the meantime costs its range, and no more.
    let staged = std::fs::read_dir(&staging).unwrap().next().unwrap().unwrap().path();
    let mut landed = std::fs::read(&staged).unwrap();
    let same = |n: &usize| landed.chunks(part as usize).nth(*n) == content.chunks(part as usize).nth(*n);
    let there: Vec<usize> = (0..size / part as usize).filter(same).collect();
    assert!(there.len() >= 2, "{there:?}");
    landed[there[0] * part as usize + 77] ^= 1;
    std::fs::write(&staged, &landed).unwrap();

    let fetched = b.storage.pull(&pull, &Progress::none()).await.unwrap();
    assert!(std::fs::read(&fetched.model_path).unwrap() == content);
    assert_eq!(fetched.kept, (there.len() as u64 - 1) * part, "of {there:?}");
    let mut left = names();
    left.sort();
    assert_eq!(left, ["m.bin", "manifest.json"]);

    // Damage in the bucket leaves nothing to resume from.
    let mut flipped = content;
    flipped[1] ^= 1;
    b.put("m/v1/m.bin", &flipped).await;
    b.pull("m", "other").await.unwrap_err();
    assert!(!b.path("other").exists());
}
