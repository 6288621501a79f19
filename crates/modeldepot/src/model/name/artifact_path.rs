//! The paths of files in a version.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::name_type;

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn parsing_is_idempotent(text in "\\PC{0,20}") {
            if let Ok(path) = text.parse::<ArtifactPath>() {
                prop_assert_eq!(path.to_string().parse::<ArtifactPath>(), Ok(path));
            }
        }
    }
}
