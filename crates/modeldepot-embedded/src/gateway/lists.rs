//! Listings of objects: version 1 and 2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Gateway, etag, owner, size, timestamp};
use crate::index::listing::{Entry, MAX_PAGE, Page, Query, Start};
use crate::index::record;

impl Gateway {
    pub(super) async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let mut query = query(input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys)?;
        if let Some(marker) = input.marker.clone().filter(|marker| !marker.is_empty()) {
            query.start = query.after(marker);
        }
        let max = query.max;
        let page =
            self.run(move |store| store.index.list(&input.bucket, &query).map(|page| (page, input.bucket))).await?;
        let (page, bucket) = page;
        let next = page.entries.last().filter(|_| page.truncated).map(|entry| encode(entry.name()));
        let truncated = page.truncated;
        let (contents, common_prefixes) = split(page, encode, true);
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(bucket),
            prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
            marker: Some(encode(input.marker.as_deref().unwrap_or_default())),
            max_keys: Some(max as i32),
            is_truncated: Some(truncated),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()).map(encode),
            next_marker: next,
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    pub(super) async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let mut query = query(input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys)?;
        if let Some(token) = &input.continuation_token {
            query.start = read_token(token)?;
        } else if let Some(after) = input.start_after.clone().filter(|after| !after.is_empty()) {
            query.start = query.after(after);
        }
        let max = query.max;
        let page =
            self.run(move |store| store.index.list(&input.bucket, &query).map(|page| (page, input.bucket))).await?;
        let (page, bucket) = page;
        let next = page.entries.last().filter(|_| page.truncated).map(|entry| write_token(&entry.next()));
        let (truncated, count) = (page.truncated, page.entries.len());
        let (contents, common_prefixes) = split(page, encode, input.fetch_owner == Some(true));
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(bucket),
            prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
            max_keys: Some(max as i32),
            key_count: Some(count as i32),
            continuation_token: input.continuation_token,
            is_truncated: Some(truncated),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()).map(encode),
            encoding_type: input.encoding_type,
            start_after: input.start_after.as_deref().map(encode),
            ..Default::default()
        }))
    }
}

pub(super) fn query(prefix: Option<&str>, delimiter: Option<&str>, max: Option<i32>) -> S3Result<Query> {
    let max = match max {
        None => MAX_PAGE,
        Some(max) => usize::try_from(max)
            .map_err(|_| s3_error!(InvalidArgument, "The maximum number of entries must not be negative"))?
            .min(MAX_PAGE),
    };
    Ok(Query {
        prefix: prefix.unwrap_or_default().to_owned(),
        delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).map(str::to_owned),
        start: Start::First,
        max,
    })
}

type Encode = fn(&str) -> String;

/// Returns how names are encoded in the answer. XML cannot express every key; percent-encoding can.
pub(super) fn encoder(kind: Option<&EncodingType>) -> S3Result<Encode> {
    match kind.map(EncodingType::as_str) {
        None => Ok(str::to_owned),
        Some(EncodingType::URL) => Ok(percent_encode),
        Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
    }
}

pub(super) fn percent_encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'*' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn split(page: Page<record::Object>, encode: Encode, with_owner: bool) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Entry::CommonPrefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(encode(&prefix)) }),
            Entry::Key(key, object) => contents.push(Object {
                key: Some(encode(&key)),
                size: Some(size(object.size)),
                e_tag: Some(etag(&object.etag)),
                last_modified: Some(timestamp(object.modified)),
                checksum_type: object.checksums.kind(),
                checksum_algorithm: Some(object.checksums.sums.iter().map(|(a, _)| a.into()).collect()),
                owner: with_owner.then(owner),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Default::default()
            }),
        }
    }
    (contents, prefixes)
}

/// Encodes where the next page starts. It is opaque to clients and safe in a URL.
fn write_token(start: &Start) -> String {
    BASE64.encode(match start {
        Start::First => String::new(),
        Start::AfterKey(key) => format!("k{key}"),
        Start::AfterPrefix(prefix) => format!("p{prefix}"),
    })
}

fn read_token(token: &str) -> S3Result<Start> {
    let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().map(|text| (text.get(..1), text.get(1..))) {
        Some((Some("k"), Some(key))) => Ok(Start::AfterKey(key.to_owned())),
        Some((Some("p"), Some(prefix))) => Ok(Start::AfterPrefix(prefix.to_owned())),
        _ => Err(s3_error!(InvalidArgument, "The continuation token provided is incorrect")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_refuse_nonsense() {
        for start in [Start::AfterKey("é/+ \u{0}".into()), Start::AfterPrefix("a/".into())] {
            assert_eq!(read_token(&write_token(&start)).unwrap(), start);
        }
        for nonsense in ["", "!!", "eA", "w6k", "_____w"] {
            assert!(read_token(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn names_are_percent_encoded_but_for_the_slash() {
        assert_eq!(percent_encode("a b+c/é%\u{1}*"), "a%20b%2Bc/%C3%A9%25%01*");
    }
}
