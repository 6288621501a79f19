//! Ceph with three OSDs, parts of which are killed with `kill -9` during transfers. `cargo xtask test` starts it, and
//! restarts killed parts unless a test holds them down.
//!
//! Transfers are reliably still running at that time: a rate limit makes the rest of each take seconds.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use modeldepot::{Error, ErrorKind, Event, ModelStorage, Progress, Published, Pull, Push, Result};
use tokio::time::sleep;

use crate::backend::{Backend, bytes, push};
use crate::servers::CLUSTER;

/// Megabytes that are pushed while an OSD dies; a third of that when another daemon dies.
fn megabytes() -> u64 {
    std::env::var("MODELDEPOT_TEST_CLUSTER_MB").map_or(600, |text| text.parse().unwrap())
}

const MB: u64 = 1_000_000;

struct Cluster {
    b: Backend,
    /// Where `NAME.pid` has a daemon's process id, and `NAME.hold` keeps it down.
    daemons: PathBuf,
    /// The model file and its size in megabytes.
    file: PathBuf,
    size: u64,
}

impl Cluster {
    async fn with(size: u64) -> Cluster {
        let b = Backend::on(&CLUSTER).await;
        let daemons = PathBuf::from(std::env::var_os("MODELDEPOT_TEST_CLUSTER_DAEMONS").unwrap());
        let file = b.file("m.bin", b"");
        let mut out = File::create(&file).unwrap();
        for seed in 0..size {
            out.write_all(&bytes(MB as usize, seed)).unwrap();
        }
        Cluster { b, daemons, file, size }
    }

    /// A storage that takes about six seconds for the file, on any machine.
    async fn slow(&self) -> ModelStorage {
        let limit = NonZeroU64::new(self.size * MB / 6).unwrap();
        ModelStorage::open(&self.b.settings.clone().limit_rate(limit)).await.unwrap()
    }

    fn hold(&self, daemon: &str) -> PathBuf {
        self.daemons.join(format!("{daemon}.hold"))
    }

    fn pid(&self, daemon: &str) -> Option<String> {
        let pid = fs::read_to_string(self.daemons.join(format!("{daemon}.pid"))).ok()?;
        Some(pid.trim().to_owned()).filter(|pid| !pid.is_empty())
    }

    /// Returns a progress that kills a daemon when a third of the file has been transferred, and whether it did. The
    /// daemon stays down.
    fn killing(&self, daemon: &'static str) -> (Progress, Arc<AtomicBool>) {
        let (moved, killed) = (AtomicU64::new(0), Arc::new(AtomicBool::new(false)));
        let (hold, pid, third) = (self.hold(daemon), self.pid(daemon).unwrap(), self.size * MB / 3);
        let done = Arc::clone(&killed);
        let progress = Progress::new(move |event| {
            let Event::Moved { bytes, .. } = event else { return };
            if moved.fetch_add(bytes, Ordering::Relaxed) + bytes >= third && !done.swap(true, Ordering::Relaxed) {
                fs::write(&hold, "").unwrap();
                assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
            }
        });
        (progress, killed)
    }

    /// Lets a daemon restart, and waits until it runs and the gateway answers.
    async fn release(&self, daemon: &str) {
        let _ = fs::remove_file(self.hold(daemon));
        while self.pid(daemon).is_none() || self.b.client().list_objects(self.b.bucket(), "").await.is_err() {
            sleep(Duration::from_millis(200)).await;
        }
    }

    fn push(&self) -> Push {
        push("m", Some("1"), &self.file, &[]).state_folder(self.b.path("state"))
    }

    async fn publish(&self) -> Published {
        self.b.storage.push(self.push(), &Progress::none()).await.unwrap()
    }

    fn pull(&self, folder: &str) -> Pull {
        Pull::new("m@1".parse().unwrap(), self.b.path(folder))
    }

    /// Pulls the version at full speed, and compares it with what was pushed.
    async fn pulled_is_what_was_pushed(&self, folder: &str) -> u64 {
        let fetched = self.b.storage.pull(&self.pull(folder), &Progress::none()).await.unwrap();
        assert!(same(&self.file, &self.b.path(folder).join("m.bin")), "the bytes that came back are others");
        fetched.kept
    }

    /// Pushes while a daemon dies and comes back after `down`.
    async fn push_while_down(&self, daemon: &'static str, down: Duration) -> Result<Published> {
        let (progress, killed) = self.killing(daemon);
        let storage = self.slow().await;
        let back = async {
            while !killed.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(down).await;
            self.release(daemon).await;
        };
        let (pushed, ()) = tokio::join!(storage.push(self.push(), &progress), back);
        pushed
    }
}

