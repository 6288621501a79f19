//! Trying again: with pauses that grow and differ, so that many clients do not come back at the same moment.

use std::time::Duration;

use crate::error::{Error, Result};

/// How often something is tried that fails for reasons that may pass: for about half a minute in all.
const MOST: u32 = 10;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Counts the attempts at one thing.
#[derive(Debug, Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Waits before the next attempt, or gives the error back when another would not help.
    pub(super) async fn again(&mut self, error: Error) -> Result<()> {
        self.0 += 1;
        if self.0 >= MOST || !matches!(error, Error::Unavailable { .. } | Error::Unreachable { .. }) {
            return Err(error);
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (self.0 - 1)).min(LONGEST_PAUSE);
        let pause = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        tracing::debug!(%error, attempt = self.0, ?pause, "trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
