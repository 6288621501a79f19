//! Digests in one pass over the bytes: MD5, BLAKE3 and CRC64NVME.
//!
//! BLAKE3 is a tree and CRC64NVME can be combined, so both are computed per part, by different threads in any order,
//! and merged into the digests of the whole file. MD5 is serial: it is fed in file order.

use blake3::hazmat::{self, HasherExt as _, Mode};
use serde::{Deserialize, Serialize};

use crate::model::name::shown;

/// A BLAKE3 digest of a whole file: what `b3sum` prints, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[0-9a-f]{64}$")))]
pub struct Blake3([u8; 32]);

/// The BLAKE3 of one part of a file as a node of the file's tree, 64 hexadecimal digits. It depends on the part's
/// offset in the file, and merges with those of the other parts into the [`Blake3`] of the file; `b3sum` does not print
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[0-9a-f]{64}$")))]
pub struct Subtree(hazmat::ChainingValue);

/// An MD5 checksum of a whole file: what `md5sum` prints, 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[0-9a-f]{32}$")))]
pub struct Md5([u8; 16]);

/// A CRC64NVME of a whole file, in base64 as S3 writes it in `x-amz-checksum-crc64nvme`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[A-Za-z0-9+/]{11}=$")))]
pub struct Crc64([u8; 8]);

/// Text that is not a valid digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a digest of {bytes} bytes in {encoding}", shown(text))]
pub struct DigestError {
    text: String,
    bytes: usize,
    encoding: &'static str,
}

macro_rules! digest_type {
    ($type:ident, $bytes:literal, $encoding:literal, $encode:expr, $decode:expr) => {
        impl $type {
            /// Creates the digest from its bytes, in the order of its text form.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes of the digest, in the order of its text form.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$encode(self))
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }

        impl std::str::FromStr for $type {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                let refused = || DigestError { text: text.to_owned(), bytes: $bytes, encoding: $encoding };
                let bytes: Vec<u8> = $decode(text).map_err(|_| refused())?;
                <[u8; $bytes]>::try_from(bytes).map(Self::from_bytes).map_err(|_| refused())
            }
        }

        impl TryFrom<String> for $type {
            type Error = DigestError;

            fn try_from(text: String) -> Result<Self, DigestError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(digest: $type) -> String {
                digest.to_string()
            }
        }
    };
}

impl Blake3 {
    pub(crate) const ZEROS: Self = Self([0; 32]);

    /// Returns the digest of bytes in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl Md5 {
    pub(crate) const ZEROS: Self = Self([0; 16]);
}

impl Crc64 {
    pub(crate) const ZERO: Self = Self([0; 8]);

    fn of_value(value: u64) -> Self {
        Self(value.to_be_bytes())
    }
}

impl Subtree {
    pub(crate) const ZEROS: Self = Self([0; 32]);
}

impl Md5 {
    /// Returns the MD5 of bytes in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(fast_md5::digest(bytes))
    }
}

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
digest_type!(Blake3, 32, "hexadecimal", |d: &Blake3| hex::encode(d.0), hex::decode);
digest_type!(Subtree, 32, "hexadecimal", |d: &Subtree| hex::encode(d.0), hex::decode);
digest_type!(Md5, 16, "hexadecimal", |d: &Md5| hex::encode(d.0), hex::decode);
digest_type!(Crc64, 8, "base64", |d: &Crc64| BASE64.encode(d.0), |text| BASE64.decode(text));

/// Computes a file's MD5, fed in file order.
pub(crate) struct Md5Stream(fast_md5::Md5);

impl Default for Md5Stream {
    fn default() -> Self {
        Self(fast_md5::Md5::new())
    }
}

impl Md5Stream {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Md5 {
        Md5(self.0.finalize())
    }
}

/// Hashes one part of a file, at any offset.
///
/// Parts must start at multiples of one length, a power of two of at least 1 KiB: only such ranges are whole subtrees
/// of BLAKE3's tree.
pub(crate) struct PartHasher {
    blake3: blake3::Hasher,
    /// `None` if it was not requested.
    crc64: Option<crc_fast::Digest>,
    offset: u64,
    len: u64,
}

