use modeldepot::units::{plural, size};
use pyo3::prelude::*;

use crate::html;

/// What a delete removed.
///
/// Attributes
/// ----------
/// files : int
///     Files; the manifest is none of them.
/// size : int
///     Their bytes.
/// foreign : list of str
///     Objects under the version's prefix that modeldepot did not create, by their paths; the first hundred. They are
///     still there.
/// foreign_count : int
///     How many there are.
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
