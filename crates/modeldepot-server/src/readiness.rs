//! Whether the bucket is reachable, checked at most once a second.

use std::time::{Duration, Instant};

use modeldepot::{ErrorKind, ModelStorage};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::problem::{Problem, Result};

/// How long a result is used.
const HOLDS: Duration = Duration::from_secs(1);

/// How long the bucket may take: probes expect a quick answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The last result, and when it was obtained.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<()>)>>);

impl Readiness {
    /// Returns whether the models bucket is reachable.
    pub(crate) async fn of(&self, storage: &ModelStorage) -> Result<()> {
        let mut last = self.0.lock().await;
        if let Some((at, found)) = &*last
            && at.elapsed() < HOLDS
        {
            return found.clone();
        }
        let found = look(storage).await;
        *last = Some((Instant::now(), found.clone()));
        found
    }
}

async fn look(storage: &ModelStorage) -> Result<()> {
    let (client, bucket) = (storage.depot(), storage.bucket());
    let exists = timeout(PATIENCE, client.bucket_exists(bucket)).await;
    let exists = exists.map_err(|_| Problem::new(ErrorKind::Unavailable, "the S3 server did not answer in time"))?;
    if exists? {
        return Ok(());
    }
    Err(Problem::from(modeldepot::Error::bucket_not_found(bucket.clone(), client.endpoint())))
}

/// Returns the failure as shown to strangers, without endpoint, bucket or cause.
pub(crate) fn for_strangers() -> Problem {
    Problem::new(ErrorKind::Unavailable, "the models bucket cannot be used").hint("send a token to see the reason")
}
