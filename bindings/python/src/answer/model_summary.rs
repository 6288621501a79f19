use modeldepot::units::{plural, size};
use pyo3::prelude::*;
use time::OffsetDateTime;

use super::moment;
use crate::html;

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
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct ModelSummary(pub(super) modeldepot::ModelSummary);

impl From<modeldepot::ModelSummary> for ModelSummary {
    fn from(summary: modeldepot::ModelSummary) -> Self {
        Self(summary)
    }
}

#[pymethods]
impl ModelSummary {
    #[getter]
    fn name(&self) -> &str {
        self.0.model.as_str()
    }

    #[getter]
    fn latest(&self) -> &str {
        self.0.latest.as_str()
    }

    #[getter]
    fn versions(&self) -> usize {
        self.0.versions
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size
    }

    #[getter]
    fn published(&self) -> Option<OffsetDateTime> {
        moment(self.0.published)
    }

    #[getter]
    fn damaged(&self) -> usize {
        self.0.damaged
    }

    #[getter]
    fn latest_damaged(&self) -> bool {
        self.0.latest_damaged
    }

    fn __str__(&self) -> &str {
        self.name()
    }

    fn __repr__(&self) -> String {
        let (name, latest) = (self.name(), self.latest());
        format!("ModelSummary({name}, latest {latest}, {}, {})", plural(self.0.versions, "version"), size(self.0.size))
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        let (latest, versions) = (self.latest().to_owned(), self.0.versions.to_string());
        html::fields(self.name(), &[("latest", latest), ("versions", versions), ("size", size(self.0.size))])
    }
}
