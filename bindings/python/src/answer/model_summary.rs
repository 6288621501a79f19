use modeldepot::units::{plural, size};
use time::OffsetDateTime;

use super::declare::{Shown, answer};
use super::value::moment;
use crate::html;

answer! {
    /// A model in a listing.
    ///
    /// ``str()`` of it is its name.
    ///
    /// Attributes
    /// ----------
    /// name : str
    ///     The model's name.
    /// latest : str
    ///     The latest version.
    /// versions : int
    ///     Number of versions.
    /// size : int
    ///     Total size of all versions in bytes.
    /// published : datetime.datetime or None
    ///     Time of the last publication by the server's clock, in UTC.
    /// damaged : int
    ///     Number of versions with missing files, as far as the listing shows.
    /// latest_damaged : bool
    ///     Whether the latest version is one of them.
    ModelSummary {
        name: String,
        latest: String,
        versions: usize,
        size: u64,
        #[serde(with = "time::serde::rfc3339::option")]
        published: Option<OffsetDateTime>,
        damaged: usize,
        latest_damaged: bool,
    }
    hidden {}
}

impl From<modeldepot::ModelSummary> for ModelSummary {
    fn from(summary: modeldepot::ModelSummary) -> Self {
        Self {
            name: summary.model.to_string(),
            latest: summary.latest.to_string(),
            versions: summary.versions,
            size: summary.size,
            published: moment(summary.published),
            damaged: summary.damaged,
            latest_damaged: summary.latest_damaged,
        }
    }
}

impl Shown for ModelSummary {
    fn text(&self) -> String {
        self.name.clone()
    }

    fn repr(&self) -> String {
        let (versions, size) = (plural(self.versions, "version"), size(self.size));
        format!("ModelSummary({}, latest {}, {versions}, {size})", self.name, self.latest)
    }

    fn html(&self) -> String {
        let (latest, versions) = (self.latest.clone(), self.versions.to_string());
        html::fields(&self.name, &[("latest", latest), ("versions", versions), ("size", size(self.size))])
    }
}
