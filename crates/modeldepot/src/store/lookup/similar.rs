//! Names that may have been meant.

use std::collections::BTreeSet;

use super::summary::VersionSummary;
use crate::model::name::Version;

/// Returns similar versions, or else the latest one.
pub(super) fn similar_versions(version: &Version, versions: Vec<VersionSummary>) -> Vec<Version> {
    let names: Vec<_> = versions.into_iter().map(|summary| summary.version).collect();
    let latest = names.last().cloned();
    let close = similar(version.as_str(), names, Version::as_str);
    if close.is_empty() { latest.into_iter().collect() } else { close }
}

/// Returns up to three names that are a typing error away from `wanted`, closest first.
pub(super) fn similar<T: Ord>(wanted: &str, names: Vec<T>, text: impl Fn(&T) -> &str) -> Vec<T> {
    let wanted = wanted.to_lowercase();
    let scored: BTreeSet<(usize, T)> = names
        .into_iter()
        .filter_map(|name| {
            let other = text(&name).to_lowercase();
            let inside = other.contains(&wanted) || wanted.contains(&other);
            let distance = strsim::damerau_levenshtein(&wanted, &other);
            (inside || distance <= 1 + wanted.len() / 5).then_some((distance, name))
        })
        .collect();
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_guessed() {
        let names = || vec!["plant_classifier", "plant_segmenter", "whale"];
        assert_eq!(similar("plant_clasifier", names(), |n| n), ["plant_classifier"]);
        assert_eq!(similar("plant", names(), |n| n), ["plant_segmenter", "plant_classifier"]);
        assert_eq!(similar("zebra", names(), |n| n), [""; 0]);
    }
}
