//! How long is waited for what: every limit in time is here, as a multiple of the one that is a setting.

use std::time::Duration;

use crate::settings::Timeouts;

/// The most of an answer that is read into memory before anything is known of it. A page of a thousand keys of the greatest
/// length, each byte escaped, is a third of it.
const ANSWER: u64 = 16 * 1024 * 1024;

/// The most of a refusal that is read. What it says is in its first lines.
const REFUSAL: u64 = 256 * 1024;

/// What a connection waits for, and how much it takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::s3) struct TimeLimits {
    /// Until the head of the answer is there, once the server has all bytes.
    pub(in crate::s3) answer: Duration,
    /// While bytes are to be sent and the server takes none.
    pub(in crate::s3) sending: Duration,
    /// While bytes are to come and none does.
    pub(in crate::s3) standstill: Duration,
    /// Fewer bytes in so long are a standstill too: a server that sends one byte a second is never done.
    pub(in crate::s3) slowest: (u64, Duration),
    /// The most bytes of an answer; none where the caller counts them.
    pub(in crate::s3) most: Option<u64>,
    /// The most bytes of a refusal. What comes after is not read.
    pub(in crate::s3) refusal: u64,
}

impl TimeLimits {
    /// For requests that are answered from what the server knows.
    pub(in crate::s3) fn small(timeouts: &Timeouts) -> Self {
        let Timeouts { answer, .. } = *timeouts;
        TimeLimits {
            answer,
            sending: answer,
            standstill: answer,
            slowest: (256 * answer.as_secs().max(1) * 3, answer * 3),
            most: Some(ANSWER),
            refusal: REFUSAL,
        }
    }

    /// For bytes that come.
    pub(in crate::s3) fn reading(timeouts: &Timeouts) -> Self {
        TimeLimits { standstill: timeouts.answer * 3 / 2, most: None, ..Self::small(timeouts) }
    }

    /// For bytes that go. A server that syncs a large part to a slow disk, or makes an object of ten thousand parts, is
    /// silent for long; AWS sends a blank now and then meanwhile.
    pub(in crate::s3) fn writing(timeouts: &Timeouts) -> Self {
        TimeLimits {
            answer: timeouts.answer * 6,
            sending: timeouts.answer * 3,
            standstill: timeouts.answer * 6,
            slowest: (1, timeouts.answer * 30),
            ..Self::small(timeouts)
        }
    }
}

/// How long a small request may take with all its repetitions.
pub(in crate::s3) fn small(timeouts: &Timeouts) -> Duration {
    timeouts.answer * 5 / 2
}
