//! The location of the depot within a bucket that is shared with other data.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::model::name::NameError;

/// The folder of a bucket that holds the models: empty for the whole bucket, otherwise text that ends with `/`.
///
/// - at most 200 bytes, so that every key of a version fits into S3's 1024
/// - `/`-separated segments, none of them empty, `.`, `..` or `.depot`
/// - no control character, no backslash, no U+FFFE or U+FFFF
///
/// A `/` at either end is accepted and makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeyPrefix(String);

/// Leaves room in 1024 bytes for the longest model, version and path, with their separators.
const LONGEST: usize = 200;

impl KeyPrefix {
    /// Returns the prefix with which keys start.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true when the depot is the whole bucket.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the key in the bucket of a key in the depot.
    pub fn whole<'k>(&self, key: &'k str) -> Cow<'k, str> {
        if self.is_empty() { Cow::Borrowed(key) } else { Cow::Owned(format!("{}{key}", self.0)) }
    }

    /// Returns the key within the depot of a key of the bucket, if it is in the depot.
    pub fn within<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(self.as_str())
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyPrefix {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = |rule| Err(NameError { what: "key prefix", text: text.to_owned(), rule });
        let inner = text.strip_prefix('/').unwrap_or(text);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if matches!(text, "" | "/") {
            return Ok(Self::default());
        }
        if inner.len() >= LONGEST {
            return refused("use at most 199 bytes");
        }
        if inner.split('/').any(|segment| matches!(segment, "" | "." | ".." | ".depot")) {
            return refused("no segment may be empty, `.`, `..` or `.depot`");
        }
        if inner.contains(|c: char| c.is_control() || matches!(c, '\\' | '\u{fffe}' | '\u{ffff}')) {
            return refused("control characters, backslashes, U+FFFE and U+FFFF are not allowed");
        }
        Ok(Self(format!("{inner}/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> KeyPrefix {
        text.parse().unwrap()
    }

    #[test]
    fn slashes_at_the_ends_make_no_difference() {
        for text in ["team/ml", "/team/ml", "team/ml/", "/team/ml/"] {
            assert_eq!(prefix(text).as_str(), "team/ml/");
        }
        assert!(prefix("").is_empty() && prefix("/").is_empty());
    }

    #[test]
    fn keys_are_translated_both_ways() {
        let ml = prefix("team/ml");
        assert_eq!(ml.whole("m/v1/f"), "team/ml/m/v1/f");
        assert_eq!(ml.within("team/ml/m/v1/f"), Some("m/v1/f"));
        assert_eq!(ml.within("team/ml2/m/v1/f"), None, "a neighbour whose name begins alike");
        assert_eq!(KeyPrefix::default().within("m/v1/f"), Some("m/v1/f"));
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        let long = "x".repeat(LONGEST);
        for text in ["a//b", "//", "a/../b", "./a", "a/.", ".depot", "a/.depot/b", "a\nb", "a\\b", "a\u{ffff}", &long] {
            assert!(text.parse::<KeyPrefix>().is_err(), "{text:?}");
        }
        assert!("é ü/+%".parse::<KeyPrefix>().is_ok());
    }
}
