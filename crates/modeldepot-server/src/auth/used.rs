//! The last use of each token, stored in a file next to the token file at most once a minute.
//!
//! It is informational: if it cannot be written, the service keeps running.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::file::{beside, replace};
use super::token::{now, time, written};

/// The minimum time between two writes.
const PACE: Duration = Duration::from_secs(60);

/// The largest such file.
const LARGEST: u64 = 1024 * 1024;

/// The last use of each token, by name.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// `None` if there is no token file.
    path: Option<PathBuf>,
    seen: Mutex<BTreeMap<String, OffsetDateTime>>,
    changed: Notify,
}

impl Used {
    /// Stores it next to a token file.
    pub(super) fn beside(tokens: Option<&Path>) -> Arc<Used> {
        Arc::new(Used { path: tokens.map(path), ..Used::default() })
    }

    /// Records the use of a token.
    pub(super) fn note(&self, name: &str) {
        let now = now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(name) != Some(&now) {
            seen.insert(name.to_owned(), now);
            self.changed.notify_one();
        }
    }

    /// Writes the file periodically.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut told = false;
        loop {
            self.changed.notified().await;
            if let Err(error) = self.write().await
                && !std::mem::replace(&mut told, true)
            {
                tracing::info!(%error, "cannot record the last use of tokens");
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Writes the file now.
    pub(crate) async fn write(self: &Arc<Self>) -> io::Result<()> {
        let used = Arc::clone(self);
        tokio::task::spawn_blocking(move || used.write_now()).await.map_err(io::Error::other)?
    }

    fn write_now(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if seen.is_empty() {
            return Ok(());
        }
        // Other services may share the token file.
        let mut all = read(path);
        for (name, at) in seen {
            let known = all.entry(name).or_insert(at);
            *known = at.max(*known);
        }
        let text: String = all.iter().map(|(name, at)| format!("{name} {}\n", written(*at))).collect();
        replace(path, text.as_bytes())
    }
}

/// Returns when the tokens of a file were last used, by name, as far as services have recorded it.
pub fn last_used(tokens: &Path) -> BTreeMap<String, OffsetDateTime> {
    read(&path(tokens))
}

fn path(tokens: &Path) -> PathBuf {
    beside(&fs::canonicalize(tokens).unwrap_or_else(|_| tokens.to_owned()), ".used")
}

/// Reads the file. A missing file or malformed line is ignored.
fn read(path: &Path) -> BTreeMap<String, OffsetDateTime> {
    let mut text = String::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(LARGEST).read_to_string(&mut text);
    }
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, at)| Some((name.to_owned(), time(at)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_is_written_beside_the_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        fs::write(&tokens, "").unwrap();
        let used = Used::beside(Some(&tokens));
        used.write_now().unwrap();
        assert!(last_used(&tokens).is_empty());
        used.note("ci");
        used.write_now().unwrap();
        // Entries of other services are kept, and the later time counts.
        fs::write(path(&tokens), "ana 2026-11-26T10:00:00Z\nci 2020-01-01T00:00:00Z\nnonsense\nx y\n").unwrap();
        used.write_now().unwrap();
        let found = last_used(&tokens);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["ana", "ci"]);
        assert!(found["ci"] > found["ana"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(path(&tokens)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
