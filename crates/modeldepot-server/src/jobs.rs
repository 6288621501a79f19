//! Background verifications and their progress.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use modeldepot::{ArtifactPath, ErrorKind, Event, ModelName, ModelStorage, Progress, Selector, Version};
use tokio::sync::watch;
use uuid::Uuid;

use crate::log::Note;
use crate::problem::{Problem, Result};
use crate::tasks::broken;

/// The most verifications at once: each reads whole versions.
const AT_ONCE: usize = 4;

/// How long results are kept.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// The most jobs that are kept.
const MOST: usize = 1000;

/// The progress of a verification.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) files: usize,
    pub(crate) files_done: usize,
    pub(crate) bytes: u64,
    pub(crate) bytes_done: u64,
    /// The file being verified.
    pub(crate) file: Option<ArtifactPath>,
    pub(crate) end: Option<End>,
}

/// The result of a verification.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// Every file with a published digest matches it. These files have none.
    Done { unverified: Vec<ArtifactPath> },
    /// It failed.
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

    /// Starts to verify a version, or returns the running verification of it.
    ///
    /// # Errors
    /// A problem if too many are running.
    pub(crate) fn verify(
        &self,
        storage: &ModelStorage,
        model: &ModelName,
        version: &Version,
        note: Note,
    ) -> Result<Arc<Job>> {
        let storage = storage.clone();
        self.begin(model, version, note, move |selector, progress| async move {
            let verified = storage.verify(&selector, &progress).await?;
            Ok(End::Done { unverified: verified.unverified })
        })
    }

    fn begin<W>(
        &self,
        model: &ModelName,
        version: &Version,
        note: Note,
        work: impl FnOnce(Selector, Progress) -> W,
    ) -> Result<Arc<Job>>
    where
        W: Future<Output = modeldepot::Result<End>> + Send + 'static,
    {
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
        let tell = Arc::new(tell);
        let selector = Selector::new(job.model.clone()).version(job.version.clone());
        tokio::spawn(run(work(selector, progress(Arc::clone(&tell))), Arc::clone(&job), tell, note));
        Ok(job)
    }
}

/// Reports the progress to those who watch.
fn progress(told: Arc<watch::Sender<State>>) -> Progress {
    Progress::new(move |event| {
        told.send_modify(|state| match event {
            Event::Planned { files, bytes } => (state.files, state.bytes) = (files, bytes),
            Event::Begun { path, .. } => state.file = Some(path),
            Event::Moved { bytes, .. } => state.bytes_done += bytes,
            Event::Finished { .. } => state.files_done += 1,
            _ => {}
        });
    })
}

/// Does the work and records the result in any case: a job that panicked must not seem to run forever.
async fn run(
    work: impl Future<Output = modeldepot::Result<End>>,
    job: Arc<Job>,
    tell: Arc<watch::Sender<State>>,
    note: Note,
) {
    let end = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(end)) => end,
        Ok(Err(error)) => End::Failed(error.into()),
        Err(_) => End::Failed(broken()),
    };
    note.ended(match &end {
        End::Done { .. } => Ok(()),
        End::Failed(problem) => Err(problem),
    });
    *job.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    tell.send_modify(|state| state.end = Some(end));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_frees_its_slot_and_is_told() {
        let jobs = Jobs::default();
        for n in 0..3 * AT_ONCE {
            let (model, version) = ("m".parse().unwrap(), n.to_string().parse().unwrap());
            let job = jobs.begin(&model, &version, Note::default(), |_, _| async { panic!("planted") }).unwrap();
            let mut state = job.state.clone();
            let ended = state.wait_for(|state| state.end.is_some()).await.unwrap().clone();
            let Some(End::Failed(problem)) = ended.end else { panic!("{ended:?}") };
            assert_eq!(serde_json::to_value(problem.document()).unwrap()["kind"], "internal");
        }
    }

    #[tokio::test]
    async fn no_more_than_a_few_at_once() {
        let jobs = Jobs::default();
        let begin = |n: usize| {
            jobs.begin(&"m".parse().unwrap(), &n.to_string().parse().unwrap(), Note::default(), |_, _| {
                std::future::pending()
            })
        };
        for n in 0..AT_ONCE {
            begin(n).unwrap();
        }
        assert!(begin(AT_ONCE).is_err());
    }
}
