//! The open index, and reopening it.
//!
//! After a failed access to its file, the index refuses all transactions, even if the cause was a full disk that has
//! space again. Its content is sound, as after a crash. So the next request reopens it.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::disk::room::{Room, Roomy};
use crate::private;

/// The index needs no large cache: the system caches its file anyway, and the server's memory should stay small.
const CACHE: usize = 32 << 20;

/// How long to wait for those who still use a failed file.
const PATIENCE: Duration = Duration::from_secs(10);

/// The index while its file works.
#[derive(Debug)]
struct Handle {
    db: Database,
    failed: Arc<AtomicBool>,
}

/// The open index.
#[derive(Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    room: Arc<Room>,
    handle: RwLock<Option<Arc<Handle>>>,
}

/// A read transaction.
pub(crate) struct Reading {
    tx: ReadTransaction,
    _handle: Arc<Handle>,
}

impl Deref for Reading {
    type Target = ReadTransaction;

    fn deref(&self) -> &ReadTransaction {
        &self.tx
    }
}

impl Opened {
    pub(crate) fn new(path: &Path, room: Arc<Room>) -> Result<Self, redb::Error> {
        let opened = Self { path: path.to_owned(), room, handle: RwLock::default() };
        opened.handle()?;
        Ok(opened)
    }

    fn open(&self) -> Result<Handle, redb::Error> {
        let failed = Arc::new(AtomicBool::new(false));
        let file = private::options().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        let file = Roomy::new(file, Arc::clone(&self.room), Arc::clone(&failed))?;
        Ok(Handle { db: Database::builder().set_cache_size(CACHE).create_with_backend(file)?, failed })
    }

    fn handle(&self) -> Result<Arc<Handle>, redb::Error> {
        let sound = |handle: &Option<Arc<Handle>>| {
            handle.as_ref().filter(|handle| !handle.failed.load(Ordering::Acquire)).map(Arc::clone)
        };
        if let Some(handle) = sound(&self.handle.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(handle);
        }
        let mut current = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = sound(&current) {
            return Ok(handle);
        }
        if current.take().is_some() {
            tracing::warn!(index = %self.path.display(), "the index could not be written and is being reopened");
        }
        // The file stays locked until its last transaction has ended.
        let until = Instant::now() + PATIENCE;
        let handle = loop {
            match self.open() {
                Err(redb::Error::DatabaseAlreadyOpen) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                opened => break Arc::new(opened?),
            }
        };
        *current = Some(Arc::clone(&handle));
        Ok(handle)
    }

    /// Begins a transaction, and retries once if the file has just failed another.
    fn begin<T>(
        &self,
        begin: impl Fn(&Database) -> Result<T, redb::TransactionError>,
    ) -> Result<(T, Arc<Handle>), redb::Error> {
        let handle = self.handle()?;
        match begin(&handle.db) {
            Err(_) if handle.failed.load(Ordering::Acquire) => {}
            begun => return Ok((begun?, handle)),
        }
        drop(handle);
        let handle = self.handle()?;
        Ok((begin(&handle.db)?, handle))
    }

    pub(crate) fn read(&self) -> Result<Reading, redb::Error> {
        self.begin(Database::begin_read).map(|(tx, handle)| Reading { tx, _handle: handle })
    }

    /// Runs a write transaction.
    pub(crate) fn write<T>(&self, work: impl FnOnce(WriteTransaction) -> T) -> Result<T, redb::Error> {
        // The handle outlives the transaction.
        let (tx, _handle) = self.begin(Database::begin_write)?;
        Ok(work(tx))
    }

    /// Makes every access to the file fail until it is reopened.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.handle.read().unwrap().as_ref().unwrap().failed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::disk::Disk;
    use crate::index::record::{Object, Segment, now};
    use crate::index::{BUCKETS, Index};
    use crate::refusal::internal;
    use crate::store::Store;

    fn store(folder: &Path) -> Store {
        let disk = Arc::new(Disk::open(folder).unwrap());
        let index = Index::open(&disk.index(), &["b".to_owned()], Arc::clone(&disk.room)).unwrap();
        Store { disk, index, cors: Arc::default() }
    }

    /// Puts an object. Returns its file, and whether it was stored.
    fn put(store: &Store, key: &str) -> (PathBuf, bool) {
        let (staged, mut file) = store.disk.create().unwrap();
        file.write_all(b"x").unwrap();
        let object = Object {
            size: 1,
            etag: "e".into(),
            modified: now(),
            parts: None,
            checksums: Default::default(),
            description: Default::default(),
            stamp: Default::default(),
        };
        let segments = [Segment { blob: staged.id(), len: 1, part: 1, coded: false }];
        let path = store.disk.path(staged.id());
        let put = store.index.put("b", key, object, &segments, &Default::default());
        (path, store.settle(Some(staged), put).is_ok())
    }

    #[test]
    fn after_a_write_that_failed_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        assert!(put(&store, "before").1);
        let index = &store.index;
        let failed = index.write(|tx| {
            tx.open_table(BUCKETS).map_err(internal)?.insert("lost", 1).map_err(internal)?;
            index.opened.fail();
            Ok(())
        });
        assert!(failed.is_err());
        assert!(index.head("b", "before").is_ok() && index.bucket("lost").is_err());
        assert!(put(&store, "after").1 && index.head("b", "after").is_ok());
        // The next process to open the folder finds the same.
        drop(store);
        assert!(super::tests::store(folder.path()).index.head("b", "after").is_ok());
    }

    #[test]
    fn a_put_that_is_refused_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        while store.disk.room.spend() {}
        // A folder in its place: the reserve cannot be created.
        std::fs::create_dir(folder.path().join("reserve")).unwrap();
        let (path, stored) = put(&store, "k");
        assert!(!stored && !path.exists());
        std::fs::remove_dir(folder.path().join("reserve")).unwrap();
        let (path, stored) = put(&store, "k");
        assert!(stored && path.exists());
    }
}
