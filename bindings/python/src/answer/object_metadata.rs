use std::collections::BTreeMap;

use modeldepot::units::size;
use pyo3::prelude::*;
use time::OffsetDateTime;

use super::moment;
use crate::html;

/// Metadata of an object.
///
/// Attributes
/// ----------
/// size : int
///     The size in bytes.
/// etag : str
///     The ETag without quotes.
/// modified : datetime.datetime or None
///     Last modification time by the server's clock, in UTC.
/// content_type : str or None
///     The media type.
/// metadata : dict of str to str
///     The user's metadata.
/// crc64nvme : str or None
///     The CRC64NVME of the whole object in base64, if known.
#[pyclass(frozen, module = "modeldepot", eq)]
#[derive(PartialEq)]
pub(crate) struct ObjectMetadata(pub(super) modeldepot::s3::ObjectMetadata);

impl From<modeldepot::s3::ObjectMetadata> for ObjectMetadata {
    fn from(found: modeldepot::s3::ObjectMetadata) -> Self {
        Self(found)
    }
}

#[pymethods]
impl ObjectMetadata {
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

    #[getter]
    fn content_type(&self) -> Option<&str> {
        self.0.content_type.as_deref()
    }

    #[getter]
    fn metadata(&self) -> BTreeMap<String, String> {
        self.0.metadata.clone()
    }

    #[getter]
    fn crc64nvme(&self) -> Option<&str> {
        self.0.crc64nvme.as_deref()
    }

    fn __repr__(&self) -> String {
        let kind = self.0.content_type.as_deref().unwrap_or("no media type");
        format!("ObjectMetadata({}, {kind:?}, etag {:?})", size(self.0.size), self.0.etag)
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<super::pickled::Reduced> {
        super::pickled::reduce(py, self)
    }

    fn _repr_html_(&self) -> String {
        let mut fields = vec![
            ("size", size(self.0.size)),
            ("content type", self.0.content_type.clone().unwrap_or_default()),
            ("ETag", self.0.etag.clone()),
        ];
        fields.extend(self.0.metadata.iter().map(|(key, value)| (key.as_str(), value.clone())));
        html::fields("object", &fields)
    }
}
