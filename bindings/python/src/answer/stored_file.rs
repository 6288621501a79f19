use modeldepot::Parts;
use modeldepot::units::size;

use super::declare::{Shown, answer};
use crate::html;

answer! {
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
    StoredFile {
        path: String,
        size: u64,
        md5: Option<String>,
        blake3: Option<String>,
    }
    hidden {
        parts: Option<Parts>,
        executable: bool,
    }
}

impl From<modeldepot::StoredFile> for StoredFile {
    fn from(file: modeldepot::StoredFile) -> Self {
        Self {
            path: file.path.to_string(),
            size: file.size,
            md5: file.md5.as_ref().map(ToString::to_string),
            blake3: file.blake3.as_ref().map(ToString::to_string),
            parts: file.parts,
            executable: file.executable,
        }
    }
}

impl Shown for StoredFile {
    fn text(&self) -> String {
        self.path.clone()
    }

    fn repr(&self) -> String {
        format!("StoredFile({}, {})", self.path, size(self.size))
    }

    fn html(&self) -> String {
        let digest = |digest: &Option<String>| digest.clone().unwrap_or_default();
        let fields = [("size", size(self.size)), ("MD5", digest(&self.md5)), ("BLAKE3", digest(&self.blake3))];
        html::fields(&self.path, &fields)
    }
}
