//! Parts of a file that an earlier version has at the same place, copied within the server.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::types::CompletedPart;
use tokio::task::JoinSet;
use url::Url;

use super::Failure;
use super::part::{PartCopy, Target};
use crate::model::digest::{Md5, Subtree};
use crate::model::name::BucketName;
use crate::s3::error::About;
use crate::s3::retry::Retry;
use crate::s3::sdk_values::bare;
use crate::s3::transfer::download::reuse::digest_part;
use crate::s3::transfer::limits::part_size;
use crate::s3::transfer::memory::PIECE;
use crate::task::joined;

/// The most that one request copies. A server answers when it is done, and should not be silent for minutes.
const LONGEST: u64 = 256 * 1024 * 1024;

/// A file of an earlier version, as a source of parts.
#[derive(Debug, Clone)]
pub(crate) struct BaseObject {
    pub(crate) key: String,
    /// Of the object as it was looked at. Nothing is copied from another.
    pub(crate) etag: String,
    /// The length of the parts.
    pub(crate) part: u64,
    pub(crate) parts: Vec<Subtree>,
    pub(crate) size: u64,
    /// Whether the server proves a copy by its MD5, and not by a checksum of the whole.
    pub(crate) hashed: bool,
}

/// Returns which of these files have what at the place of a part.
pub(in crate::s3) fn at(earlier: &[Arc<BaseObject>], number: i32, size: u64) -> Vec<(usize, Subtree)> {
    let found = |(source, earlier): (usize, &Arc<BaseObject>)| Some((source, earlier.at(number, size)?));
    earlier.iter().enumerate().filter_map(found).collect()
}

/// Parts that are looked at before an upload gives up checksums of the whole for copies.
const SAMPLES: usize = 8;

impl BaseObject {
    /// Returns true when any of a few parts of a file, spread over it, is the same. Blocks.
    pub(crate) fn is_like(&self, file: &File, size: u64) -> bool {
        let parts = self.parts.len();
        let samples = (0..SAMPLES.min(parts)).map(|n| n * parts / SAMPLES.min(parts));
        let mut piece = vec![0; PIECE];
        samples.into_iter().any(|index| {
            let offset = index as u64 * self.part;
            self.at(index as i32 + 1, size).is_some_and(|expected| {
                let found = digest_part(file, offset, self.part.min(size - offset), &mut piece);
                found.is_ok_and(|found| found.subtree() == Some(expected))
            })
        })
    }

    /// Returns what lies where the part `number` of a file of `size` bytes does, if it is as long.
    pub(in crate::s3) fn at(&self, number: i32, size: u64) -> Option<Subtree> {
        let index = usize::try_from(number - 1).ok()?;
        let offset = index as u64 * self.part;
        let len = |size: u64| self.part.min(size.saturating_sub(offset));
        let fits = self.part == part_size(size) && len(size) == len(self.size);
        self.parts.get(index).copied().filter(|_| fits)
    }
}

/// Adjacent parts that one request copies.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    numbers: RangeInclusive<i32>,
    source: usize,
    offset: u64,
    len: u64,
    md5: Option<Md5>,
}

/// Joins adjacent parts to runs. One that is verified by its MD5 goes alone.
fn runs(parts: &BTreeMap<i32, PartCopy>, part: u64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (&number, &PartCopy { len, source, md5 }) in parts {
        let follows = |run: &&mut Run| {
            *run.numbers.end() + 1 == number
                && run.source == source
                && md5.is_none()
                && run.len + len <= LONGEST.max(part)
        };
        if let Some(run) = runs.last_mut().filter(follows) {
            run.numbers = *run.numbers.start()..=number;
            run.len += len;
            continue;
        }
        runs.push(Run { numbers: number..=number, source, offset: (number - 1) as u64 * part, len, md5 });
    }
    runs
}

