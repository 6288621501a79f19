//! Rules for comparing versions that the API and the console share.

/// The most versions in one comparison.
pub(crate) const MOST: usize = 5;
