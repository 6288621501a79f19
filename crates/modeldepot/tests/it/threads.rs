//! With few blocking threads and many files in flight, nothing waits forever.

use std::sync::Arc;
use std::time::Duration;

use modeldepot::{ModelStorage, Progress, Pull};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::backend::{Backend, bytes, push};

/// Generous: the test fails when nothing progresses, not when it is slow.
const PATIENCE: Duration = Duration::from_secs(240);

/// Versions pushed and fetched at once.
const VERSIONS: usize = 5;

/// Files in each, of three parts: together far more than a client's memory.
const FILES: usize = 3;

const SIZE: usize = (16 << 20) + 12_345;

fn narrow(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).max_blocking_threads(2).enable_all().build().unwrap()
}

/// Pushes, verifies, fetches and reads many large files concurrently.
async fn many(b: Arc<Backend>, storage: ModelStorage, round: usize) {
    let folders = (0..VERSIONS).map(|version| {
        for file in 0..FILES {
            b.file(&format!("{round}/{version}/{file}.bin"), &bytes(SIZE, (version * FILES + file) as u64));
        }
        b.path(&format!("{round}/{version}"))
    });
    let pushes = folders.enumerate().map(|(version, folder)| {
        let storage = storage.clone();
        let push = push(&format!("m-{round}"), Some(&version.to_string()), &folder, &[]);
        tokio::spawn(async move {
            let silent = Progress::none();
            let selector = format!("m-{round}@{version}").parse().unwrap();
            storage.push(push, &Progress::none()).await.unwrap();
            let (verified, fetched, read) = tokio::join!(
                storage.verify(&selector, &silent),
                async {
                    let target = tempfile::tempdir().unwrap();
                    let pull = Pull::new(selector.clone(), target.path().join("t"));
                    storage.pull(&pull, &Progress::none()).await.unwrap();
                    // Again: now every file is hashed on disk.
                    storage.pull(&pull, &Progress::none()).await
                },
                async { storage.open_file(&selector, None).await.unwrap().read(|_| {}).await },
            );
            verified.unwrap();
            fetched.unwrap();
            assert_eq!(read.unwrap().len(), SIZE);
        })
    });
    for pushed in pushes.collect::<Vec<_>>() {
        pushed.await.unwrap();
    }
}

#[test]
fn many_large_files_pass_with_two_threads_that_may_block() {
    let servers = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let b = Arc::new(servers.block_on(Backend::embedded()));
    for workers in [1, 2] {
        let runtime = narrow(workers);
        let passed = runtime.block_on(async {
            let storage = ModelStorage::open(&b.settings).await.unwrap();
            timeout(PATIENCE, many(Arc::clone(&b), storage, workers)).await
        });
        // Shutting down normally would wait for threads that wait forever.
        runtime.shutdown_background();
        passed.unwrap_or_else(|_| panic!("{workers} workers: it stands still"));
    }
}
