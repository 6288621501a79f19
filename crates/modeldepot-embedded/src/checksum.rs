//! Checksums: computed while bytes pass, compared with what the client sent, combined over parts.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use fast_md5::Md5;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{ChecksumAlgorithm, ChecksumType};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// A checksum algorithm of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Parses the value of `x-amz-checksum-algorithm`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn parse_requested(name: Option<&ChecksumAlgorithm>) -> S3Result<Option<Self>> {
        name.map(|name| {
            Self::parse(name.as_str())
                .ok_or_else(|| s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported."))
        })
        .transpose()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header or trailer of this algorithm.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(crate) fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    fn digest_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

impl From<Algorithm> for ChecksumAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        Self::from_static(algorithm.name())
    }
}

/// Checksums by algorithm, as S3 writes them: base64 of the digest, big endian.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sums(BTreeMap<Algorithm, String>);

impl Sums {
    pub(crate) fn get(&self, algorithm: Algorithm) -> Option<&str> {
        self.0.get(&algorithm).map(String::as_str)
    }

    pub(crate) fn set(&mut self, algorithm: Algorithm, value: String) {
        self.0.insert(algorithm, value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Algorithm, &str)> {
        self.0.iter().map(|(algorithm, value)| (*algorithm, value.as_str()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the checksums of these algorithms only.
    pub(crate) fn only(&self, algorithms: &[Algorithm]) -> Self {
        let kept = self.0.iter().filter(|(algorithm, _)| algorithms.contains(algorithm));
        Self(kept.map(|(algorithm, value)| (*algorithm, value.clone())).collect())
    }
}

/// Takes the five checksum fields from an input of the protocol layer.
macro_rules! sums_of {
    ($input:expr) => {{
        use $crate::checksum::{Algorithm, Sums};
        let mut sums = Sums::default();
        for (algorithm, value) in [
            (Algorithm::Crc32, $input.checksum_crc32.take()),
            (Algorithm::Crc32c, $input.checksum_crc32c.take()),
            (Algorithm::Crc64Nvme, $input.checksum_crc64nvme.take()),
            (Algorithm::Sha1, $input.checksum_sha1.take()),
            (Algorithm::Sha256, $input.checksum_sha256.take()),
        ] {
            if let Some(value) = value {
                sums.set(algorithm, value);
            }
        }
        sums
    }};
}
pub(crate) use sums_of;

/// Sets the five checksum fields of an output of the protocol layer.
macro_rules! put_sums {
    ($output:expr, $sums:expr) => {{
        use $crate::checksum::Algorithm;
        let sums: &$crate::checksum::Sums = $sums;
        $output.checksum_crc32 = sums.get(Algorithm::Crc32).map(str::to_owned);
        $output.checksum_crc32c = sums.get(Algorithm::Crc32c).map(str::to_owned);
        $output.checksum_crc64nvme = sums.get(Algorithm::Crc64Nvme).map(str::to_owned);
        $output.checksum_sha1 = sums.get(Algorithm::Sha1).map(str::to_owned);
        $output.checksum_sha256 = sums.get(Algorithm::Sha256).map(str::to_owned);
    }};
}
pub(crate) use put_sums;

/// The checksums of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksums {
    pub(crate) sums: Sums,
    /// Whether they are composite: checksums of the parts' checksums, ending in `-N`.
    #[serde(default)]
    pub(crate) composite: bool,
}

impl Checksums {
    pub(crate) fn kind(&self) -> Option<ChecksumType> {
        (!self.sums.is_empty()).then(|| checksum_type(self.composite))
    }
}

pub(crate) fn checksum_type(composite: bool) -> ChecksumType {
    ChecksumType::from_static(if composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT })
}

/// What the client announces about a body before sending it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    pub(crate) md5: Option<String>,
    pub(crate) sums: Sums,
    /// Checksums that follow the body in trailers.
    pub(crate) trailers: Vec<Algorithm>,
    /// A checksum to compute and store although the client sends no value.
    pub(crate) wanted: Option<Algorithm>,
}

impl Claims {
    /// Refuses malformed values before the body is read.
    pub(crate) fn check_form(&self) -> S3Result<()> {
        if let Some(md5) = &self.md5
            && BASE64.decode(md5).ok().is_none_or(|digest| digest.len() != 16)
        {
            return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."));
        }
        self.sums.iter().try_for_each(|(algorithm, value)| check_form(algorithm, value))
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        let mut all: Vec<_> = self.sums.iter().map(|(algorithm, _)| algorithm).collect();
        all.extend(&self.trailers);
        all.extend(self.wanted);
        if all.is_empty() {
            // As S3 does for clients that request no checksum; it takes a tenth of the time of MD5.
            all.push(Algorithm::Crc64Nvme);
        }
        all
    }

    /// Returns the hashers needed for this body.
    pub(crate) fn hashes(&self) -> Hashes {
        Hashes::new(&self.algorithms())
    }