impl Target {
    /// Copies the parts with these numbers and returns what they are of the upload. Each run of them is one part, under
    /// the number of its first; numbers in an upload need only ascend.
    pub(in crate::s3) async fn copy(
        &self,
        parts: &BTreeMap<i32, PartCopy>,
        earlier: &[Arc<BaseObject>],
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<Vec<CompletedPart>, Failure> {
        let mut copying = JoinSet::new();
        let given_up = Arc::new(AtomicBool::new(false));
        // All have parts of one length: that of the file that is pushed.
        for run in runs(parts, earlier.first().map_or(1, |earlier| earlier.part)) {
            let (to, earlier, given_up) = (self.clone(), Arc::clone(&earlier[run.source]), Arc::clone(&given_up));
            copying.spawn(async move { to.copy_run(&run, &earlier, &given_up).await.map(|part| (part, run.len)) });
        }
        let (mut copied, mut failed) = (Vec::new(), None);
        while let Some(done) = copying.join_next().await {
            match joined(done) {
                Ok((part, len)) => {
                    on_bytes(len);
                    copied.push(part);
                }
                Err(failure) => {
                    // Those that are under way are waited for. A part that arrives after its upload was aborted would
                    // bring the upload back on some servers, versitygw among them.
                    given_up.store(true, Ordering::Relaxed);
                    failed.get_or_insert(failure);
                }
            }
        }
        failed.map_or(Ok(copied), Err)
    }

    async fn copy_run(&self, run: &Run, earlier: &BaseObject, given_up: &AtomicBool) -> Result<CompletedPart, Failure> {
        let about = About::object("copy parts of", &self.bucket, &self.key);
        let number = *run.numbers.start();
        let source = escaped(&self.bucket, &self.client.prefix.whole(&earlier.key));
        let mut retry = Retry::transfer(self.client.timeouts());
        let answer = loop {
            let permit = self.client.limits.up.permit().await;
            if given_up.load(Ordering::Relaxed) {
                return Err(Failure::Copies(self.client.not_understood(about, "another copy failed")));
            }
            let copy = self.client.sdk.writing.upload_part_copy();
            let sent = copy
                .bucket(self.bucket.as_str())
                .key(&self.key)
                .upload_id(&self.id)
                .part_number(number)
                .copy_source(&source)
                .copy_source_range(format!("bytes={}-{}", run.offset, run.offset + run.len - 1))
                .copy_source_if_match(format!("\"{}\"", earlier.etag))
                .send()
                .await;
            drop(permit);
            let error = match sent {
                Ok(answer) => break answer,
                Err(error) => error,
            };
            self.client.slow_down_after(&error, &self.client.limits.up);
            // A copy that is not understood or refused is none: the bytes are sent instead.
            retry.again(self.client.failed(about, error)).await.map_err(Failure::Copies)?;
        };
        let result = answer.copy_part_result();
        let etag = result.and_then(|result| result.e_tag()).map(str::to_owned);
        if etag.is_none() {
            let error = self.client.not_understood(about, "the answer does not name the part that was copied");
            return Err(Failure::Copies(error));
        }
        if let Some(md5) = run.md5
            && bare(etag.as_deref()) != md5.to_string()
        {
            let error = std::io::Error::other("what the server copied has another MD5 than what was to be stored");
            return Err(Failure::Copies(self.client.broke_off(about, &error)));
        }
        let crc64 = result.and_then(|result| result.checksum_crc64_nvme()).map(str::to_owned);
        Ok(CompletedPart::builder().part_number(number).set_e_tag(etag).set_checksum_crc64_nvme(crc64).build())
    }
}

/// Spells an object as `x-amz-copy-source` wants it. Some servers read a bare `+` as a space.
pub(in crate::s3) fn escaped(bucket: &BucketName, key: &str) -> String {
    let mut url = Url::parse("http://host").expect("it is a URL");
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().push(bucket.as_str()).extend(key.split('/'));
    }
    url.path().trim_start_matches('/').replace('+', "%2B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped() {
        let found = escaped(&"models".parse().unwrap(), "m/v1.0+a/a b/é%.bin");
        assert_eq!(found, "models/m/v1.0%2Ba/a%20b/%C3%A9%25.bin");
    }

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn adjacent_parts_go_together_up_to_a_limit() {
        let copy = |number| PartCopy { len: if number == 10 { 5 } else { 8 * MIB }, source: 0, md5: None };
        let parts: BTreeMap<i32, PartCopy> = [1, 2, 3, 5, 9, 10].map(|number| (number, copy(number))).into();
        let found: Vec<_> = runs(&parts, 8 * MIB).into_iter().map(|run| (run.numbers, run.offset, run.len)).collect();
        assert_eq!(found, [(1..=3, 0, 24 * MIB), (5..=5, 32 * MIB, 8 * MIB), (9..=10, 64 * MIB, 8 * MIB + 5)]);
        let many: BTreeMap<i32, PartCopy> = (11..=75).map(|number| (number, copy(number))).collect();
        let lens: Vec<_> = runs(&many, 8 * MIB).iter().map(|run| run.len / MIB).collect();
        assert_eq!(lens, [256, 256, 8]);
        let md5 = Some(Md5::of(b""));
        let verified: BTreeMap<i32, PartCopy> =
            (1..=2).map(|number| (number, PartCopy { md5, ..copy(number) })).collect();
        assert_eq!(runs(&verified, 8 * MIB).len(), 2, "each MD5 is of one part");
        let sources = [(1, 0), (2, 0), (3, 1)].map(|(number, source)| (number, PartCopy { source, ..copy(number) }));
        assert_eq!(runs(&sources.into(), 8 * MIB).len(), 2, "each run is of one file");
    }

