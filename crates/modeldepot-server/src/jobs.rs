//! Verifications that run in the background, and how far they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use modeldepot::{ArtifactPath, ErrorKind, Event, ModelName, ModelStorage, Progress, Selector, Version};
use tokio::sync::watch;
use uuid::Uuid;

use crate::problem::{Problem, Result};

/// Verifications at once: each reads whole versions.
const AT_ONCE: usize = 4;

/// How long it is kept how one ended.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Jobs that are remembered.
const MOST: usize = 1000;

/// How far a verification is.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) files: usize,
    pub(crate) files_done: usize,
    pub(crate) bytes: u64,
    pub(crate) bytes_done: u64,
    /// The file that was begun last.
    pub(crate) file: Option<ArtifactPath>,
    pub(crate) end: Option<End>,
}

/// How it ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// Every file that a digest was published of matches it. These have none.
    Done { unverified: Vec<ArtifactPath> },
    /// Something is wrong.
    Failed(Problem),
}

/// A verification.
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) model: ModelName,
    pub(crate) version: Version,
    pub(crate) state: watch::Receiver<State>,
    ended: Mutex<Option<Instant>>,
}

/// The verifications of this process.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<HashMap<Uuid, Arc<Job>>>);

impl Jobs {
    pub(crate) fn find(&self, id: Uuid) -> Option<Arc<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Begins to verify a version, or returns the verification of it that is running.
    ///
    /// # Errors
    /// A problem when too many are running.
    pub(crate) fn verify(&self, storage: &ModelStorage, model: &ModelName, version: &Version) -> Result<Arc<Job>> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = |job: &Job| *job.ended.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|_, job| ended(job).is_none_or(|at| at.elapsed() < REMEMBERED));
        let running = || jobs.values().filter(|job| ended(job).is_none());
        if let Some(job) = running().find(|job| job.model == *model && job.version == *version) {
            return Ok(Arc::clone(job));
        }
        if running().count() >= AT_ONCE {
            return Err(Problem::new(ErrorKind::Unavailable, format!("{AT_ONCE} versions are being verified"))
                .hint("wait until one is done"));
        }
        if jobs.len() >= MOST {
            let oldest = jobs.values().filter_map(|job| Some((ended(job)?, job.id))).min();
            oldest.and_then(|(_, id)| jobs.remove(&id));
        }
        let begun = State { files: 0, files_done: 0, bytes: 0, bytes_done: 0, file: None, end: None };
        let (tell, state) = watch::channel(begun);
        let (model, version) = (model.clone(), version.clone());
        let job = Arc::new(Job { id: Uuid::new_v4(), model, version, state, ended: Mutex::default() });
        jobs.insert(job.id, Arc::clone(&job));
        tokio::spawn(run(storage.clone(), Arc::clone(&job), Arc::new(tell)));
        Ok(job)
    }
}

async fn run(storage: ModelStorage, job: Arc<Job>, tell: Arc<watch::Sender<State>>) {
    let told = Arc::clone(&tell);
    let progress = Progress::new(move |event| {
        told.send_modify(|state| match event {
            Event::Planned { files, bytes } => (state.files, state.bytes) = (files, bytes),
            Event::Begun { path, .. } => state.file = Some(path),
            Event::Moved { bytes, .. } => state.bytes_done += bytes,
            Event::Finished { .. } => state.files_done += 1,
        });
    });
    let selector = Selector { model: job.model.clone(), version: Some(job.version.clone()) };
    let end = match storage.verify(&selector, &progress).await {
        Ok(verified) => End::Done { unverified: verified.unverified },
        Err(error) => End::Failed(error.into()),
    };
    *job.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    tell.send_modify(|state| state.end = Some(end));
}