    /// Compares what was announced with what arrived.
    pub(crate) fn verify(&self, digests: &Digests) -> S3Result<()> {
        if let Some(md5) = &self.md5
            && BASE64.decode(md5).ok().as_deref() != Some(&digests.md5)
        {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
        }
        for (algorithm, value) in self.sums.iter() {
            if digests.sums.get(algorithm) != Some(value) {
                return Err(mismatch(algorithm));
            }
        }
        Ok(())
    }
}

pub(crate) fn check_form(algorithm: Algorithm, value: &str) -> S3Result<()> {
    if BASE64.decode(value).ok().is_none_or(|digest| digest.len() != algorithm.digest_len()) {
        return Err(s3_error!(InvalidRequest, "Value for {} header is invalid.", algorithm.header()));
    }
    Ok(())
}

pub(crate) fn mismatch(algorithm: Algorithm) -> s3s::S3Error {
    s3_error!(BadDigest, "The {} you specified did not match the calculated checksum.", algorithm.name())
}

/// Running hashes of a body.
pub(crate) struct Hashes {
    md5: Md5,
    sums: ChecksumHasher,
}

/// The results of [`Hashes`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Digests {
    pub(crate) md5: [u8; 16],
    pub(crate) sums: Sums,
}

impl Hashes {
    pub(crate) fn new(algorithms: &[Algorithm]) -> Self {
        let mut sums = ChecksumHasher::default();
        for algorithm in algorithms {
            match algorithm {
                Algorithm::Crc32 => sums.crc32 = Some(Default::default()),
                Algorithm::Crc32c => sums.crc32c = Some(Default::default()),
                Algorithm::Crc64Nvme => sums.crc64nvme = Some(Default::default()),
                Algorithm::Sha1 => sums.sha1 = Some(Default::default()),
                Algorithm::Sha256 => sums.sha256 = Some(Default::default()),
            }
        }
        Self { md5: Md5::new(), sums }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sums.update(bytes);
    }

    pub(crate) fn finish(self) -> Digests {
        let mut computed = self.sums.finalize();
        Digests { md5: self.md5.finalize(), sums: sums_of!(computed) }
    }
}

/// Returns the ETag of an object assembled from parts with these MD5s.
pub(crate) fn multipart_etag<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> Option<String> {
    let count = parts.len();
    let mut md5 = Md5::new();
    for etag in parts {
        md5.update(&hex::decode(etag).ok()?);
    }
    Some(format!("{}-{count}", hex::encode(md5.finalize())))
}

/// Returns the composite checksum, ending in `-N`; `None` if a part lacks this checksum.
pub(crate) fn composite<'a>(
    algorithm: Algorithm,
    parts: impl ExactSizeIterator<Item = Option<&'a str>>,
) -> Option<String> {
    let count = parts.len();
    let mut hashes = Hashes::new(&[algorithm]);
    for sum in parts {
        hashes.sums.update(&BASE64.decode(sum?).ok()?);
    }
    let digest = hashes.finish().sums.get(algorithm)?.to_owned();
    Some(format!("{digest}-{count}"))
}

/// Combines the checksums of the parts into that of the whole; `None` if the algorithm does not allow it.
pub(crate) fn fold<'a>(algorithm: Algorithm, parts: impl Iterator<Item = (Option<&'a str>, u64)>) -> Option<String> {
    let crc = algorithm.crc()?;
    let mut whole = None;
    for (sum, len) in parts {
        let bytes = BASE64.decode(sum?).ok()?;
        let value = bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        whole = Some(match whole {
            None => value,
            Some(before) => crc_fast::checksum_combine(crc, before, value, len),
        });
    }
    let bytes = whole?.to_be_bytes();
    Some(BASE64.encode(&bytes[bytes.len() - algorithm.digest_len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hashes = Hashes::new(&[algorithm]);
        hashes.update(bytes);
        hashes.finish().sums.get(algorithm).expect("asked for").to_owned()
    }

    #[test]
    fn known_answers() {
        // The check values from the algorithms' definitions, for the text `123456789`.
        for (algorithm, hex_digest) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let expected = BASE64.encode(hex::decode(hex_digest).expect("hex"));
            assert_eq!(sum(algorithm, b"123456789"), expected, "{algorithm:?}");
        }
    }

    #[test]
    fn folded_parts_equal_the_whole() {
        let parts: [&[u8]; 4] = [b"some bytes", b"", b"and others", b"!"];
        let whole = parts.concat();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let sums: Vec<_> = parts.iter().map(|part| (sum(algorithm, part), part.len() as u64)).collect();
            let folded = fold(algorithm, sums.iter().map(|(sum, len)| (Some(sum.as_str()), *len)));
            assert_eq!(folded, Some(sum(algorithm, &whole)), "{algorithm:?}");
        }
        assert_eq!(fold(Algorithm::Sha256, [(Some("x"), 1)].into_iter()), None);
    }

    #[test]
    fn claims_are_compared() {
        let mut hashes = Hashes::new(&[Algorithm::Crc32]);
        hashes.update(b"hello");
        let digests = hashes.finish();
        let mut claims = Claims { md5: Some("XUFAKrxLKna5cZ2REBfFkg==".into()), ..Default::default() };
        assert!(claims.verify(&digests).is_ok());
        claims.sums.set(Algorithm::Crc32, "AAAAAA==".into());
        assert!(claims.check_form().is_ok());
        assert_eq!(claims.verify(&digests).expect_err("differs").code().as_str(), "BadDigest");
        claims.sums.set(Algorithm::Crc32, "AAAA".into());
        assert_eq!(claims.check_form().expect_err("too short").code().as_str(), "InvalidRequest");
        claims.md5 = Some("nonsense".into());
        assert_eq!(claims.check_form().expect_err("not a digest").code().as_str(), "InvalidDigest");
    }
}
