//! Multipart uploads in the index: begin, add parts, complete, abort.

use redb::{ReadableTable, WriteTransaction};
use s3s::dto::CompletedPart;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::Index;
use super::conditions::WriteConditions;
use super::listing::{Entry, Page, Query, Start, successor};
use super::record::{Object, Part, Segment, Upload, now};
use super::tables::{
    BUCKETS, PARTS, UPLOADS, after_bucket, decode, encode, get, place, release, require_bucket, retain,
};
use super::versions;
use crate::checksum::{Algorithm, Checksums, Sums, composite, fold, mismatch, multipart_etag};
use crate::disk::BlobId;
use crate::refusal::{internal, no_such_bucket};

/// The smallest size of every part but the last.
const MIN_PART: u64 = 5 << 20;

/// The highest part number.
pub(crate) const MAX_PARTS: u16 = 10_000;

/// Identifies an upload: an id is only valid with its bucket and key.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) id: String,
}

impl Target {
    fn place(&self) -> Vec<u8> {
        place(&self.bucket, &self.key)
    }
}

/// The client's request to complete an upload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Completion {
    pub(crate) parts: Vec<CompletedPart>,
    pub(crate) sums: Sums,
    /// `Some(true)` for composite checksums.
    pub(crate) composite: Option<bool>,
    pub(crate) size: Option<u64>,
    pub(crate) conditions: WriteConditions,
}

/// An object assembled from parts, and its version id if the bucket has versions.
pub(crate) type Completed = (Object, Option<String>);

impl Index {
    /// Begins an upload.
    pub(crate) fn begin_upload(&self, target: &Target, upload: &Upload) -> S3Result<()> {
        self.write(|tx| {
            require_bucket(tx, &target.bucket)?;
            let upload = encode(upload)?;
            let mut table = tx.open_table(UPLOADS).map_err(internal)?;
            table.insert((target.place().as_slice(), target.id.as_str()), upload.as_slice()).map_err(internal)?;
            Ok(())
        })
    }

