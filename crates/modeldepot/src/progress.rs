//! Reports the progress of a transfer.

use std::fmt;
use std::sync::Arc;

use crate::model::name::ArtifactPath;

/// Something that happened in a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The whole job is known: so many files, so many bytes. Comes first, once for each attempt.
    Planned {
        /// Files to move.
        files: usize,
        /// Bytes to move.
        bytes: u64,
    },
    /// A file is begun.
    Begun {
        /// The file.
        path: ArtifactPath,
        /// Its size in bytes.
        bytes: u64,
    },
    /// Bytes were acknowledged: stored by the server, or verified in place.
    Moved {
        /// The file that they belong to.
        path: ArtifactPath,
        /// How many.
        bytes: u64,
    },
    /// A file is complete.
    Finished {
        /// The file.
        path: ArtifactPath,
    },
}

/// Takes the events of a transfer, from any thread, and must not block.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Progress {
    /// Calls `sink` with each event.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Drops every event.
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
