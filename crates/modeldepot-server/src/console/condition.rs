//! Parses the filter of a table of versions: `val_accuracy>=0.9 architecture=resnet18 2025`.

use modeldepot::Version;

use crate::catalog::listing::{Filter, SIGNS, filters};
use crate::problem::Result;

/// Search words, all of which must match.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// Substrings of the version's name.
    names: Vec<String>,
    /// Conditions on columns, as in the API.
    pub(super) filters: Vec<Filter>,
}

impl Conditions {
    /// Parses the text of the filter field.
    ///
    /// # Errors
    /// An invalid filter, as in the API.
    pub(super) fn parse(text: &str) -> Result<Conditions> {
        // Operators may be surrounded by spaces: `loss < 0.2`.
        let mut text = text.replace(',', " ");
        for (sign, _) in SIGNS {
            for free in [format!(" {sign} "), format!(" {sign}"), format!("{sign} ")] {
                text = text.replace(&free, sign);
            }
        }
        let (filtering, names): (Vec<&str>, Vec<&str>) =
            text.split_whitespace().partition(|word| SIGNS.iter().any(|(sign, _)| word.contains(sign)));
        let names = names.into_iter().map(str::to_lowercase).collect();
        Ok(Conditions { names, filters: filters(filtering.into_iter())? })
    }

    /// Returns whether the version's name matches.
    pub(super) fn names(&self, version: &Version) -> bool {
        let name = version.as_str().to_lowercase();
        self.names.iter().all(|part| name.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_filters_are_told_apart() {
        let version = |name: &str| name.parse::<Version>().unwrap();
        let conditions = Conditions::parse("val_accuracy >= 0.9, 2025 architecture=resnet18").unwrap();
        assert_eq!(conditions.filters.len(), 2);
        assert!(conditions.names(&version("20251028_181858")) && !conditions.names(&version("20241028_181858")));
        assert!(Conditions::parse(">=3").is_err());
        assert!(Conditions::parse(" ").unwrap().filters.is_empty());
    }
}