    /// Returns an upload in progress.
    pub(crate) fn upload(&self, target: &Target) -> S3Result<Upload> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(UPLOADS).map_err(internal)?;
        let found = table.get((target.place().as_slice(), target.id.as_str())).map_err(internal)?;
        match found {
            Some(bytes) => decode(bytes.value()),
            None if tx
                .open_table(BUCKETS)
                .map_err(internal)?
                .get(target.bucket.as_str())
                .map_err(internal)?
                .is_none() =>
            {
                Err(no_such_bucket())
            }
            None => Err(no_such_upload()),
        }
    }

    /// Adds a part, replacing one with the same number. Returns the blobs to remove.
    pub(crate) fn put_part(&self, target: &Target, number: u16, part: &Part) -> S3Result<Vec<BlobId>> {
        self.write(|tx| {
            upload(tx, target)?;
            retain(tx, part.blob.into_iter())?;
            let record = encode(part)?;
            let replaced = {
                let mut table = tx.open_table(PARTS).map_err(internal)?;
                let old = table.insert((target.id.as_str(), number), record.as_slice()).map_err(internal)?;
                old.map(|bytes| decode::<Part>(bytes.value())).transpose()?
            };
            release(tx, replaced.and_then(|part| part.blob).into_iter())
        })
    }

    /// Returns up to `max` parts with numbers above `after`, and whether there are more.
    pub(crate) fn parts(&self, target: &Target, after: u16, max: usize) -> S3Result<(Vec<(u16, Part)>, bool)> {
        let tx = self.opened.read().map_err(internal)?;
        let table = tx.open_table(PARTS).map_err(internal)?;
        let (mut parts, id) = (Vec::new(), target.id.as_str());
        for row in table.range((id, after.saturating_add(1))..=(id, u16::MAX)).map_err(internal)? {
            if parts.len() == max {
                return Ok((parts, true));
            }
            let (at, part) = row.map_err(internal)?;
            parts.push((at.value().1, decode(part.value())?));
        }
        Ok((parts, false))
    }

    /// Aborts an upload. Returns the blobs to remove.
    pub(crate) fn abort_upload(&self, target: &Target) -> S3Result<Vec<BlobId>> {
        self.abort_upload_if(|_| Ok(()), target)
    }

    /// Aborts an upload if `holds` succeeds in the same transaction.
    pub(crate) fn abort_upload_if(
        &self,
        holds: impl Fn(&WriteTransaction) -> S3Result<()>,
        target: &Target,
    ) -> S3Result<Vec<BlobId>> {
        self.free(|tx| {
            require_bucket(tx, &target.bucket)?;
            holds(tx)?;
            upload(tx, target)?;
            forget(tx, &target.place(), &target.id)
        })
    }

    /// Turns the parts into an object, in one transaction and without reading their bytes.
    ///
    /// Returns it and the blobs to remove: those of the replaced object and of unused parts.
    pub(crate) fn complete_upload(
        &self,
        target: &Target,
        completion: &Completion,
    ) -> S3Result<(Completed, Vec<BlobId>)> {
        self.write(|tx| {
            require_bucket(tx, &target.bucket)?;
            let upload = upload(tx, target)?;
            let parts = choose_parts(tx, &target.id, &completion.parts)?;
            let (mut object, segments) = assemble(upload, &parts, completion)?;
            let place = target.place();
            completion.conditions.check(get(tx, &place)?.as_ref())?;
            let (version, mut freed) = versions::put(tx, &target.bucket, &place, &mut object, &segments)?;
            freed.extend(forget(tx, &place, &target.id)?);
            Ok(((object, version), freed))
        })
    }

    /// Returns a page of a bucket's uploads without descriptions, by key, then by id. Ids grow with time, so this is
    /// S3's order.
    pub(crate) fn uploads(
        &self,
        bucket: &str,
        query: &Query,
        after_id: Option<&str>,
    ) -> S3Result<Page<(String, Upload)>> {
        let tx = self.opened.read().map_err(internal)?;
        if tx.open_table(BUCKETS).map_err(internal)?.get(bucket).map_err(internal)?.is_none() {
            return Err(no_such_bucket());
        }
        let table = tx.open_table(UPLOADS).map_err(internal)?;
        let begin = place(bucket, &query.prefix);
        let end = if query.prefix.is_empty() { after_bucket(bucket) } else { successor(begin.clone()) };
        let (mut from, mut from_id) = match &query.start {
            Start::First => (begin.clone(), String::new()),
            Start::AfterKey(key) => match after_id {
                Some(id) => (place(bucket, key), format!("{id}\0")),
                None => ([place(bucket, key), vec![0]].concat(), String::new()),
            },
            Start::AfterPrefix(prefix) => (successor(place(bucket, prefix)), String::new()),
        };
        if from < begin {
            (from, from_id) = (begin, String::new());
        }
        let mut page = Page { entries: Vec::new(), truncated: false };
        if query.max == 0 {
            return Ok(page);
        }
        'seek: while from < end {
            let range = (from.as_slice(), from_id.as_str())..(end.as_slice(), "");
            for row in table.range(range).map_err(internal)? {
                let (at, upload) = row.map_err(internal)?;
                if page.entries.len() == query.max {
                    page.truncated = true;
                    break 'seek;
                }
                let (at, id) = at.value();
                let key = std::str::from_utf8(&at[bucket.len() + 1..]).map_err(internal)?;
                if let Some(prefix) = query.common_prefix(key) {
                    page.entries.push(Entry::CommonPrefix(prefix.to_owned()));
                    (from, from_id) = (successor(place(bucket, prefix)), String::new());
                    continue 'seek;
                }
                let mut upload: Upload = decode(upload.value())?;
                // Tags and metadata of a page may take megabytes.
                upload.description = Default::default();
                page.entries.push(Entry::Key(key.to_owned(), (id.to_owned(), upload)));
            }
            break;
        }
        Ok(page)
    }
}

fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might \
         have been aborted or completed."
    )
}

fn upload(tx: &WriteTransaction, target: &Target) -> S3Result<Upload> {
    let table = tx.open_table(UPLOADS).map_err(internal)?;
    let found = table.get((target.place().as_slice(), target.id.as_str())).map_err(internal)?;
    found.map_or_else(|| Err(no_such_upload()), |bytes| decode(bytes.value()))
}

/// Removes an upload and its parts. Returns the blobs that are no longer referenced.
pub(crate) fn forget(tx: &WriteTransaction, place: &[u8], id: &str) -> S3Result<Vec<BlobId>> {
    tx.open_table(UPLOADS).map_err(internal)?.remove((place, id)).map_err(internal)?;
    let mut blobs = Vec::new();
    {
        let mut table = tx.open_table(PARTS).map_err(internal)?;
        let parts = table.extract_from_if((id, 0)..=(id, u16::MAX), |_, _| true).map_err(internal)?;
        for part in parts {
            let (_, part) = part.map_err(internal)?;
            blobs.extend(decode::<Part>(part.value())?.blob);
        }
    }
    release(tx, blobs.into_iter())
}

