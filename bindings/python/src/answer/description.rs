use modeldepot::units::{plural, size};
use modeldepot::{ArtifactPath, Damaged, Manifest};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{StoredFile, moment};
use crate::html;
use crate::json;

/// A version with its files and manifest.
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
///     The path of the training history in the version: the file named by the publisher, else detected by
///     name.
/// files : list of StoredFile
///     All files by path, without the manifest.
/// size : int
///     Total size of the files in bytes.
/// damaged : list of str
///     The paths of files that are missing from the bucket or have another size.
/// metadata : dict
///     Metadata of the version.
/// created_at : datetime.datetime or None
///     Publication time in UTC.
/// manifest : dict
///     The version's manifest.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct Description(pub(super) Found);

/// What is told of a version, and may be pickled.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) manifest: Manifest,
    pub(super) files: Vec<modeldepot::StoredFile>,
    pub(super) damaged: Vec<Damaged>,
    pub(super) history: Option<ArtifactPath>,
}

impl From<modeldepot::Description> for Description {
    fn from(found: modeldepot::Description) -> Self {
        let history = found.history().cloned();
        Self(Found { manifest: found.manifest, files: found.files, damaged: found.damaged, history })
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
        self.0.history.as_ref().map(ArtifactPath::as_str)
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
    fn damaged(&self) -> Vec<String> {
        self.0.damaged.iter().map(|file| file.path.to_string()).collect()
    }

    #[getter]
    fn files(&self) -> Vec<StoredFile> {
        self.0.files.iter().cloned().map(StoredFile::from).collect()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.files.iter().map(|file| file.size).sum()
    }

    #[getter]
    fn metadata(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        json::dict(py, &self.0.manifest.metadata)
    }

    #[getter]
    fn created_at(&self) -> Option<OffsetDateTime> {
        moment(self.0.manifest.created_at)
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
        format!("Description({}, {files}, {})", self.__str__(), size(self.size()))
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
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
