use modeldepot::units::{plural, size};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use time::OffsetDateTime;

use super::{StoredFile, moment};
use crate::html;
use crate::json;

/// One version in full.
///
/// ``str()`` of it is ``MODEL@VERSION``.
///
/// Attributes
/// ----------
/// model : str
///     The model.
/// version : str
///     The version.
/// model_file : str
///     The path of the model file in the version.
/// history : str or None
///     The path of the training history in the version: the file that its publisher named, else the one whose name
///     says so.
/// files : list of StoredFile
///     All files by path; the manifest is none of them.
/// size : int
///     Their bytes.
/// metadata : dict
///     What the publisher said about the version.
/// created_at : datetime.datetime or None
///     When it was published, UTC.
/// manifest : dict
///     The version's manifest.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct Description(modeldepot::Description);

impl From<modeldepot::Description> for Description {
    fn from(found: modeldepot::Description) -> Self {
        Self(found)
    }
}

#[pymethods]
impl Description {
    #[getter]
    fn model(&self) -> &str {
        self.0.manifest.model_name.as_str()
    }

    #[getter]
    fn history(&self) -> Option<&str> {
        self.0.history().map(|path| path.as_str())
    }

    #[getter]
    fn version(&self) -> &str {
        self.0.manifest.version.as_str()
    }

    #[getter]
    fn model_file(&self) -> String {
        self.0.manifest.main().map(|main| main.to_string()).unwrap_or_default()
    }

    #[getter]
    fn files(&self) -> Vec<StoredFile> {
        self.0.files.iter().cloned().map(StoredFile::from).collect()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    #[getter]
    fn metadata(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        json::dict(py, &self.0.manifest.metadata)
    }

    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        moment(Some(self.0.manifest.created_at))
    }

    #[getter]
    fn manifest(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        json::manifest(py, &self.0.manifest)
    }

    fn __str__(&self) -> String {
        format!("{}@{}", self.model(), self.version())
    }

    fn __repr__(&self) -> String {
        let files = plural(self.0.files.len(), "file");
        format!("Description({}, {files}, {})", self.__str__(), size(self.0.size()))
    }

    fn _repr_html_(&self) -> String {
        let metadata = &self.0.manifest.metadata;
        let fields: Vec<_> = metadata.iter().map(|(key, value)| (key.as_str(), value.to_string())).collect();
        let short = |digest: Option<String>| digest.map(|digest| digest[..16].to_owned() + "…").unwrap_or_default();
        let row = |file: &modeldepot::StoredFile| {
            vec![file.path.to_string(), size(file.size), short(file.blake3.as_ref().map(ToString::to_string))]
        };
        let rows: Vec<_> = self.0.files.iter().map(row).collect();
        html::fields(&self.__str__(), &fields) + &html::table("files", &["path", "size", "BLAKE3"], &rows)
    }
}
