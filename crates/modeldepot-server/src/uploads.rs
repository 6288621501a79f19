//! What is on its way to be published.

/// Uploads that were begun and not completed.
#[derive(Default)]
pub(crate) struct Uploads;
