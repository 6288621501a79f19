//! Progress events of a transfer.

use std::fmt;
use std::sync::Arc;

use crate::model::name::ArtifactPath;

/// An event of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The total number of files and bytes is known. Sent first, once for each attempt.
    Planned {
        /// Files to transfer.
        files: usize,
        /// Bytes to transfer.
        bytes: u64,
    },
    /// The transfer of a file has started.
    Begun {
        /// The file.
        path: ArtifactPath,
        /// Its size in bytes.
        bytes: u64,
    },
    /// Bytes were confirmed: stored by the server, or verified locally.
    Moved {
        /// The file that they belong to.
        path: ArtifactPath,
        /// Their number.
        bytes: u64,
    },
    /// A file is complete.
    Finished {
        /// The file.
        path: ArtifactPath,
    },
}

/// Receives the events of a transfer, from any thread. It must not block.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Progress {
    /// Calls `sink` with each event.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Ignores all events.
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) fn send(&self, event: Event) {
        if let Some(sink) = &self.0 {
            sink(event);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(sink)" } else { "Progress(none)" })
    }
}
