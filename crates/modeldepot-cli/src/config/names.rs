//! The names of all settings, for recognizing misspelled ones.

use modeldepot::advice::misspelled;

const PREFIX: &str = "S3_";

/// The names with this prefix.
const OWN: [&str; 16] = [
    "S3_ACCESS_KEY",
    "S3_ADDRESSING",
    "S3_BUCKET_DATA",
    "S3_BUCKET_IMAGES",
    "S3_BUCKET_MODELS",
    "S3_CONNECT_TIMEOUT",
    "S3_ENDPOINT",
    "S3_EXPECTED_BUCKET_OWNER",
    "S3_KMS_KEY",
    "S3_PREFIX",
    "S3_REGION",
    "S3_REQUEST_PAYER",
    "S3_SECRET_KEY",
    "S3_SSE",
    "S3_STORAGE_CLASS",
    "S3_TIMEOUT",
];

/// Names that other programs use for our settings, too different to be found by similarity.
const ALIASES: [(&str, &str); 18] = [
    ("S3_ACCESS_KEY_ID", "S3_ACCESS_KEY"),
    ("S3_KEY", "S3_ACCESS_KEY"),
    ("S3_KEY_ID", "S3_ACCESS_KEY"),
    ("S3_USER", "S3_ACCESS_KEY"),
    ("S3_ACCESS", "S3_ACCESS_KEY"),
    ("S3_SECRET", "S3_SECRET_KEY"),
    ("S3_SECRET_ACCESS_KEY", "S3_SECRET_KEY"),
    ("S3_ACCESS_SECRET", "S3_SECRET_KEY"),
    ("S3_PASSWORD", "S3_SECRET_KEY"),
    ("S3_ENDPOINT_URL", "S3_ENDPOINT"),
    ("S3_URL", "S3_ENDPOINT"),
    ("S3_HOST", "S3_ENDPOINT"),
    ("S3_SERVER", "S3_ENDPOINT"),
    ("S3_DEFAULT_REGION", "S3_REGION"),
    ("S3_REGION_NAME", "S3_REGION"),
    ("S3_BUCKET", "S3_BUCKET_MODELS"),
    ("S3_BUCKET_NAME", "S3_BUCKET_MODELS"),
    ("S3_ADDRESSING_STYLE", "S3_ADDRESSING"),
];

/// Names that TensorFlow and other programs use, which are not misspelled.
const OTHERS: [&str; 5] =
    ["S3_USE_HTTPS", "S3_VERIFY_SSL", "S3_REQUEST_TIMEOUT_MSEC", "S3_CONNECT_TIMEOUT_MSEC", "S3_LOG_LEVEL"];

/// Returns the setting that was probably meant by an unknown name.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    if !upper.starts_with(PREFIX) || OWN.contains(&name) || OTHERS.contains(&upper.as_str()) {
        return None;
    }
    if let Some((_, meant)) = ALIASES.iter().find(|(alias, _)| *alias == upper) {
        return Some(meant);
    }
    // Compared without what all of them begin with, which would make any two of them alike.
    let rest = |name: &'static str| &name[PREFIX.len()..];
    let nearest = misspelled(&upper[PREFIX.len()..], OWN.into_iter().map(rest))?;
    OWN.into_iter().find(|name| rest(name) == nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_names_are_told_from_those_of_others() {
        for (name, wanted) in [
            ("S3_ENDPOINT_URL", Some("S3_ENDPOINT")),
            ("S3_ENDPIONT", Some("S3_ENDPOINT")),
            ("s3_endpoint", Some("S3_ENDPOINT")),
            ("S3_ACCESS_KEY_ID", Some("S3_ACCESS_KEY")),
            ("S3_ACESS_KEY", Some("S3_ACCESS_KEY")),
            ("S3_SECRET", Some("S3_SECRET_KEY")),
            ("S3_SECRETKEY", Some("S3_SECRET_KEY")),
            ("S3_BUCKET", Some("S3_BUCKET_MODELS")),
            ("S3_BUCKET_MODEL", Some("S3_BUCKET_MODELS")),
            ("S3_BUCKETS_DATA", Some("S3_BUCKET_DATA")),
            ("S3_ENDPOINT", None),
            ("S3_USE_HTTPS", None),
            ("S3_UPLOAD_WORKERS", None),
            ("S3_BUCKET_UPLOADS", None),
            ("S3_TIMEOUT_MS", None),
            ("S3_", None),
            ("S3_CDN_URL", None),
            ("AWS_ENDPOINT", None),
            ("PATH", None),
        ] {
            assert_eq!(meant(name), wanted, "{name}");
        }
    }

    /// Unless every setting is known here, using it would cause a warning.
    #[test]
    fn every_name_that_is_read_is_known() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let mut folders = vec![std::path::PathBuf::from(root)];
        let mut read = std::collections::BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.extend(Some(path).filter(|path| !path.ends_with("tests") && !path.ends_with("target")));
                } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("names.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    read.extend(text.split('"').filter(|text| is_name(text)).map(str::to_owned));
                }
            }
        }
        let unknown: Vec<_> = read.iter().filter(|name| !OWN.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "add them: {unknown:?}");
    }

    #[test]
    fn every_name_stands_among_the_documented_settings() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md")).unwrap();
        let missing: Vec<_> = OWN.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "add them to docs/settings.md: {missing:?}");
    }

    fn is_name(text: &str) -> bool {
        text.len() > 3 && text.starts_with("S3_") && text.bytes().all(|b| b.is_ascii_uppercase() || b"_3".contains(&b))
    }
}
