use modeldepot::units::size;
use pyo3::prelude::*;
use time::OffsetDateTime;

use super::moment;
use crate::html;

/// An object in a listing.
///
/// ``str()`` of it is its key.
///
/// Attributes
/// ----------
/// key : str
///     The key.
/// size : int
///     The size in bytes.
/// etag : str
///     The ETag without quotes; empty if the server sends none.
/// modified : datetime.datetime or None
///     Last modification time by the server's clock, in UTC.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct ListedObject(pub(super) modeldepot::s3::ListedObject);

impl From<modeldepot::s3::ListedObject> for ListedObject {
    fn from(object: modeldepot::s3::ListedObject) -> Self {
        Self(object)
    }
}

#[pymethods]
impl ListedObject {
    #[getter]
    fn key(&self) -> &str {
        &self.0.key
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size
    }

    #[getter]
    fn etag(&self) -> &str {
        &self.0.etag
    }

    #[getter]
    fn modified(&self) -> Option<OffsetDateTime> {
        moment(self.0.modified)
    }

    fn __str__(&self) -> &str {
        self.key()
    }

    fn __repr__(&self) -> String {
        format!("ListedObject({:?}, {})", self.0.key, size(self.0.size))
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        html::fields(self.key(), &[("size", size(self.0.size)), ("ETag", self.0.etag.clone())])
    }
}
