//! The names of new versions, as people type them.

use modeldepot::{NameError, Version};

/// Returns the version to publish: without a `v` before its number, also in upper case.
///
/// # Errors
/// [`NameError`] for a text that cannot be a version.
pub fn new_version(text: &str) -> Result<Version, NameError> {
    let number = text.strip_prefix('V').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    number.unwrap_or(text).parse()
}
