//! Three-step uploads in progress. They are only kept in memory and lost when the service restarts.
//!
//! Their number and lifetime are bounded: abandoned uploads expire, with their lease and parts.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use modeldepot::{DirectUpload, ErrorKind, Published};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::problem::{Problem, Result};
use crate::shares::{Place, Shares};

/// The most uploads at once.
const MOST: usize = 100;

/// How long an upload may go without a request. The URLs of its parts expire sooner, so nothing can arrive anymore.
pub(crate) const IDLE: Duration = Duration::from_secs(2 * 3600);

/// The longest lifetime of an upload.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How often abandoned uploads are looked for.
const SWEPT_EVERY: Duration = Duration::from_secs(60);

/// How long aborting an upload may take.
const GIVING_UP: Duration = Duration::from_secs(60);

/// An upload, or a fake one in tests.
pub(crate) trait Upload: Send + Sync + 'static {
    /// The result of completing it.
    type Done: Send;
    /// Publishes it.
    fn complete(&self) -> impl Future<Output = modeldepot::Result<Self::Done>> + Send;
    /// Whether it can be completed later, after this failure.
    fn is_open_after(&self, failure: &modeldepot::Error) -> bool;
    /// Releases what it holds in the bucket.
    fn abort(self) -> impl Future<Output = ()> + Send;
}

impl Upload for DirectUpload {
    type Done = Published;

    async fn complete(&self) -> modeldepot::Result<Published> {
        DirectUpload::complete(self).await
    }

    fn is_open_after(&self, failure: &modeldepot::Error) -> bool {
        DirectUpload::is_open_after(self, failure)
    }

    async fn abort(self) {
        DirectUpload::abort(self).await;
    }
}

/// An upload; `None` while it is being completed and afterwards.
pub(crate) type Slot<U = DirectUpload> = Arc<tokio::sync::Mutex<Option<U>>>;

/// A registered upload.
struct Kept<U> {
    slot: Slot<U>,
    begun: Instant,
    /// When it was last requested.
    used: Instant,
    _room: Room,
}

/// A place for one upload, released when dropped.
pub(crate) type Room = Place;

/// The uploads of this process.
pub(crate) struct Uploads<U = DirectUpload> {
    kept: Mutex<HashMap<Uuid, Kept<U>>>,
    room: Arc<Shares>,
}

impl<U> Default for Uploads<U> {
    fn default() -> Self {
        Self { kept: Mutex::default(), room: Shares::new(MOST) }
    }
}

impl<U: Upload> Uploads<U> {
    /// Reserves a place for one more upload of this caller.
    ///
    /// # Errors
    /// A problem if there are too many.
    pub(crate) fn room(&self, by: Option<&str>) -> Result<Room> {
        self.room.try_enter(by).ok_or_else(|| {
            let detail = match by {
                None => format!("{MOST} uploads are in progress"),
                Some(by) => format!("token `{by}` has used its share of the {MOST} concurrent uploads"),
            };
            Problem::new(ErrorKind::Unavailable, detail)
                .hint("complete one, or cancel one with `DELETE /api/v1/uploads/{id}`")
        })
    }

    pub(crate) fn add(&self, upload: U, room: Room) -> Uuid {
        let (id, now) = (Uuid::new_v4(), Instant::now());
        let slot = Arc::new(tokio::sync::Mutex::new(Some(upload)));
        self.kept().insert(id, Kept { slot, begun: now, used: now, _room: room });
        id
    }

    /// Finds an upload, and counts that as use.
    pub(crate) fn find(&self, id: Uuid) -> Option<Slot<U>> {
        let mut uploads = self.kept();
        let kept = uploads.get_mut(&id)?;
        kept.used = Instant::now();
        Some(Arc::clone(&kept.slot))
    }

