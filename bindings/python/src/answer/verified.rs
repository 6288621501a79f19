use modeldepot::units::{plural, size};
use pyo3::prelude::*;

use crate::html;

/// The result of a verification.
///
/// Attributes
/// ----------
/// model : str
///     The model.
/// version : str
///     The version.
/// files : int
///     Number of files read.
/// size : int
///     Number of bytes read.
/// intact : bool
///     Whether every file was verified with its digest. Damage raises `CorruptError` instead.
/// unverified : list of str
///     Files without a published digest, which cannot be verified. Empty except for versions
///     written by the former Python pipeline.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct Verified(pub(super) modeldepot::Verified);

impl From<modeldepot::Verified> for Verified {
    fn from(verified: modeldepot::Verified) -> Self {
        Self(verified)
    }
}

#[pymethods]
impl Verified {
    #[getter]
    fn model(&self) -> &str {
        self.0.manifest.model_name.as_str()
    }

    #[getter]
    fn version(&self) -> &str {
        self.0.manifest.version.as_str()
    }

    #[getter]
    fn files(&self) -> usize {
        self.0.files
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.bytes
    }

    #[getter]
    fn intact(&self) -> bool {
        self.0.is_intact()
    }

    #[getter]
    fn unverified(&self) -> Vec<&str> {
        self.0.unverified.iter().map(modeldepot::ArtifactPath::as_str).collect()
    }

    fn __repr__(&self) -> String {
        let unverified = match self.0.unverified.len() {
            0 => String::new(),
            files => format!(", {files} not verified"),
        };
        let (model, version) = (self.model(), self.version());
        format!("Verified({model}@{version}, {}, {}{unverified})", plural(self.0.files, "file"), size(self.0.bytes))
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        let word = if self.0.is_intact() { "verified" } else { "not verified" };
        let caption = format!("{}@{}: {word}", self.model(), self.version());
        let (files, unverified) = (self.0.files.to_string(), self.0.unverified.len().to_string());
        html::fields(&caption, &[("files", files), ("size", size(self.0.bytes)), ("not verified", unverified)])
    }
}
