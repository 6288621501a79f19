//! The names that people type and the bucket stores, each parsed once, on input.
//!
//! Every type has a private field and is created only by [`FromStr`](std::str::FromStr), which serde uses as well, so that
//! a value proves that its rule holds. The rules are those of `docs/format.md`.

mod artifact_path;
mod bucket;
mod publisher;
mod selector;
mod version;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::visible::visible;

pub use self::artifact_path::ArtifactPath;
pub(crate) use self::artifact_path::{OWN, folded};
pub use self::bucket::BucketName;
pub use self::publisher::PublishedBy;
pub use self::selector::Selector;
pub use self::version::Version;

/// A refused name and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {what}: {rule}", shown(text))]
#[non_exhaustive]
pub struct NameError {
    /// What was being named: `model name`, `version`, `artifact path`, …
    pub what: &'static str,
    /// The text as given.
    pub text: String,
    /// The rule that it breaks, as a sentence without a full stop.
    pub rule: &'static str,
}

/// Returns `text` made safe for one line of a terminal, truncated if it is long.
pub(crate) fn shown(text: &str) -> String {
    // Each character that is kept becomes at least one of the result.
    let first = text.char_indices().nth(81).map_or(text, |(cut, _)| &text[..cut]);
    let clean = visible(first);
    match clean.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &clean[..cut]),
        None => clean.into_owned(),
    }
}

/// Implements `FromStr`, `Display`, serde and access for a name type, through one checking function.
macro_rules! name_type {
    ($type:ident, $what:literal, $check:expr) => {
        impl $type {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::model::name::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::model::name::NameError> {
                let check: fn(&str) -> Result<std::borrow::Cow<'_, str>, &'static str> = $check;
                match check(text) {
                    Ok(name) => Ok(Self(name.into_owned())),
                    Err(rule) => Err($crate::model::name::NameError { what: $what, text: text.to_owned(), rule }),
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::model::name::NameError;

            fn try_from(text: String) -> Result<Self, $crate::model::name::NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

use name_type;

/// Names a model, a line of versions.
///
/// - 1 to 128 characters of `A-Z a-z 0-9 . _ -`
/// - the first one a letter or a digit
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(extend("pattern" = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"))
)]
pub struct ModelName(String);

name_type!(ModelName, "model name", |text| {
    plain(text, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        .ok_or("use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit")
});

fn plain(text: &str, allowed: impl Fn(char) -> bool) -> Option<Cow<'_, str>> {
    let good = (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(allowed);
    good.then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names() {
        for good in ["plant_classifier", "a", "0.1-x", &"m".repeat(128)] {
            assert!(good.parse::<ModelName>().is_ok(), "{good}");
        }
        for bad in ["", ".depot", "_x", "a/b", "é", "a b", "a\n", "..", &"m".repeat(129)] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn refusals_are_one_clean_line() {
        insta::assert_snapshot!("a\u{1b}[31m/b".parse::<ModelName>().unwrap_err(), @r"`a\u{1b}[31m/b` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit");
    }
}
