//! The names that people type and the bucket stores, each parsed once, on input.
//!
//! Every type has a private field and is created only by [`FromStr`], which serde uses as well, so that a value proves
//! that its rule holds. The rules are those of `docs/format.md`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::setters::setters;
use crate::visible::visible;

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
fn shown(text: &str) -> String {
    let clean = visible(text);
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

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<Cow<'_, str>, &'static str> = $check;
                match check(text) {
                    Ok(name) => Ok(Self(name.into_owned())),
                    Err(rule) => Err(NameError { what: $what, text: text.to_owned(), rule }),
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

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

/// Names one immutable publication of a model.
///
/// - 1 to 128 characters of `A-Z a-z 0-9 . _ + -`, the first one a letter or a digit
/// - a leading `v` before a digit is accepted on input and dropped: `v1.2` is `1.2`
///
/// Versions are in natural order of their text (runs of digits compare as numbers); two semantic versions compare as
/// such, so `1.0.0-rc.1` comes before `1.0.0`. The order is total: among all others, a semantic version sorts by its
/// `major.minor.patch`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(extend("pattern" = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$"))
)]
pub struct Version(String);

name_type!(Version, "version", |text| {
    let text = match text.strip_prefix('v') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => text,
    };
    plain(text, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'))
        .ok_or("use 1 to 128 letters, digits, `.`, `_`, `+` and `-`, the first one a letter or digit")
});

impl Version {
    /// Returns the default version of a publication at `time`: the UTC second as `YYYYMMDD_HHMMSS`.
    pub fn at(time: time::OffsetDateTime) -> Version {
        let t = time.to_offset(time::UtcOffset::UTC);
        Version(format!(
            "{:04}{:02}{:02}_{:02}{:02}{:02}",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        ))
    }

    /// Returns true for `latest` in any case, which no new version may be named: `MODEL@latest` means the latest version.
    /// Versions that already have this name can be read and deleted.
    pub fn is_latest(&self) -> bool {
        self.0.eq_ignore_ascii_case("latest")
    }

