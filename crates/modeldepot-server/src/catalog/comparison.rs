//! What the API and the console agree on when they compare versions.

/// The most versions in one comparison.
pub(crate) const MOST: usize = 5;
