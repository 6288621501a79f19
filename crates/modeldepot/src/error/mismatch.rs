//! How the bytes of a file differ from what was published.

use std::fmt;

/// How the bytes of a file in the bucket differ from what was published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The file has another size.
    Size {
        /// The published size.
        expected: u64,
        /// The size found.
        found: u64,
    },
    /// The file has another digest.
    Digest {
        /// `BLAKE3`, `MD5` or `CRC64NVME`.
        algorithm: &'static str,
        /// The published digest.
        expected: String,
        /// The digest found.
        found: String,
    },
    /// A part of the file has another digest.
    Part {
        /// The first byte of the part.
        first: u64,
        /// The last byte of the part.
        last: u64,
        /// The published BLAKE3 of the part, as a node of the file's tree.
        expected: String,
        /// The BLAKE3 found.
        found: String,
    },
    /// The server stops sending at the same byte each time.
    EndsAt {
        /// The first byte that it does not send.
        byte: u64,
        /// The size of the file.
        size: u64,
    },
}

impl Mismatch {
    /// Bytes that the server does not send cannot be compared: the result is what is known of the file.
    pub(super) fn verdict(&self) -> &'static str {
        match self {
            Mismatch::EndsAt { .. } => "cannot be read",
            _ => "is damaged",
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Size { expected, found } => {
                write!(f, "the bucket holds {found} bytes where {expected} were published")
            }
            Mismatch::Digest { algorithm, expected, found } => {
                write!(f, "its {algorithm} is {found} where {expected} was published")
            }
            Mismatch::Part { first, last, expected, found } => {
                write!(f, "the BLAKE3 of bytes {first} to {last} is {found} where {expected} was published")
            }
            Mismatch::EndsAt { byte, size } => {
                write!(f, "the server stops at byte {byte} of {size} each time; its copy is probably damaged")
            }
        }
    }
}