/// Returns the parts that the client lists, after checking what it says about them.
fn choose_parts(tx: &WriteTransaction, id: &str, named: &[CompletedPart]) -> S3Result<Vec<(u16, Part)>> {
    if named.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    let table = tx.open_table(PARTS).map_err(internal)?;
    let mut parts: Vec<(u16, Part)> = Vec::with_capacity(named.len());
    for name in named {
        let number = name.part_number.and_then(|n| u16::try_from(n).ok()).filter(|n| (1..=MAX_PARTS).contains(n));
        let number = number.ok_or_else(invalid_part)?;
        if parts.last().is_some_and(|(last, _)| *last >= number) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. The parts list must be specified in order by part number."
            ));
        }
        let found = table.get((id, number)).map_err(internal)?.ok_or_else(invalid_part)?;
        let part: Part = decode(found.value())?;
        if name.e_tag.as_ref().is_none_or(|etag| etag.value() != part.etag) {
            return Err(invalid_part());
        }
        let mut said = name.clone();
        for (algorithm, value) in crate::checksum::sums_of!(said).iter() {
            if part.sums.get(algorithm) != Some(value) {
                return Err(invalid_part());
            }
        }
        parts.push((number, part));
    }
    Ok(parts)
}

fn invalid_part() -> S3Error {
    s3_error!(
        InvalidPart,
        "One or more of the specified parts could not be found. The part might not have been uploaded, or the \
         specified entity tag or checksum might not have matched the uploaded part."
    )
}

/// Assembles an object from parts, and checks what the client says about the whole.
fn assemble(upload: Upload, parts: &[(u16, Part)], completion: &Completion) -> S3Result<(Object, Vec<Segment>)> {
    let all_but_last = &parts[..parts.len() - 1];
    if all_but_last.iter().any(|(_, part)| part.len < MIN_PART) {
        return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
    }
    let size: u64 = parts.iter().map(|(_, part)| part.len).sum();
    if completion.size.is_some_and(|said| said != size) {
        return Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value does not match what was computed: {}",
            size
        ));
    }
    if completion.composite.is_some_and(|said| upload.algorithm.is_some() && said != upload.composite) {
        return Err(s3_error!(InvalidRequest, "The checksum type does not match that of the upload"));
    }
    let checksums = checksums(&upload, parts);
    for (algorithm, said) in completion.sums.iter() {
        let kept = checksums.sums.get(algorithm).map(str::to_owned);
        // The client may send a checksum of the whole although the upload stores another kind.
        let known = kept.or_else(|| whole(algorithm, parts));
        let same = known.as_deref().is_some_and(|known| said == known || without_count(known) == Some(said))
            || whole(algorithm, parts).as_deref() == Some(said);
        if !same {
            return Err(mismatch(algorithm));
        }
    }
    let etag = multipart_etag(parts.iter().map(|(_, part)| part.etag.as_str()))
        .ok_or_else(|| internal(std::io::Error::other("the entity tag of a part is damaged")))?;
    let segments = parts
        .iter()
        .filter_map(|(number, part)| {
            part.blob.map(|blob| Segment { blob, len: part.len, part: *number, coded: part.coded })
        })
        .collect();
    let object = Object {
        size,
        etag,
        modified: now(),
        parts: Some(parts.len() as u32),
        checksums,
        description: upload.description,
        stamp: Default::default(),
    };
    Ok((object, segments))
}

/// Some clients omit the `-N` of a composite checksum.
fn without_count(sum: &str) -> Option<&str> {
    sum.rsplit_once('-').map(|(digest, _)| digest)
}

fn whole(algorithm: Algorithm, parts: &[(u16, Part)]) -> Option<String> {
    fold(algorithm, parts.iter().map(|(_, part)| (part.sums.get(algorithm), part.len)))
}

fn checksums(upload: &Upload, parts: &[(u16, Part)]) -> Checksums {
    let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let value = if upload.composite {
        composite(algorithm, parts.iter().map(|(_, part)| part.sums.get(algorithm)))
    } else {
        whole(algorithm, parts)
    };
    let mut sums = Sums::default();
    if let Some(value) = value {
        sums.set(algorithm, value);
    }
    Checksums { sums, composite: upload.composite }
}

/// Returns whether an upload with this algorithm has a composite checksum, given the client's request.
pub(crate) fn is_composite(algorithm: Option<Algorithm>, asked: Option<bool>) -> S3Result<bool> {
    let refused = |what| Err(S3Error::with_message(S3ErrorCode::InvalidRequest, what));
    match (algorithm, asked) {
        (None, None | Some(false)) => Ok(false),
        (None, Some(true)) => refused("The COMPOSITE checksum type needs a checksum algorithm"),
        (Some(Algorithm::Crc64Nvme), Some(true)) => {
            refused("The COMPOSITE checksum type cannot be used with the CRC64NVME checksum algorithm.")
        }
        (Some(Algorithm::Sha1 | Algorithm::Sha256), Some(false)) => {
            refused("The FULL_OBJECT checksum type cannot be used with the SHA1 and SHA256 checksum algorithms.")
        }
        (Some(_), Some(asked)) => Ok(asked),
        (Some(algorithm), None) => Ok(algorithm != Algorithm::Crc64Nvme),
    }
}
