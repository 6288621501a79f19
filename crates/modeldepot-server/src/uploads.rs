//! Uploads in parts: begun, and not completed yet. They are kept in memory: a service that restarts has forgotten them,
//! and the bucket's claims go stale by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use modeldepot::{DirectUpload, ErrorKind};
use uuid::Uuid;

use crate::problem::{Problem, Result};

/// Uploads at once.
const MOST: usize = 100;

/// How long one may take.
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// An upload. None while it is being completed, and once that is done.
type Slot = Arc<tokio::sync::Mutex<Option<DirectUpload>>>;

/// The uploads of this process.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<HashMap<Uuid, (Instant, Slot)>>);

impl Uploads {
    /// Makes sure that there is room for one more. Those that took too long are given up.
    ///
    /// # Errors
    /// A problem when there are too many.
    pub(crate) fn make_room(&self) -> Result<()> {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let late: Vec<Uuid> =
            uploads.iter().filter(|(_, (begun, _))| begun.elapsed() > LIFETIME).map(|(id, _)| *id).collect();
        for (_, slot) in late.iter().filter_map(|id| uploads.remove(id)) {
            tokio::spawn(async move {
                if let Some(upload) = slot.lock().await.take() {
                    upload.abort().await;
                }
            });
        }
        match uploads.len() >= MOST {
            true => Err(Problem::new(ErrorKind::Unavailable, format!("{MOST} uploads are under way"))
                .hint("complete one, or give one up with `DELETE /api/v1/uploads/{id}`")),
            false => Ok(()),
        }
    }

    pub(crate) fn add(&self, upload: DirectUpload) -> Uuid {
        let id = Uuid::new_v4();
        let slot = Arc::new(tokio::sync::Mutex::new(Some(upload)));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (Instant::now(), slot));
        id
    }

    pub(crate) fn find(&self, id: Uuid) -> Option<Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).map(|(_, slot)| Arc::clone(slot))
    }

    pub(crate) fn remove(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
