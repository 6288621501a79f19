//! Checks of the endpoint, the login and the buckets, step by step. They belong to the command; the program that starts the service hands
//! it in.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::Mutex;

/// How long results are cached, so that reloading the page does not repeat the checks.
const FRESH: Duration = Duration::from_secs(10);

type Trial = Pin<Box<dyn Future<Output = Vec<Check>> + Send>>;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is called.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was tried. May be empty.
    pub tried: String,
    /// What came back.
    pub found: String,
    /// More lines about it.
    pub details: Vec<String>,
    /// What to change.
    pub change: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Good,
    /// Wrong.
    Bad,
    /// Not wrong, but worth knowing.
    Note,
    /// Not tried, since something before failed.
    Skipped,
}

/// What was found, and when.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    pub(crate) checks: Vec<Check>,
    pub(crate) at: OffsetDateTime,
    since: Instant,
}

/// Examines what the service stands on. Cheap to clone.
///
/// Looking reads only, so a page may do it. Probing writes small objects to the bucket and removes them, so it is done
/// when it is asked for, by somebody who may publish.
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
    /// Takes what runs the checks: `look` may only read, `probe` may write and remove objects of its own.
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

    /// Returns what can be seen now, or could a moment ago, without writing anything.
    pub(crate) async fn look(&self) -> Arc<Findings> {
        self.look.run().await
    }

    /// Probes, unless that was done a moment ago.
    pub(crate) async fn probe(&self) {
        self.probe.run().await;
    }

    /// Returns what the last probe found, and none before the first has ended.
    pub(crate) fn probed(&self) -> Option<Arc<Findings>> {
        self.probe.last()
    }
}

/// Checks of one kind, one run at a time, and what the last run found.
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
