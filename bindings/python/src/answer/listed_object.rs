use modeldepot::units::size;
use time::OffsetDateTime;

use super::declare::{Shown, answer};
use super::value::moment;
use crate::html;

answer! {
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
    ListedObject {
        key: String,
        size: u64,
        etag: String,
        #[serde(with = "time::serde::rfc3339::option")]
        modified: Option<OffsetDateTime>,
    }
    hidden {}
}

impl From<modeldepot::s3::ListedObject> for ListedObject {
    fn from(object: modeldepot::s3::ListedObject) -> Self {
        Self { key: object.key, size: object.size, etag: object.etag, modified: moment(object.modified) }
    }
}

impl Shown for ListedObject {
    fn text(&self) -> String {
        self.key.clone()
    }

    fn repr(&self) -> String {
        format!("ListedObject({:?}, {})", self.key, size(self.size))
    }

    fn html(&self) -> String {
        html::fields(&self.key, &[("size", size(self.size)), ("ETag", self.etag.clone())])
    }
}
