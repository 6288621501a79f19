//! How the server is told what bytes it should get.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::upload::payload::Payload;
use crate::model::digest::{Crc64, Md5, PartDigest};

/// The checksum that goes with the bytes, so that the server refuses those that arrive damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::s3) enum Checksum {
    /// CRC64NVME, which is as good as free, and which the server keeps for the whole object.
    Crc64,
    /// `Content-MD5`, which every server looks at, for those that refuse or ignore the other.
    Md5,
}

impl Checksum {
    pub(in crate::s3) fn is_crc64(self) -> bool {
        self == Checksum::Crc64
    }

    /// Returns the CRC64NVME of a part, where that is what goes with it.
    pub(in crate::s3) fn crc64(self, digest: &PartDigest) -> Option<String> {
        digest.crc64().filter(|_| self.is_crc64()).map(|crc64| crc64.to_string())
    }

    /// Returns the CRC64NVME of a file, where that is what goes with it.
    pub(in crate::s3) fn of_whole(self, crc64: Option<Crc64>) -> Option<String> {
        crc64.filter(|_| self.is_crc64()).map(|crc64| crc64.to_string())
    }

    /// Returns an MD5 that is known, where that is what goes with the bytes.
    pub(in crate::s3) fn of_md5(self, md5: Md5) -> Option<String> {
        (!self.is_crc64()).then(|| header(md5))
    }

    /// Returns the MD5 of bytes, where that is what goes with them. Blocks.
    pub(in crate::s3) fn md5(self, payload: &Payload) -> Option<String> {
        (!self.is_crc64()).then(|| header(payload.md5()))
    }
}

/// Spells an MD5 as `Content-MD5` does.
pub(in crate::s3) fn header(md5: Md5) -> String {
    BASE64.encode(md5.as_bytes())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Bytes without a checksum would be stored as they arrive, whatever became of them on the way.
    #[test]
    fn every_request_has_one_checksum_of_its_bytes() {
        let bytes = b"123456789";
        let (digest, payload) = (PartDigest::of(0, bytes), Payload::new(vec![Bytes::from_static(bytes)]));
        let sent = |checksum: Checksum| {
            let whole = checksum.of_whole(digest.crc64());
            [checksum.crc64(&digest), whole, checksum.of_md5(Md5::of(bytes)), checksum.md5(&payload)]
        };
        // The check value of CRC-64/NVME, and `printf 123456789 | openssl md5 -binary | base64`.
        let (crc64, md5) = (Some("rosUhgp5mIg=".to_owned()), Some("JfnnlDI7RTiF9RgfG2JNCw==".to_owned()));
        assert_eq!(sent(Checksum::Crc64), [crc64.clone(), crc64, None, None]);
        assert_eq!(sent(Checksum::Md5), [None, None, md5.clone(), md5]);
    }
}