/// The result of hashing a part: enough to merge it with its neighbours.
#[derive(Clone)]
pub(crate) struct PartDigest {
    /// The part as a node of the tree. `None` for an empty part, which only an empty file has.
    inner: Option<Subtree>,
    /// The first part as the whole tree: if it is the file's only part it is the root, which is finalized differently.
    root: Option<Blake3>,
    crc64: Option<u64>,
    len: u64,
}

impl PartHasher {
    /// Starts the part that begins at `offset` bytes into the file, for both digests.
    pub(crate) fn new(offset: u64) -> Self {
        Self { crc64: Some(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme)), ..Self::blake3(offset) }
    }

    /// Starts the part that begins at `offset` bytes into the file, for BLAKE3 alone.
    pub(crate) fn blake3(offset: u64) -> Self {
        let mut blake3 = blake3::Hasher::new();
        blake3.set_input_offset(offset);
        Self { blake3, crc64: None, offset, len: 0 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        if let Some(crc64) = &mut self.crc64 {
            crc64.update(bytes);
        }
        self.len += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> PartDigest {
        PartDigest {
            inner: (self.len > 0).then(|| Subtree(self.blake3.finalize_non_root())),
            root: (self.offset == 0).then(|| Blake3(*self.blake3.finalize().as_bytes())),
            crc64: self.crc64.map(|crc64| crc64.finalize()),
            len: self.len,
        }
    }
}

impl PartDigest {
    /// Returns both digests of one part at once.
    pub(crate) fn of(offset: u64, bytes: &[u8]) -> Self {
        let mut hasher = PartHasher::new(offset);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Returns the CRC64NVME of the part alone, if it was requested.
    pub(crate) fn crc64(&self) -> Option<Crc64> {
        self.crc64.map(Crc64::of_value)
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Returns true when the part has the expected digest.
    pub(crate) fn is(&self, expected: &PartExpected) -> bool {
        match expected {
            PartExpected::Whole(blake3) => self.root == Some(*blake3),
            PartExpected::Inner(subtree) => self.inner == Some(*subtree),
        }
    }

    /// Returns the digest of the file if this is its only part; `None` if it cannot be.
    pub(crate) fn root(&self) -> Option<Blake3> {
        self.root
    }

    /// Returns the part as a node of the file's tree; `None` for an empty file.
    pub(crate) fn subtree(&self) -> Option<Subtree> {
        self.inner
    }
}

/// The expected digest of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartExpected {
    /// The file's only part.
    Whole(Blake3),
    /// One of several.
    Inner(Subtree),
}

/// The digests of a whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) size: u64,
    /// `None` if it was not requested.
    pub(crate) md5: Option<Md5>,
    pub(crate) blake3: Blake3,
    /// `None` if it was not requested.
    pub(crate) crc64: Option<Crc64>,
    /// The BLAKE3 of each part; empty for a file of one part.
    pub(crate) parts: Vec<Subtree>,
}

/// Merges the digests of all parts of a file, in file order, into those of the file.
///
/// The parts cover the file without gaps from its first byte; an empty file has one empty part.
pub(crate) fn merge(parts: &[PartDigest], md5: Option<Md5>) -> Digests {
    let (blake3, parts_of_many) = match parts {
        [PartDigest { root: Some(root), .. }] => (*root, Vec::new()),
        _ => {
            let values: Vec<Subtree> = parts.iter().filter_map(|part| part.inner).collect();
            (root_of(&values), values)
        }
    };
    let crc64 = parts.split_first().and_then(|(first, others)| {
        // Combining takes as long as hashing half a megabyte, and a file of one part needs none.
        others.iter().try_fold(first.crc64?, |crc, part| {
            Some(crc_fast::checksum_combine(crc_fast::CrcAlgorithm::Crc64Nvme, crc, part.crc64?, part.len))
        })
    });
    let size = parts.iter().map(|part| part.len).sum();
    Digests { size, md5, blake3, crc64: crc64.map(Crc64::of_value), parts: parts_of_many }
}

/// Merges the parts of a file with several parts into the BLAKE3 of the file.
pub(crate) fn root_of(parts: &[Subtree]) -> Blake3 {
    let (left, right) = parts.split_at(left_subtree(parts.len()));
    Blake3(*hazmat::merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes())
}

fn subtree(values: &[Subtree]) -> hazmat::ChainingValue {
    match values {
        [only] => only.0,
        _ => {
            let (left, right) = values.split_at(left_subtree(values.len()));
            hazmat::merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// Returns how many of `parts` are in the left subtree: the largest power of two smaller than `parts`.
fn left_subtree(parts: usize) -> usize {
    1 << (parts - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_merge_to_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..20_000), power in 10u32..13) {
            let part = 1usize << power;
            let mut parts: Vec<_> = bytes.chunks(part).enumerate().map(|(i, b)| PartDigest::of((i * part) as u64, b)).collect();
            if parts.is_empty() {
                parts.push(PartDigest::of(0, &[]));
            }
            let whole = merge(&parts, None);
            prop_assert_eq!(whole.blake3.to_string(), blake3::hash(&bytes).to_string());
            prop_assert_eq!(whole.crc64.unwrap(), Crc64::of_value(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes)));
            prop_assert_eq!(whole.size, bytes.len() as u64);
            prop_assert_eq!(whole.parts.len(), if parts.len() == 1 { 0 } else { parts.len() });
            prop_assert!(whole.parts.is_empty() || root_of(&whole.parts) == whole.blake3);
        }
    }

    #[test]
    fn digests_are_spelled_as_their_tools_do() {
        let Digests { blake3, crc64, .. } = merge(&[PartDigest::of(0, b"123456789")], None);
        let crc64 = crc64.unwrap();
        // `printf 123456789 | b3sum`, and the check value of CRC-64/NVME in the catalogue of CRC algorithms.
        assert_eq!(blake3.to_string(), "b7d65b48420d1033cb2595293263b6f72eabee20d55e699d0df1973b3c9deed1");
        assert_eq!(crc64.as_bytes(), &0xae8b_1486_0a79_9888_u64.to_be_bytes());
        let mut md5 = Md5Stream::default();
        md5.update(b"123456789");
        assert_eq!(md5.finish().to_string(), "25f9e794323b453885f5181f1b624d0b");
    }

    proptest! {
        #[test]
        fn bytes_are_kept_and_spelled_in_their_order(bytes: [u8; 32]) {
            let [blake3, subtree] = [Blake3::from_bytes(bytes).to_string(), Subtree::from_bytes(bytes).to_string()];
            let md5 = Md5::from_bytes(*bytes.first_chunk().unwrap());
            let crc64 = Crc64::from_bytes(*bytes.first_chunk().unwrap());
            prop_assert_eq!(*blake3.parse::<Blake3>().unwrap().as_bytes(), bytes);
            prop_assert_eq!(*subtree.parse::<Subtree>().unwrap().as_bytes(), bytes);
            prop_assert_eq!(&md5.as_bytes()[..], &bytes[..16]);
            prop_assert_eq!(&crc64.as_bytes()[..], &bytes[..8]);
            prop_assert_eq!(&blake3, &hex::encode(bytes));
            prop_assert_eq!(md5.to_string().parse(), Ok(md5));
            prop_assert_eq!(crc64.to_string().parse(), Ok(crc64));
            prop_assert!(md5.to_string() == blake3[..32]);
            // Of another length it is not a digest.
            prop_assert!(blake3.parse::<Md5>().is_err() && blake3[2..].parse::<Blake3>().is_err());
        }
    }

    #[test]
    fn digests_parse_back() {
        let Digests { blake3, crc64, .. } = merge(&[PartDigest::of(0, b"x")], None);
        let crc64 = crc64.unwrap();
        assert_eq!(blake3.to_string().parse(), Ok(blake3));
        assert_eq!(crc64.to_string().parse(), Ok(crc64));
        assert!("xyz".parse::<Blake3>().is_err());
        assert!("00".parse::<Md5>().is_err());
    }
}
