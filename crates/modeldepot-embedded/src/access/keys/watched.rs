//! A key file that is reloaded when it changes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use modeldepot_listen::Stamp;

use super::{Keys, KeysError};

/// How often the file is checked for changes, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A key file as it was last read.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    looked: Instant,
    stamp: Option<Stamp>,
    keys: Arc<Keys>,
}

impl Watched {
    pub(crate) fn open(path: PathBuf) -> Result<Self, KeysError> {
        // Before reading: a change in between is then noticed at the next check.
        let stamp = Stamp::of(&path);
        let keys = Arc::new(Keys::read(&path)?);
        if keys.is_empty() {
            tracing::warn!(path = %path.display(), "the key file is empty: every request is refused");
        }
        Ok(Self { path, last: Mutex::new(Last { looked: Instant::now(), stamp, keys }) })
    }

    /// Returns the current keys of the file: none if it cannot be used.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.looked.elapsed() > LOOK_EVERY {
            last.looked = Instant::now();
            let now = Stamp::of(&self.path);
            if now != last.stamp || now.is_none() {
                let read = Keys::read(&self.path);
                // After a system error the file is read again at the next check, even if it has not changed.
                last.stamp = now.filter(|_| !matches!(read, Err(KeysError::Io { .. })));
                last.keys = Arc::new(read.unwrap_or_else(|error| {
                    tracing::error!(%error, "the key file cannot be used: every request is refused");
                    Keys::default()
                }));
            }
        }
        Arc::clone(&last.keys)
    }

    /// Returns true if the next check reads the file even when it has not changed.
    #[cfg(test)]
    pub(crate) fn looks_again(&self) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).stamp.is_none()
    }
}
