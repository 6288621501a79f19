use modeldepot::units::{plural, size};
use pyo3::prelude::*;

use crate::html;

/// What was proven to be what was published.
///
/// Attributes
/// ----------
/// model : str
///     The model.
/// version : str
///     The version.
/// files : int
///     Files read.
/// size : int
///     Bytes read.
/// unproven : int
///     Files that no digest was published for, so that only their presence could be shown. 0 but for versions that the
///     Python original wrote.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct Verified(modeldepot::Verified);

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
    fn unproven(&self) -> usize {
        self.0.unproven
    }

    fn __repr__(&self) -> String {
        let unproven = match self.0.unproven {
            0 => String::new(),
            files => format!(", {files} unproven"),
        };
        let (model, version) = (self.model(), self.version());
        format!("Verified({model}@{version}, {}, {}{unproven})", plural(self.0.files, "file"), size(self.0.bytes))
    }

    fn _repr_html_(&self) -> String {
        let caption = format!("{}@{}: as published", self.model(), self.version());
        let (files, unproven) = (self.0.files.to_string(), self.0.unproven.to_string());
        html::fields(&caption, &[("files", files), ("size", size(self.0.bytes)), ("unproven", unproven)])
    }
}
