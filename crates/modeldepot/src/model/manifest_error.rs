//! Why a manifest cannot be used, and the limits of manifests.

use serde::de::Error as _;

use crate::visible::shortened;

/// The layout that this library writes. A manifest with a higher number is refused.
pub const FORMAT_VERSION: u32 = 1;

/// The largest manifest in bytes, when writing and reading: two hundred thousand files. It is read into memory, and the
/// bucket may be hostile.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// Why the bytes of a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The bytes are not JSON, or fields are missing or have another type.
    #[error("it is not a manifest")]
    Syntax(#[from] serde_json::Error),
    /// The manifest contradicts itself or its key.
    #[error("{0}")]
    Inconsistent(String),
    /// The manifest is larger than any that is read.
    #[error("it has {bytes} bytes, and a manifest has at most {LARGEST}")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
    },
    /// The manifest is larger than those that are read to list many versions.
    #[error("it has {bytes} bytes, too many to be read for a list")]
    TooLong {
        /// Its bytes.
        bytes: u64,
    },
    /// The manifest has a newer format than this library supports.
    #[error("it is written in format {0}, newer than the {FORMAT_VERSION} that this program supports")]
    TooNew(u32),
}

/// How much is said about malformed JSON. The parser repeats whole strings of it.
const LONGEST: usize = 300;

impl ManifestError {
    /// Describes malformed JSON in a bounded message, which still ends with the place of the error.
    pub(crate) fn syntax(error: serde_json::Error) -> ManifestError {
        let said = error.to_string();
        match shortened(&said, LONGEST) {
            std::borrow::Cow::Borrowed(_) => ManifestError::Syntax(error),
            std::borrow::Cow::Owned(short) => ManifestError::Syntax(serde_json::Error::custom(short)),
        }
    }
}
