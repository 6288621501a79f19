//! Who published a version.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::name_type;

/// The publisher of a version: the name of a token, `user@host`, or the address of a CI job.
///
/// - 1 to 256 bytes
/// - no control characters, and none that change the direction of text or are invisible
/// - no whitespace at either end
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minLength" = 1, "maxLength" = 256)))]
pub struct PublishedBy(String);

name_type!(PublishedBy, "publisher", |text| {
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.is_empty() || text.len() > 256 {
        Err("use 1 to 256 bytes")
    } else if text.contains(unseen) {
        Err("control characters and characters that cannot be seen are not allowed")
    } else if text.trim() != text {
        Err("it must not begin or end with a blank")
    } else {
        Ok(Cow::Borrowed(text))
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers() {
        for good in ["ci", "ana@laptop", "https://ci.example/job/7", "Zoë Ö", &"x".repeat(256)] {
            assert!(good.parse::<PublishedBy>().is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\u{200b}", "\u{85}", &"x".repeat(257)] {
            assert!(bad.parse::<PublishedBy>().is_err(), "{bad:?}");
        }
    }
}
