//! What a server can do, as the probe found it.

use serde::{Deserialize, Serialize};

/// What a server was found to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// `If-None-Match: *` on a write is decided by the server, also when writers race.
    pub create_if_absent: bool,
    /// `If-Match` on a write is decided by the server.
    pub compare_and_swap: bool,
    /// What becomes of a CRC64NVME that comes with the bytes.
    pub crc64nvme: ChecksumSupport,
    /// Bytes may go without being covered by the signature.
    pub unsigned_payload: bool,
    /// Whether a part can be copied from an object within the server.
    pub part_copy: CopySupport,
    /// What becomes of `x-amz-*` headers that are added to a presigned URL.
    pub unsigned_headers: UnsignedHeaders,
}

impl Capabilities {
    /// What AWS is documented to do.
    pub const AWS: Capabilities = Capabilities {
        create_if_absent: true,
        compare_and_swap: true,
        crc64nvme: ChecksumSupport::Verified,
        unsigned_payload: true,
        part_copy: CopySupport::Checked,
        unsigned_headers: UnsignedHeaders::Refused,
    };
}

/// What a server does with a checksum that comes with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChecksumSupport {
    /// It refuses bytes that do not match.
    Verified,
    /// It takes the header and does not look at it.
    Ignored,
    /// It refuses requests that carry one.
    Refused,
}

/// What a server does with a part that is to be copied from one of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CopySupport {
    /// It copies it, and refuses the whole when its CRC64NVME does not match.
    Checked,
    /// It copies it and answers with the MD5 of what it copied, but not into an upload with checksums, as MinIO.
    Hashed,
    /// It copies it, and nothing shows that the bytes are the right ones but reading them back.
    Unchecked,
    /// It does not copy, or not what was asked for.
    None,
    /// It was not tried: that takes an object of 5 MiB, so only a push that would copy parts does it.
    Unknown,
}

/// What a server does with `x-amz-*` headers that are added to a presigned URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum UnsignedHeaders {
    /// It refuses the request, as AWS does.
    Refused,
    /// It does what the URL says, and nothing else.
    Ignored,
    /// It copies nothing, but stores metadata that nobody signed.
    Obeyed,
    /// It copies any object that the signer can read.
    Copied,
    /// It accepts no presigned URL at all, so nothing was learned.
    Unknown,
}

impl UnsignedHeaders {
    /// Returns true when a URL for an upload can be used for that upload only.
    pub fn are_harmless(self) -> bool {
        match self {
            UnsignedHeaders::Refused | UnsignedHeaders::Ignored | UnsignedHeaders::Obeyed => true,
            UnsignedHeaders::Copied | UnsignedHeaders::Unknown => false,
        }
    }
}
