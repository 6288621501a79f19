use modeldepot::units::size;
use pyo3::prelude::*;

/// A file of a published version.
///
/// ``str()`` of it is its path.
///
/// Attributes
/// ----------
/// path : str
///     Path in the version, with ``/`` between folders.
/// size : int
///     Size in bytes.
/// md5 : str or None
///     MD5 in hexadecimal, if published.
/// blake3 : str or None
///     BLAKE3 in hexadecimal, if published.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct StoredFile(pub(super) modeldepot::StoredFile);

impl From<modeldepot::StoredFile> for StoredFile {
    fn from(file: modeldepot::StoredFile) -> Self {
        Self(file)
    }
}

#[pymethods]
impl StoredFile {
    #[getter]
    fn path(&self) -> &str {
        self.0.path.as_str()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size
    }

    #[getter]
    fn md5(&self) -> Option<String> {
        self.0.md5.as_ref().map(ToString::to_string)
    }

    #[getter]
    fn blake3(&self) -> Option<String> {
        self.0.blake3.as_ref().map(ToString::to_string)
    }

    fn __str__(&self) -> &str {
        self.path()
    }

    fn __repr__(&self) -> String {
        format!("StoredFile({}, {})", self.path(), size(self.0.size))
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        let fields = [
            ("size", size(self.0.size)),
            ("MD5", self.md5().unwrap_or_default()),
            ("BLAKE3", self.blake3().unwrap_or_default()),
        ];
        crate::html::fields(self.path(), &fields)
    }
}