    /// Returns the text by which it sorts first, and the semantic version if it is one.
    fn core(&self) -> (&str, Option<semver::Version>) {
        // Listings sort tens of thousands of versions: one without a dot is not semantic, and need not be parsed.
        let semantic = self.0.contains('.').then(|| semver::Version::parse(&self.0).ok()).flatten();
        match semantic {
            Some(semantic) => (self.0.split(['-', '+']).next().unwrap_or_default(), Some(semantic)),
            None => (&self.0, None),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // A semantic version sorts by its core first; only then does its pre-release count. Comparing each pair by the
        // rule that fits both would not be transitive.
        let ((a_core, a), (b_core, b)) = (self.core(), other.core());
        natural(a_core, b_core)
            .then_with(|| a.is_none().cmp(&b.is_none()))
            .then_with(|| a.cmp(&b))
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two texts, with runs of digits as numbers of any length.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let digits = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        let (n, m) = (digits(a), digits(b));
        let order = if n > 0 && m > 0 {
            let zeros = |s: &[u8]| s.iter().take_while(|c| **c == b'0').count();
            let (x, y) = (&a[zeros(&a[..n])..n], &b[zeros(&b[..m])..m]);
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            (a, b) = (&a[n..], &b[m..]);
            order
        } else {
            let order = x.cmp(y);
            (a, b) = (&a[1..], &b[1..]);
            order
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// Names a file of a version, relative to the version's folder.
///
/// - `/`-separated, relative, at most 512 bytes
/// - segments of at most 255 bytes: no file system takes longer names
/// - no empty, `.` or `..` segment, no control character, no backslash, no U+FFFE or U+FFFF, which no XML can hold
/// - the first segment is neither `manifest.json`, the version's own record, nor starts with `.modeldepot`, as the
///   files of a pull in its folder do; nor is it a spelling that a file system may treat as the same name
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minLength" = 1, "maxLength" = 512)))]
pub struct ArtifactPath(String);

name_type!(ArtifactPath, "artifact path", |text| {
    // Every key of a listing passes here, and nearly all are ASCII.
    let (refused, unknown) = match text.is_ascii() {
        true => (text.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\'), false),
        false => (text.contains(|c: char| c.is_control() || c == '\\'), text.contains(['\u{fffe}', '\u{ffff}'])),
    };
    let first = text.split('/').next().unwrap_or_default();
    if text.is_empty() || text.len() > 512 {
        Err("use 1 to 512 bytes")
    } else if text.starts_with('/') {
        Err("it must be relative")
    } else if unknown {
        Err("U+FFFE and U+FFFF are not allowed")
    } else if refused {
        Err("control characters and backslashes are not allowed")
    } else if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        Err("empty, `.` and `..` segments are not allowed")
    } else if text.len() > 255 && text.split('/').any(|segment| segment.len() > 255) {
        Err("use at most 255 bytes between two `/`")
    } else if is_record(first) {
        Err("`manifest.json` is the version's own record; rename the file")
    } else if is_own(first) {
        Err("names that begin with `.modeldepot` are modeldepot's own; rename the file")
    } else {
        Ok(Cow::Borrowed(text))
    }
});

fn is_record(first: &str) -> bool {
    match first.is_ascii() {
        true => first.trim_end_matches(['.', ' ']).eq_ignore_ascii_case("manifest.json"),
        false => folded(first) == "manifest.json",
    }
}

fn is_own(first: &str) -> bool {
    match first.is_ascii() {
        true => first.get(..OWN.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(OWN)),
        false => folded(first).starts_with(OWN),
    }
}

/// The prefix of all names of modeldepot's own files.
pub(crate) const OWN: &str = ".modeldepot";

/// Returns a name as seen by a file system that ignores case, trailing dots and spaces, and invisible characters.
pub(crate) fn folded(segment: &str) -> String {
    let seen = |c: &char| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let name: String = segment.chars().filter(seen).flat_map(char::to_lowercase).collect();
    name.trim_end_matches(['.', ' ']).to_owned()
}

impl ArtifactPath {
    /// Returns the last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns the segments from the outermost folder to the file name.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

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

/// A version as a user names it: `plant_classifier`, `plant_classifier@20251028_181858`, `plant_classifier@latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selector {
    /// The model.
    pub model: ModelName,
    /// The exact version; `None` for the latest.
    pub version: Option<Version>,
}

impl Selector {
    /// Selects the latest version of a model.
    pub fn new(model: ModelName) -> Selector {
        Selector { model, version: None }
    }
}

setters!(Selector { some version: Version });

impl FromStr for Selector {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (model, version) = match text.split_once('@') {
            Some((model, version)) => (model, Some(version)),
            None => (text, None),
        };
        let version = match version {
            None | Some("latest") => None,
            Some(version) => Some(version.parse()?),
        };
        Ok(Selector { model: model.parse()?, version })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.model),
            None => write!(f, "{}", self.model),
        }
    }
}

fn plain(text: &str, allowed: impl Fn(char) -> bool) -> Option<Cow<'_, str>> {
    let good = (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(allowed);
    good.then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

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
    fn a_leading_v_before_a_digit_is_dropped() {
        assert_eq!(version("v20251028_181858").as_str(), "20251028_181858");
        assert_eq!(version("vision").as_str(), "vision");
        assert!("v".parse::<Version>().is_ok());
        assert!("1/2".parse::<Version>().is_err());
    }

    #[test]
    fn automatic_versions_are_utc_seconds() {
        let noon = time::macros::datetime!(2025-10-28 20:18:58.9 +2);
        assert_eq!(Version::at(noon).as_str(), "20251028_181858");
    }

    #[test]
    fn versions_sort_as_people_expect() {
        let sorted = [
            "1.0.0-rc.1",
            "1.0.0-rc.2",
            "1.0.0-rc.10",
            "1.0.0",
            "1.0.0-",
            "1.2",
            "1.9.0",
            "1.10.0",
            "9",
            "10",
            "20251028_181858",
            "20251028_181900",
            "final",
        ];
        let mut shuffled: Vec<Version> = sorted.iter().rev().map(|v| version(v)).collect();
        shuffled.sort();
        assert_eq!(shuffled.iter().map(Version::as_str).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn publishers() {
        for good in ["ci", "ana@laptop", "https://ci.example/job/7", "Zoë Ö", &"x".repeat(256)] {
            assert!(good.parse::<PublishedBy>().is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\u{200b}", "\u{85}", &"x".repeat(257)] {
            assert!(bad.parse::<PublishedBy>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn artifact_paths() {
        for good in [
            "best_model.pth",
            "a/b/c",
            "weights/manifest.json",
            "modèle ü.bin",
            "...",
            "-",
            "a b",
            "a/.modeldepot",
            &"x".repeat(255),
        ] {
            assert!(good.parse::<ArtifactPath>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "a\0b",
            "manifest.json",
            "Manifest.JSON",
            "manifest.json/x",
            "manifest.json. ",
            ".modeldepot-staging/x",
            ".ModelDepot",
            ".model\u{200c}depot-files.json",
            "a\u{ffff}",
            &"x".repeat(256),
            &"x/".repeat(257)[..513],
        ] {
            assert!(bad.parse::<ArtifactPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn selectors() {
        assert_eq!("m@v1".parse::<Selector>().unwrap().to_string(), "m@1");
        assert_eq!("m@latest".parse::<Selector>().unwrap().to_string(), "m");
        assert!("m@".parse::<Selector>().is_err());
        assert!("@1".parse::<Selector>().is_err());
    }

    #[test]
    fn refusals_are_one_clean_line() {
        insta::assert_snapshot!("a\u{1b}[31m/b".parse::<ModelName>().unwrap_err(), @r"`a\u{1b}[31m/b` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit");
    }

    fn any_version() -> impl Strategy<Value = Version> {
        prop_oneof![
            "[0-9]\\.[0-9]\\.[0-9](-[a-z0-9.]{1,4}|[-+.][0-9a-z]{0,3})?",
            "[A-Za-z0-9][A-Za-z0-9._+-]{0,6}",
            "0{0,3}[0-9]{1,3}"
        ]
        .prop_map(|text| version(&text))
    }

    proptest! {
        #[test]
        fn the_order_of_versions_is_total(a in any_version(), b in any_version(), c in any_version()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b).is_eq());
            if a <= b && b <= c {
                prop_assert!(a <= c, "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn parsing_is_idempotent(text in "\\PC{0,20}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert!(!version.as_str().is_empty());
            }
            if let Ok(path) = text.parse::<ArtifactPath>() {
                prop_assert_eq!(path.to_string().parse::<ArtifactPath>(), Ok(path));
            }
        }
    }
}
