//! The parts of a large file on their way: read in order, hashed and sent side by side.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedPart};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::copy;
use super::part::{Outcome, Part, Target};
use super::read::{Source, read_parts};
use crate::error::Mark;
use crate::model::digest::{Digests, PartDigest, merge};
use crate::s3::client::S3Client;
use crate::s3::multipart::{Begun, StoredPart};
use crate::s3::transfer::checksum::Checksum;
use crate::s3::transfer::upload::{Failure, Upload};
use crate::task::joined;

/// The parts of a large file, all of them with the server.
pub(in crate::s3) struct SentParts {
    pub(in crate::s3) id: String,
    pub(in crate::s3) checksum: Checksum,
    pub(in crate::s3) parts: Vec<CompletedPart>,
    pub(in crate::s3) digests: Digests,
    pub(in crate::s3) kept: u64,
    pub(in crate::s3) copied: u64,
}

impl Upload {
    /// Sends the parts of a file, or resumes an interrupted upload of it.
    pub(in crate::s3) async fn send_parts(
        &self,
        client: &S3Client,
        source: Source,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<SentParts, Failure> {
        let known = self.record.as_ref().map(|record| &record.known);
        let found = if self.options.resume { client.cut_off(&self.bucket, &self.key, known).await? } else { None };
        let resumed = found.is_some();
        let (id, checksum, there) = match found {
            Some(found) => (found.upload_id, found.checksum, found.parts),
            None => {
                // Some servers copy parts only into uploads without checksums.
                let hashed = self.earlier.iter().any(|earlier| earlier.hashed);
                let checksum = if hashed { Checksum::Md5 } else { client.checksum() };
                let crc64 = checksum.is_crc64();
                let begun = client.begin_upload(&self.bucket, &self.key, |create| {
                    create
                        .content_type(self.content_type())
                        .set_storage_class(client.storage_class())
                        .set_metadata(Some(self.options.metadata.clone().into_iter().collect()))
                        .set_checksum_algorithm(crc64.then_some(ChecksumAlgorithm::Crc64Nvme))
                        .set_checksum_type(crc64.then_some(ChecksumType::FullObject))
                });
                let id = begun.await.map_err(|error| match error {
                    Begun::Refused(error) => self.refused(client, checksum, *error),
                    Begun::Unnamed(error) => Failure::Final(error),
                })?;
                // Before a part is sent: nothing else shows later whose the upload is.
                if let Some(record) = &self.record
                    && let Err(error) = (record.note)(id.clone()).await
                {
                    let _ = client.abort_multipart_upload(&self.bucket, &self.key, &id).await;
                    return Err(error.into());
                }
                (id, checksum, BTreeMap::new())
            }
        };
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        let target = Target { client: client.clone(), bucket, key, id, checksum, origin: source.origin.clone() };
        let sent = self.send_all(&target, there, source, on_bytes).await;
        if let Err(failure) = &sent {
            self.give_up(client, &target.id, failure).await;
        }
        // A part cannot always be sent again with other bytes: `rclone serve s3` has passed it on already.
        sent.map_err(|failure| match failure {
            Failure::Final(error) if resumed && matches!(error.mark(), Mark::Refused(_)) => Failure::Obstacle(error),
            failure => failure,
        })
    }

    /// Aborts an upload that failed, unless it is to be resumed.
    pub(in crate::s3) async fn give_up(&self, client: &S3Client, id: &str, failure: &Failure) {
        if !self.keeps_parts(failure) {
            // The parts would be paid for and seen by nobody. If this fails too, the first failure says more.
            let _ = client.abort_multipart_upload(&self.bucket, &self.key, id).await;
        }
    }

    /// Returns true when a later upload may continue with the parts of this one.
    fn keeps_parts(&self, failure: &Failure) -> bool {
        let may_pass = matches!(failure, Failure::Final(error) if error.may_pass());
        may_pass && (self.options.resume || self.options.keep_parts)
    }

    async fn send_all(
        &self,
        to: &Target,
        mut there: BTreeMap<i32, StoredPart>,
        source: Source,
        on_bytes: &(impl Fn(u64) + Sync),
    ) -> Result<SentParts, Failure> {
        let (queue, mut read) = mpsc::channel(1);
        let (pool, size) = (to.client.limits.pool.clone(), source.size);
        let with_md5 = !self.options.without_md5;
        let reader = tokio::spawn(async move { read_parts(source, with_md5, &pool, &queue).await });
        let mut delivering = JoinSet::new();
        let mut digests: BTreeMap<i32, PartDigest> = BTreeMap::new();
        let (mut completed, mut copies, mut kept) = (Vec::new(), BTreeMap::new(), 0);
        loop {
            tokio::select! {
                Some(next) = read.recv() => {
                    let part = Part {
                        number: next.number,
                        offset: next.offset,
                        payload: next.payload,
                        there: there.remove(&next.number),
                        earlier: copy::at(&self.earlier, next.number, size),
                    };
                    delivering.spawn(part.deliver(to.clone()));
                }
                Some(done) = delivering.join_next() => {
                    let part = joined(done)?;
                    let len = part.digest.len();
                    digests.insert(part.number, part.digest);
                    match part.outcome {
                        Outcome::Copies(copy) => {
                            copies.insert(part.number, copy);
                            continue;
                        }
                        Outcome::Kept(part) => {
                            kept += len;
                            completed.push(part);
                        }
                        Outcome::Sent(part) => completed.push(part),
                    }
                    on_bytes(len);
                }
                else => break,
            }
        }
        let md5 = joined(reader.await)?;
        if !copies.is_empty() {
            completed.extend(to.copy(&copies, &self.earlier, on_bytes).await?);
        }
        completed.sort_by_key(CompletedPart::part_number);
        let digests = merge(&digests.into_values().collect::<Vec<_>>(), md5);
        let copied = copies.values().map(|copy| copy.len).sum();
        Ok(SentParts { id: to.id.clone(), checksum: to.checksum, parts: completed, digests, kept, copied })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::s3::client::UploadOptions;

    #[test]
    fn parts_are_kept_where_the_same_upload_may_succeed_later_and_somebody_resumes_it() {
        let kept = |options: UploadOptions, failure: Failure| {
            let (bucket, key) = ("models".parse().unwrap(), "k".to_owned());
            let (path, earlier) = ("f".into(), Vec::new());
            let upload = Upload { path, size: 1, stamp: None, bucket, key, options, earlier, record: None };
            upload.keeps_parts(&failure)
        };
        let busy = || Error::unavailable("store `k`", "http://host", "busy");
        let exists = || Error::object_exists(&"models".parse().unwrap(), "k");
        for options in [UploadOptions::default().resume(true), UploadOptions::default().keep_parts(true)] {
            assert!(kept(options.clone(), Failure::Final(busy())));
            assert!(!kept(options.clone(), Failure::Final(exists())), "it will not pass");
            assert!(!kept(options, Failure::Checksums(busy())), "it begins anew, with others");
        }
        assert!(!kept(UploadOptions::default(), Failure::Final(busy())), "nobody would resume it");
    }
}
