//! Lifecycle rules: when objects and uploads are due.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::index::record::Object;

/// A day in seconds.
pub(crate) const DAY: i64 = 24 * 60 * 60;

/// One lifecycle rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    /// Whether the prefix was given in the deprecated form, without a filter.
    #[serde(default)]
    pub(crate) legacy: bool,
    #[serde(default)]
    pub(crate) filter: Filter,
    /// After how many days objects expire.
    pub(crate) days: Option<i32>,
    /// When objects expire, in seconds since 1970.
    pub(crate) date: Option<i64>,
    /// After how many days an unfinished upload is aborted.
    pub(crate) abort: Option<i32>,
}

/// The objects that a rule applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) larger: Option<u64>,
    #[serde(default)]
    pub(crate) smaller: Option<u64>,
}

/// Returns when something that began at `since` is due: S3 rounds up to the next midnight.
fn due(since: i64, days: i32) -> i64 {
    let exact = since.saturating_add(i64::from(days) * DAY);
    exact.saturating_add(DAY - 1).div_euclid(DAY) * DAY
}

impl Rule {
    pub(super) fn expires(&self, key: &str, object: &Object, now: i64) -> bool {
        let filter = &self.filter;
        let is_due = match (self.days, self.date) {
            (Some(days), _) => due(object.modified, days) <= now,
            (None, Some(date)) => date <= now,
            (None, None) => false,
        };
        self.enabled
            && is_due
            && key.starts_with(&filter.prefix)
            && filter.larger.is_none_or(|size| object.size > size)
            && filter.smaller.is_none_or(|size| object.size < size)
            && filter.tags.iter().all(|(name, value)| object.description.tags.get(name) == Some(value))
    }

    pub(super) fn gives_up(&self, key: &str, initiated: i64, now: i64) -> bool {
        self.enabled
            && key.starts_with(&self.filter.prefix)
            && self.abort.is_some_and(|days| due(initiated, days) <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_end_at_midnight() {
        assert_eq!(due(0, 1), DAY);
        assert_eq!(due(1, 1), 2 * DAY);
        assert_eq!(due(DAY, 30), 31 * DAY);
        assert!(due(i64::MAX - 1, i32::MAX) > 0, "no overflow");
    }
}
