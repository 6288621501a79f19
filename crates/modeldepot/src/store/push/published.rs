//! The result of a push.

use serde::{Deserialize, Serialize};

use super::left_out::LeftOut;
use super::{ModelStorage, Push};
use crate::model::manifest::Manifest;
use crate::model::name::Version;
use crate::store::ownership::Foreign;

/// What was published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// The version's manifest.
    pub manifest: Manifest,
    /// True when the same content had already been published, so that nothing was done.
    pub already: bool,
    /// Bytes that the server already had from an interrupted push of the same files.
    pub kept: u64,
    /// Bytes that were copied within the server from an earlier version.
    pub copied: u64,
    /// Objects under the version's prefix that are not part of it and that modeldepot did not create.
    pub foreign: Foreign,
    /// Entries of the pushed folder that do not belong in a version.
    pub left_out: Vec<LeftOut>,
    /// Patterns that matched nothing.
    pub unmatched: Vec<String>,
    /// The latest version of the model, if that is another one than the published, as far as a listing shows it.
    #[serde(default)]
    pub latest: Option<Version>,
}

impl Published {
    pub(super) fn of(manifest: Manifest, already: bool, kept: u64, copied: u64) -> Published {
        let (foreign, left_out, unmatched) = (Foreign::default(), Vec::new(), Vec::new());
        Published { manifest, already, kept, copied, foreign, left_out, unmatched, latest: None }
    }

    /// Returns what the publisher may not have expected, as sentences: the model file is empty, or another version is
    /// still the latest.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let main = self.manifest.main().ok();
        if let Some(main) = main
            && self.manifest.files.iter().flatten().any(|file| file.path == main && file.size == 0)
        {
            warnings.push(format!("the model file `{main}` is empty"));
        }
        if let Some(latest) = &self.latest {
            let (model, version) = (&self.manifest.model_name, &self.manifest.version);
            warnings.push(format!("`{model}@latest` is still `{latest}`, which sorts after `{version}`"));
        }
        warnings
    }
}

impl ModelStorage {
    /// Returns the latest version of the model if it sorts after the one that is pushed. A version that was named by its
    /// time counts as the latest.
    pub(super) async fn later_than(&self, push: &Push) -> Option<Version> {
        let version = push.version.as_ref()?;
        let later = self.named_versions(&push.model, 1).await.ok()??;
        // Folders may also belong to unpublished and deleted versions; a few of these are skipped.
        for found in later.into_iter().rev().take_while(|found| found > version).take(3) {
            if matches!(self.standing(&push.model, &found).await, Ok(Some(_))) {
                return Some(found);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(sizes: &[(&str, u64)], latest: Option<&str>) -> Vec<String> {
        let blake3 = "0".repeat(64);
        let files = sizes.iter().map(|(path, size)| serde_json::json!({"path": path, "size": size, "blake3": blake3}));
        let manifest = serde_json::json!({
            "model_name": "m",
            "version": "1",
            "model_file": "m/v1/m.bin",
            "files": files.collect::<Vec<_>>(),
        });
        let mut published = Published::of(serde_json::from_value(manifest).unwrap(), false, 0, 0);
        published.latest = latest.map(|latest| latest.parse().unwrap());
        published.warnings()
    }

    #[test]
    fn what_the_publisher_may_not_expect_is_said() {
        assert_eq!(published(&[("m.bin", 1), ("empty.txt", 0)], None), [""; 0]);
        assert_eq!(published(&[("empty.txt", 0), ("m.bin", 1)], None), [""; 0]);
        assert_eq!(published(&[("a.txt", 1), ("m.bin", 0)], None), ["the model file `m.bin` is empty"]);
        assert_eq!(
            published(&[("m.bin", 0)], Some("2")),
            ["the model file `m.bin` is empty", "`m@latest` is still `2`, which sorts after `1`"]
        );
    }
}