    /// Completes an upload; `None` if it no longer exists. It is then removed, unless it failed and can be completed
    /// later.
    pub(crate) async fn complete(&self, id: Uuid) -> Option<modeldepot::Result<U::Done>> {
        let slot = self.find(id)?;
        let mut slot = slot.lock().await;
        let upload = slot.take()?;
        let done = AssertUnwindSafe(upload.complete()).catch_unwind().await;
        if matches!(&done, Ok(Err(failure)) if upload.is_open_after(failure)) {
            *slot = Some(upload);
            // Completing took a while; keep the upload for another try.
            self.find(id);
        } else {
            self.kept().remove(&id);
            // Bounded in time, so that an unresponsive S3 server does not delay the answer forever.
            abort(upload).await;
        }
        Some(done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    /// Aborts an upload, after waiting for a completion in progress.
    pub(crate) async fn give_up(&self, id: Uuid) {
        let Some(slot) = self.find(id) else { return };
        let upload = slot.lock().await.take();
        self.kept().remove(&id);
        if let Some(upload) = upload {
            abort(upload).await;
        }
    }

    /// Aborts abandoned uploads, periodically.
    pub(crate) async fn sweep(self: Arc<Self>) {
        loop {
            sleep(SWEPT_EVERY).await;
            let over = |kept: &Kept<U>| kept.used.elapsed() > IDLE || kept.begun.elapsed() > LIFETIME;
            for upload in self.take(over) {
                tracing::info!("canceling an abandoned upload");
                abort(upload).await;
            }
        }
    }

    /// Aborts all uploads: the service is stopping, and nobody could complete them later.
    pub(crate) async fn end(&self) {
        for upload in self.take(|_| true) {
            abort(upload).await;
        }
    }

    /// Takes uploads that are not in use.
    fn take(&self, wanted: impl Fn(&Kept<U>) -> bool) -> Vec<U> {
        let mut taken = Vec::new();
        self.kept().retain(|_, kept| {
            if !wanted(kept) {
                return true;
            }
            // One that is being completed is not abandoned.
            let Ok(mut slot) = kept.slot.try_lock() else { return true };
            taken.extend(slot.take());
            false
        });
        taken
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Kept<U>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn abort(upload: impl Upload) {
    let aborted = AssertUnwindSafe(timeout(GIVING_UP, upload.abort())).catch_unwind().await;
    if !matches!(aborted, Ok(Ok(()))) {
        tracing::warn!("cannot cancel an upload; its lease will expire, and `gc` will find its parts");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// An upload that counts how often it was aborted.
    #[derive(Clone, Default)]
    struct Fake {
        aborted: Arc<AtomicUsize>,
        panics: bool,
        hangs: bool,
        takes: Duration,
        /// The failures of its completions, last first.
        fails: Arc<Mutex<Vec<modeldepot::Error>>>,
    }

    impl Upload for Fake {
        type Done = ();

        async fn complete(&self) -> modeldepot::Result<()> {
            assert!(!self.panics, "planted");
            sleep(self.takes).await;
            match self.fails.lock().unwrap().pop() {
                Some(failure) => Err(failure),
                None => Ok(()),
            }
        }

        fn is_open_after(&self, failure: &modeldepot::Error) -> bool {
            failure.kind() == ErrorKind::Unavailable
        }

        async fn abort(self) {
            if self.hangs {
                std::future::pending().await
            }
            self.aborted.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn full(fake: &Fake) -> (Arc<Uploads<Fake>>, Vec<Uuid>) {
        let uploads = Arc::new(Uploads::default());
        let ids = (0..MOST).map(|_| uploads.add(fake.clone(), uploads.room(None).unwrap())).collect();
        assert!(uploads.room(None).is_err());
        tokio::spawn(Arc::clone(&uploads).sweep());
        (uploads, ids)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_abandoned_ends_by_the_clock_alone() {
        let fake = Fake::default();
        let (uploads, ids) = full(&fake);
        sleep(IDLE - SWEPT_EVERY).await;
        assert_eq!(fake.aborted.load(Ordering::Relaxed), 0);
        uploads.find(ids[0]).unwrap();
        sleep(3 * SWEPT_EVERY).await;
        assert_eq!(fake.aborted.load(Ordering::Relaxed), MOST - 1, "all but the one that was asked about");
        assert!(uploads.find(ids[1]).is_none() && uploads.room(None).is_ok());
        for _ in 0..30 {
            sleep(IDLE / 2).await;
            uploads.find(ids[0]);
        }
        assert!(uploads.find(ids[0]).is_none(), "not for ever, however often it is asked about");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_be_given_up_keeps_no_room() {
        let (uploads, _) = full(&Fake { hangs: true, ..Fake::default() });
        sleep(IDLE + 2 * SWEPT_EVERY).await;
        assert_eq!(uploads.room.free(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_being_completed_is_not_abandoned() {
        let fake = Fake { takes: 2 * IDLE, ..Fake::default() };
        let uploads = Arc::new(Uploads::default());
        let id = uploads.add(fake, uploads.room(None).unwrap());
        tokio::spawn(Arc::clone(&uploads).sweep());
        uploads.complete(id).await.unwrap().unwrap();
        assert!(uploads.complete(id).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_frees_its_room_and_what_it_holds() {
        let fake = Fake { panics: true, ..Fake::default() };
        let (uploads, ids) = full(&fake);
        for id in ids {
            let uploads = Arc::clone(&uploads);
            tokio::spawn(async move { uploads.complete(id).await }).await.unwrap_err();
        }
        assert_eq!((uploads.room.free(), fake.aborted.load(Ordering::Relaxed)), (MOST, MOST));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_passes_keeps_the_upload_and_any_other_ends_it() {
        let passes = || modeldepot::Error::unavailable("store", "e", "no answer");
        let fails = Arc::new(Mutex::new(vec![
            modeldepot::Error::io("read", "f")(std::io::ErrorKind::NotFound.into()),
            passes(),
            passes(),
        ]));
        // Aborting never ends.
        let fake = Fake { hangs: true, fails, ..Fake::default() };
        let uploads = Arc::new(Uploads::default());
        let id = uploads.add(fake, uploads.room(None).unwrap());
        for _ in 0..2 {
            assert_eq!(uploads.complete(id).await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
            assert!(uploads.find(id).is_some());
        }
        let ended = timeout(2 * GIVING_UP, uploads.complete(id)).await.expect("it waits for ever");
        assert_eq!(ended.unwrap().unwrap_err().kind(), ErrorKind::Io);
        assert!(uploads.find(id).is_none());
        assert_eq!(uploads.room.free(), MOST);
    }
}
