//! What tries the endpoint, the login and the buckets step by step. It is the command's; whoever starts the service hands
//! it in.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::Mutex;

/// How long a finding is shown again: whoever loads the page over and over does not set off as many trials.
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

/// Runs the checks, one run at a time. Cheap to clone.
#[derive(Clone)]
pub struct Doctor {
    run: Arc<dyn Fn() -> Trial + Send + Sync>,
    last: Arc<Mutex<Option<Arc<Findings>>>>,
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doctor")
    }
}

impl Doctor {
    /// Takes what runs the checks.
    pub fn new<F: Future<Output = Vec<Check>> + Send + 'static>(run: impl Fn() -> F + Send + Sync + 'static) -> Doctor {
        Doctor { run: Arc::new(move || Box::pin(run())), last: Arc::default() }
    }

    /// Returns what is found now, or was a moment ago.
    pub(crate) async fn examine(&self) -> Arc<Findings> {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.since.elapsed() < FRESH) {
            return Arc::clone(last);
        }
        let checks = (self.run)().await;
        let found = Arc::new(Findings { checks, at: OffsetDateTime::now_utc(), since: Instant::now() });
        *last = Some(Arc::clone(&found));
        found
    }
}
