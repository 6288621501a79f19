use modeldepot::Version;
use modeldepot::units::{plural, size};
use pyo3::IntoPyObjectExt as _;
use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::PyString;
use time::OffsetDateTime;

use super::declare::{Shown, answer};
use super::value::moment;
use crate::html;

answer! {
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
    VersionSummary {
        version: String,
        files: usize,
        size: u64,
        #[serde(with = "time::serde::rfc3339::option")]
        published: Option<OffsetDateTime>,
        damaged: bool,
    }
    compare {
        /// The hash of the version's text, to which it compares equal.
        fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
            PyString::new(py, &self.version).hash()
        }

        fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
            self.compared(other, op)
        }
    }
}

impl VersionSummary {
    /// Compares with another summary or with text, in version order.
    fn compared(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let parsed = |text: &str| text.parse::<Version>().ok();
        let other_version = match other.cast::<VersionSummary>() {
            Ok(other) => parsed(&other.get().version),
            Err(_) => other.extract::<String>().ok().as_deref().and_then(parsed),
        };
        let ordering = parsed(&self.version).zip(other_version).map(|(own, other)| own.cmp(&other));
        match (ordering, op) {
            (Some(ordering), op) => op.matches(ordering).into_py_any(py),
            // Text that is not a valid version.
            (None, CompareOp::Eq | CompareOp::Ne) if other.is_instance_of::<PyString>() => {
                matches!(op, CompareOp::Ne).into_py_any(py)
            }
            (None, _) => Ok(py.NotImplemented()),
        }
    }
}

impl From<modeldepot::VersionSummary> for VersionSummary {
    fn from(summary: modeldepot::VersionSummary) -> Self {
        Self {
            version: summary.version.to_string(),
            files: summary.files,
            size: summary.size,
            published: moment(summary.published),
            damaged: summary.damaged,
        }
    }
}

impl Shown for VersionSummary {
    fn text(&self) -> String {
        self.version.clone()
    }

    fn repr(&self) -> String {
        let damaged = if self.damaged { ", damaged" } else { "" };
        let (files, size) = (plural(self.files, "file"), size(self.size));
        format!("VersionSummary({}, {files}, {size}{damaged})", self.version)
    }

    fn html(&self) -> String {
        html::fields(&self.version, &[("files", self.files.to_string()), ("size", size(self.size))])
    }
}
