use modeldepot::units::{plural, size};
use pyo3::prelude::*;

use crate::html;
use crate::json;

/// A published version.
///
/// ``str()`` of it is ``MODEL@VERSION``.
///
/// Attributes
/// ----------
/// model : str
///     The model.
/// version : str
///     The version.
/// files : int
///     Number of files, without the manifest.
/// size : int
///     Total size of the files in bytes.
/// url : str
///     The unsigned URL of the model file.
/// checksum : str or None
///     The MD5 of the model file in hexadecimal; None with ``md5=False``.
/// already : bool
///     True if the same content was already published; nothing was changed.
/// kept : int
///     Bytes already on the server from an interrupted upload of the same files.
/// copied : int
///     Bytes copied within the server from an earlier version.
/// model_file : str
///     The path of the model file in the version.
/// left_out : list of str
///     Files of the folder that were not published: hidden files, keys, litter, and matches of a pattern. The name
///     of an excluded folder ends with ``/``.
/// foreign : list of str
///     Paths of objects under the version's prefix that do not belong to it and were not created by modeldepot; the
///     first hundred.
/// unmatched : list of str
///     Patterns of ``exclude`` that matched nothing.
/// notes : list of str
///     Notes on the training history: the best epoch and its metric, or why there is none.
/// manifest : dict
///     The version's manifest.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct Published(pub(super) modeldepot::Published, pub(super) Vec<String>, pub(super) Vec<String>);

impl From<(modeldepot::Published, Vec<String>)> for Published {
    fn from((mut published, notes): (modeldepot::Published, Vec<String>)) -> Self {
        let shown = |left: modeldepot::LeftOut| format!("{}{}", left.path, if left.folder { "/" } else { "" });
        let left_out = std::mem::take(&mut published.left_out).into_iter().map(shown).collect();
        Self(published, left_out, notes)
    }
}

#[pymethods]
impl Published {
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
        self.0.manifest.files.as_ref().map_or(0, Vec::len)
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.manifest.size().unwrap_or_default()
    }

    #[getter]
    fn url(&self) -> &str {
        &self.0.manifest.model_url
    }

    #[getter]
    fn checksum(&self) -> Option<String> {
        self.0.manifest.checksum.as_ref().map(ToString::to_string)
    }

    #[getter]
    fn already(&self) -> bool {
        self.0.already
    }

    #[getter]
    fn kept(&self) -> u64 {
        self.0.kept
    }

    #[getter]
    fn copied(&self) -> u64 {
        self.0.copied
    }

    #[getter]
    fn model_file(&self) -> String {
        self.0.manifest.main().map(|main| main.to_string()).unwrap_or_default()
    }

    #[getter]
    fn left_out(&self) -> Vec<String> {
        self.1.clone()
    }

    #[getter]
    fn foreign(&self) -> Vec<String> {
        self.0.foreign.paths.clone()
    }

    #[getter]
    fn unmatched(&self) -> Vec<String> {
        self.0.unmatched.clone()
    }

    #[getter]
    fn notes(&self) -> Vec<String> {
        self.2.clone()
    }

    #[getter]
    fn manifest(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        json::manifest(py, &self.0.manifest)
    }

    fn __str__(&self) -> String {
        format!("{}@{}", self.model(), self.version())
    }

    fn __repr__(&self) -> String {
        let already = if self.0.already { ", already there" } else { "" };
        format!(
            "Published({self}, {}, {}{already})",
            plural(self.files(), "file"),
            size(self.size()),
            self = self.__str__()
        )
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        let mut fields = vec![
            ("files", self.files().to_string()),
            ("size", size(self.size())),
            ("already", self.0.already.to_string()),
            ("url", self.url().to_owned()),
            ("MD5", self.checksum().unwrap_or_default()),
        ];
        let metadata = self.0.manifest.metadata.iter();
        fields.extend(metadata.map(|(key, value)| (key.as_str(), value.to_string())));
        html::fields(&self.__str__(), &fields)
    }
}
