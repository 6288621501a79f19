//! Step-by-step checks of the endpoint, the credentials and the buckets. The command implements them, and the program
//! that starts the service passes them in.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::Mutex;

/// How long results are cached, so that reloading the page does not repeat the checks.
const FRESH: Duration = Duration::from_secs(10);

type Trial = Pin<Box<dyn Future<Output = Vec<Check>> + Send>>;

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Its result.
    pub outcome: Outcome,
    /// What was done. May be empty.
    pub tried: String,
    /// What was found.
    pub found: String,
    /// Further lines.
    pub details: Vec<String>,
    /// What to change, if anything.
    pub change: Option<String>,
    /// How long the check took.
    pub took: Duration,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is fine.
    Good,
    /// Something is wrong.
    Bad,
    /// Worth knowing.
    Note,
    /// Not run, because an earlier check failed.
    Skipped,
}

/// The results, and when the checks ran.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    pub(crate) checks: Vec<Check>,
    pub(crate) at: OffsetDateTime,
    since: Instant,
}

/// Runs the checks. Cheap to clone.
///
/// Looking only reads, so pages may do it. Probing writes small objects to the bucket and removes them, so it only
/// happens when a user who may publish asks for it.
#[derive(Clone)]
pub struct Doctor {
    look: Trials,
    probe: Trials,
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doctor")
    }
}

impl Doctor {
    /// Takes the functions that run the checks: `look` may only read; `probe` may write and remove its own objects.
    pub fn new<L, P>(
        look: impl Fn() -> L + Send + Sync + 'static,
        probe: impl Fn() -> P + Send + Sync + 'static,
    ) -> Doctor
    where
        L: Future<Output = Vec<Check>> + Send + 'static,
        P: Future<Output = Vec<Check>> + Send + 'static,
    {
        Doctor { look: Trials::new(look), probe: Trials::new(probe) }
    }

    /// Returns the current results of the checks that do not write, or recent ones.
    pub(crate) async fn look(&self) -> Arc<Findings> {
        self.look.run().await
    }

    /// Probes, unless that was done recently.
    pub(crate) async fn probe(&self) {
        self.probe.run().await;
    }

    /// Returns the results of the last probe; `None` if none has finished.
    pub(crate) fn probed(&self) -> Option<Arc<Findings>> {
        self.probe.last()
    }
}

/// Checks of one kind, one run at a time, and the last results.
#[derive(Clone)]
struct Trials {
    run: Arc<dyn Fn() -> Trial + Send + Sync>,
    running: Arc<Mutex<()>>,
    last: Arc<std::sync::Mutex<Option<Arc<Findings>>>>,
}

impl Trials {
    fn new<F: Future<Output = Vec<Check>> + Send + 'static>(run: impl Fn() -> F + Send + Sync + 'static) -> Trials {
        Trials { run: Arc::new(move || Box::pin(run())), running: Arc::default(), last: Arc::default() }
    }

    fn last(&self) -> Option<Arc<Findings>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run(&self) -> Arc<Findings> {
        let _turn = self.running.lock().await;
        if let Some(last) = self.last().filter(|last| last.since.elapsed() < FRESH) {
            return last;
        }
        let checks = (self.run)().await;
        let found = Arc::new(Findings { checks, at: OffsetDateTime::now_utc(), since: Instant::now() });
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&found));
        found
    }
}
