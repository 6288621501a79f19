//! Why a manifest cannot be used, and the limits of manifests.

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
    /// The manifest has a newer format than this library supports.
    #[error("it is written in format {0}, newer than the {FORMAT_VERSION} that this program supports")]
    TooNew(u32),
}
