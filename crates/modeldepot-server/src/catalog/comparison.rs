//! Rules for comparing versions that the API and the console share.

use modeldepot::StoredFile;

/// The most versions in one comparison.
pub(crate) const MOST: usize = 5;

/// Returns true if two versions have the same file at a path, or neither has one.
pub(crate) fn alike(a: Option<&StoredFile>, b: Option<&StoredFile>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.is_like(b),
        _ => false,
    }
}