    #[test]
    fn only_what_lies_at_the_same_place_and_is_as_long_counts() {
        let subtree = |n: &str| n.repeat(32).parse::<Subtree>().unwrap();
        let parts = vec![subtree("01"), subtree("02"), subtree("03")];
        let earlier =
            BaseObject { key: "k".into(), etag: "e".into(), part: 8 * MIB, parts, size: 20 * MIB, hashed: false };
        assert_eq!(earlier.at(2, 20 * MIB), Some(subtree("02")));
        assert_eq!(earlier.at(3, 20 * MIB), Some(subtree("03")));
        assert_eq!(earlier.at(3, 21 * MIB), None, "the last part is longer now");
        assert_eq!(earlier.at(4, 40 * MIB), None);
        assert_eq!(earlier.at(1, 100_000 * MIB), None, "so large a file has other parts");
    }

    /// A file whose parts begin with these bytes; of a byte 0 there is nothing in a part.
    fn file(firsts: &[u8], size: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        for (index, first) in firsts.iter().enumerate() {
            crate::fs::write_at(&file, &[*first], index as u64 * 8 * MIB).unwrap();
        }
        file
    }

    /// Checksums of the whole are given up for copies, so there must be something to copy.
    #[test]
    fn a_file_is_like_another_if_any_part_at_the_same_place_is() {
        let size = 16 * MIB + 5;
        let earlier = file(&[1, 2, 3], size);
        let part = |(offset, len)| digest_part(&earlier, offset, len, &mut vec![0; PIECE]).unwrap().subtree().unwrap();
        let parts = crate::s3::transfer::limits::parts(size).map(part).collect();
        let earlier = BaseObject { key: "k".into(), etag: "e".into(), part: 8 * MIB, parts, size, hashed: true };
        for same in [[1, 0, 0], [0, 2, 0], [0, 0, 3]] {
            assert!(earlier.is_like(&file(&same, size), size), "{same:?}");
        }
        assert!(!earlier.is_like(&file(&[3, 1, 2], size), size), "all of it is elsewhere");
        assert!(!earlier.is_like(&file(&[0, 0, 3], 8 * MIB), 8 * MIB));
    }

    #[test]
    fn every_earlier_file_that_has_something_at_a_place_is_asked() {
        let with = |parts: &[&str]| {
            let parts: Vec<Subtree> = parts.iter().map(|n| n.repeat(32).parse().unwrap()).collect();
            let size = parts.len() as u64 * 8 * MIB;
            Arc::new(BaseObject { key: "k".into(), etag: "e".into(), part: 8 * MIB, parts, size, hashed: false })
        };
        let earlier = [with(&["01"]), with(&["02", "03"]), with(&["04", "05"])];
        let found = |number| at(&earlier, number, 16 * MIB).into_iter().map(|(source, _)| source).collect::<Vec<_>>();
        assert_eq!([found(1), found(2), found(3)], [vec![0, 1, 2], vec![1, 2], vec![]]);
    }
}