/// Restores the cluster for the next test.
impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in ["mon.a", "mgr.x", "rgw", "osd.1"] {
            let _ = fs::remove_file(self.hold(daemon));
        }
    }
}

fn same(left: &Path, right: &Path) -> bool {
    let open = |path| BufReader::with_capacity(MB as usize, File::open(path).unwrap());
    let (mut left, mut right) = (open(left), open(right));
    let (mut one, mut other) = (vec![0; MB as usize], vec![0; MB as usize]);
    loop {
        let (a, b) = (fill(&mut left, &mut one), fill(&mut right, &mut other));
        if a != b || one[..a] != other[..b] {
            return false;
        }
        if a == 0 {
            return true;
        }
    }
}

fn fill(file: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]).unwrap() {
            0 => break,
            read => filled += read,
        }
    }
    filled
}

/// Checks the error of a failed transfer, and that nothing incomplete is visible.
fn gave_up(error: &Error, c: &Cluster) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains(c.b.client().endpoint()), "{error}");
}

#[ignore = "needs Ceph: run by `cargo xtask test`"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_osd_dies_during_a_push_and_stays_dead() {
    let c = Cluster::with(megabytes()).await;
    let (progress, killed) = c.killing("osd.1");
    c.slow().await.push(c.push(), &progress).await.unwrap();
    assert!(killed.load(Ordering::Relaxed) && c.pid("osd.1").is_none(), "one of three is missing");
    c.pulled_is_what_was_pushed("degraded").await;
    c.b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
    // It comes back without its data.
    c.release("osd.1").await;
    c.pulled_is_what_was_pushed("recovering").await;
    c.b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
}

#[ignore = "needs Ceph: run by `cargo xtask test`"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manager_dies_during_a_push() {
    let c = Cluster::with(megabytes() / 3).await;
    c.push_while_down("mgr.x", Duration::from_secs(1)).await.unwrap();
    c.pulled_is_what_was_pushed("out").await;
    c.b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
}

#[ignore = "needs Ceph: run by `cargo xtask test`"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_monitor_dies_during_a_push() {
    let c = Cluster::with(megabytes() / 3).await;
    c.push_while_down("mon.a", Duration::from_secs(2)).await.unwrap();
    c.pulled_is_what_was_pushed("out").await;
    c.b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
}

#[ignore = "needs Ceph: run by `cargo xtask test`"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_restarts_during_a_push() {
    let c = Cluster::with(megabytes() / 3).await;
    if let Err(error) = c.push_while_down("rgw", Duration::ZERO).await {
        // On a machine that is slow to start it.
        gave_up(&error, &c);
        c.publish().await;
    }
    c.pulled_is_what_was_pushed("out").await;
    c.b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
}

#[ignore = "needs Ceph: run by `cargo xtask test`"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_dies_during_a_push_and_the_next_push_resumes() {
    let c = Cluster::with(megabytes() / 3).await;
    let (progress, killed) = c.killing("rgw");
    let error = c.slow().await.push(c.push(), &progress).await.unwrap_err();
    assert!(killed.load(Ordering::Relaxed));
    gave_up(&error, &c);
    c.release("rgw").await;
    let versions = c.b.storage.versions(&"m".parse().unwrap()).await;
    assert!(matches!(versions, Err(Error::ModelNotFound { .. })), "half of a version is none: {versions:?}");
    let published = c.publish().await;
    assert!(published.kept > 0, "what the server has is not sent again");
    c.pulled_is_what_was_pushed("out").await;
    c.b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
}

#[ignore = "needs Ceph: run by `cargo xtask test`"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_dies_during_a_pull_and_the_next_pull_resumes() {
    let c = Cluster::with(megabytes() / 3).await;
    c.publish().await;
    let (progress, killed) = c.killing("rgw");
    let error = c.slow().await.pull(&c.pull("out"), &progress).await.unwrap_err();
    assert!(killed.load(Ordering::Relaxed));
    gave_up(&error, &c);
    assert!(!c.b.path("out/m.bin").exists(), "a file is there when all of it is");
    c.release("rgw").await;
    let kept = c.pulled_is_what_was_pushed("out").await;
    assert!(kept > 0, "what was fetched is not fetched again");
    c.b.storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
}
