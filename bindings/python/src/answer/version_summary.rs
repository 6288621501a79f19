use modeldepot::units::{plural, size};
use pyo3::IntoPyObjectExt as _;
use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::PyString;
use time::OffsetDateTime;

use super::moment;
use crate::html;

/// A version in a listing.
///
/// ``str()`` of it is the version. It compares equal to that string and can be passed as a version. Two of them
/// compare in version order: ``1.9`` before ``1.10``.
///
/// Attributes
/// ----------
/// version : str
///     The version.
/// files : int
///     Number of files, without the manifest.
/// size : int
///     Total size of its files in bytes.
/// published : datetime.datetime or None
///     Publication time by the server's clock, in UTC.
/// damaged : bool
///     Whether files are missing from the bucket, as far as the listing shows.
#[pyclass(frozen, module = "modeldepot")]
pub(crate) struct VersionSummary(pub(super) modeldepot::VersionSummary);

impl From<modeldepot::VersionSummary> for VersionSummary {
    fn from(summary: modeldepot::VersionSummary) -> Self {
        Self(summary)
    }
}

#[pymethods]
impl VersionSummary {
    #[getter]
    pub(crate) fn version(&self) -> &str {
        self.0.version.as_str()
    }

    #[getter]
    fn files(&self) -> usize {
        self.0.files
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
    fn damaged(&self) -> bool {
        self.0.damaged
    }

    fn __str__(&self) -> &str {
        self.version()
    }

    fn __repr__(&self) -> String {
        let damaged = if self.0.damaged { ", damaged" } else { "" };
        let (files, size) = (plural(self.0.files, "file"), size(self.0.size));
        format!("VersionSummary({}, {files}, {size}{damaged})", self.version())
    }

    /// As that of the text, which it equals.
    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyString::new(py, self.version()).hash()
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let ordering = match other.cast::<VersionSummary>() {
            Ok(other) => Some(self.0.version.cmp(&other.get().0.version)),
            Err(_) => other.extract::<String>().ok().and_then(|text| Some(self.0.version.cmp(&text.parse().ok()?))),
        };
        match (ordering, op) {
            (Some(ordering), op) => op.matches(ordering).into_py_any(py),
            // A text that is no version.
            (None, CompareOp::Eq | CompareOp::Ne) if other.is_instance_of::<PyString>() => {
                matches!(op, CompareOp::Ne).into_py_any(py)
            }
            (None, _) => Ok(py.NotImplemented()),
        }
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        html::fields(self.version(), &[("files", self.0.files.to_string()), ("size", size(self.0.size))])
    }
}
