//! The capabilities of a server, as found by probing.

use serde::{Deserialize, Serialize};

/// What a server supports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// The server decides `If-None-Match: *` on a write, even when writers race.
    pub create_if_absent: bool,
    /// How it treats a CRC64NVME sent with the bytes.
    pub crc64nvme: ChecksumSupport,
    /// Whether it can copy a part from an object.
    pub part_copy: CopySupport,
    /// How it treats `x-amz-*` headers added to a presigned URL.
    pub unsigned_headers: UnsignedHeaders,
}

impl Capabilities {
    /// What AWS supports according to its documentation.
    pub const AWS: Capabilities = Capabilities {
        create_if_absent: true,
        crc64nvme: ChecksumSupport::Verified,
        part_copy: CopySupport::Checked,
        unsigned_headers: UnsignedHeaders::Refused,
    };
}

/// How a server treats a checksum sent with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChecksumSupport {
    /// It refuses bytes that do not match.
    Verified,
    /// It accepts the header but does not check it.
    Ignored,
    /// It refuses requests that carry one.
    Refused,
}

/// How a server copies a part from one of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CopySupport {
    /// It copies, and refuses the whole object if its CRC64NVME does not match.
    Checked,
    /// It copies and returns the MD5 of the copied bytes, but not into an upload with checksums, as MinIO does.
    Hashed,
    /// It copies, and only reading the bytes back shows whether they are right.
    Unchecked,
    /// It does not copy, or not what was requested.
    None,
    /// Not tried: that takes an object of 5 MiB, so it is done only for a push that would copy parts.
    Unknown,
}

/// How a server treats `x-amz-*` headers added to a presigned URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum UnsignedHeaders {
    /// It refuses the request, as AWS does.
    Refused,
    /// It does only what the URL says.
    Ignored,
    /// It copies nothing, but stores unsigned metadata.
    Obeyed,
    /// It copies any object that the signer can read.
    Copied,
    /// It accepts no presigned URL at all, so this is unknown.
    Unknown,
}

impl UnsignedHeaders {
    /// Returns true when an upload URL allows only that upload.
    pub fn are_harmless(self) -> bool {
        match self {
            UnsignedHeaders::Refused | UnsignedHeaders::Ignored | UnsignedHeaders::Obeyed => true,
            UnsignedHeaders::Copied | UnsignedHeaders::Unknown => false,
        }
    }
}
