//! The names of buckets.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::name_type;

/// Names a bucket: 3 to 63 characters of `a-z 0-9 . -`, first and last a letter or digit, no `..`.
///
/// This is S3's rule for general purpose buckets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

impl BucketName {
    /// The default name of the models bucket.
    pub(crate) fn models() -> BucketName {
        BucketName("models".to_owned())
    }
}

name_type!(BucketName, "bucket name", |text| {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let good = (3..=63).contains(&text.len())
        && text.chars().all(inner)
        && edge(text.chars().next())
        && edge(text.chars().last())
        && !text.contains("..");
    if good { Ok(Cow::Borrowed(text)) } else { Err("use 3 to 63 lowercase letters, digits, `.` and `-`") }
});
