use std::collections::BTreeMap;

use modeldepot::units::size;
use time::OffsetDateTime;

use super::declare::{Shown, answer};
use super::value::moment;
use crate::html;

answer! {
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
    ObjectMetadata {
        size: u64,
        etag: String,
        #[serde(with = "time::serde::rfc3339::option")]
        modified: Option<OffsetDateTime>,
        content_type: Option<String>,
        metadata: BTreeMap<String, String>,
        crc64nvme: Option<String>,
    }
    hidden {}
}

impl From<modeldepot::s3::ObjectMetadata> for ObjectMetadata {
    fn from(found: modeldepot::s3::ObjectMetadata) -> Self {
        Self {
            size: found.size,
            etag: found.etag,
            modified: moment(found.modified),
            content_type: found.content_type,
            metadata: found.metadata,
            crc64nvme: found.crc64nvme,
        }
    }
}

impl Shown for ObjectMetadata {
    fn repr(&self) -> String {
        let kind = self.content_type.as_deref().unwrap_or("no media type");
        format!("ObjectMetadata({}, {kind:?}, etag {:?})", size(self.size), self.etag)
    }

    fn html(&self) -> String {
        let mut fields = vec![
            ("size", size(self.size)),
            ("content type", self.content_type.clone().unwrap_or_default()),
            ("ETag", self.etag.clone()),
        ];
        fields.extend(self.metadata.iter().map(|(key, value)| (key.as_str(), value.clone())));
        html::fields("object", &fields)
    }
}
