use modeldepot::units::{plural, size};
use pyo3::prelude::*;

use crate::html;

/// The result of a delete.
///
/// Attributes
/// ----------
/// files : int
///     Number of deleted files, without the manifest.
/// size : int
///     Total size of the files in bytes.
/// foreign : list of str
///     Paths of objects under the version's prefix that modeldepot did not create; the first hundred. They are
///     kept.
/// foreign_count : int
///     Number of these objects.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct Deleted(pub(super) modeldepot::Deleted);

impl From<modeldepot::Deleted> for Deleted {
    fn from(deleted: modeldepot::Deleted) -> Self {
        Self(deleted)
    }
}

#[pymethods]
impl Deleted {
    #[getter]
    fn files(&self) -> usize {
        self.0.files
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.bytes
    }

    #[getter]
    fn foreign(&self) -> Vec<String> {
        self.0.foreign.paths.clone()
    }

    #[getter]
    fn foreign_count(&self) -> usize {
        self.0.foreign.objects
    }

    fn __repr__(&self) -> String {
        let left = match self.0.foreign.objects {
            0 => String::new(),
            objects => format!(", left {}", plural(objects, "foreign object")),
        };
        format!("Deleted({}, {}{left})", plural(self.0.files, "file"), size(self.0.bytes))
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        html::fields("deleted", &[("files", self.0.files.to_string()), ("size", size(self.0.bytes))])
    }
}
