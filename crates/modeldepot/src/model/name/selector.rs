//! Choosing a version of a model.

use std::fmt;
use std::str::FromStr;

use super::{ModelName, NameError, Version};
use crate::setters::setters;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        assert_eq!("m@v1".parse::<Selector>().unwrap().to_string(), "m@1");
        assert_eq!("m@latest".parse::<Selector>().unwrap().to_string(), "m");
        assert!("m@".parse::<Selector>().is_err());
        assert!("@1".parse::<Selector>().is_err());
    }
}
