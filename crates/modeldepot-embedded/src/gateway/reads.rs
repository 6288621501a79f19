//! Head and get.

use std::ops;

use hyper::header::HeaderValue;
use hyper::{HeaderMap, StatusCode};
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::{Gateway, etag, refuse_unsupported, size, timestamp};
use crate::body::send::{Outgoing, Reader};
use crate::checksum::put_sums;
use crate::index::conditions::{ReadConditions, Tags, Unmet, may_send_range};
use crate::index::record::{self, Segment};
use crate::index::stamp::Which;
use crate::refusal::{custom, internal, precondition_failed};

/// The part of an object that was requested.
struct Wanted {
    range: ops::Range<u64>,
    /// The value of `Content-Range`, unless it is the whole object.
    content_range: Option<String>,
}

impl Wanted {
    fn is_whole(&self) -> bool {
        self.content_range.is_none()
    }

    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }
}

fn wanted(object: &record::Object, segments: &[Segment], range: Option<&Range>, part: Option<i32>) -> S3Result<Wanted> {
    let whole = 0..object.size;
    let range = match (range, part) {
        (Some(_), Some(_)) => {
            return Err(s3_error!(InvalidRequest, "Cannot specify both Range header and partNumber query parameter"));
        }
        (None, None) => return Ok(Wanted { range: whole, content_range: None }),
        (Some(range), None) => {
            range.check(object.size).ok().filter(|range| !range.is_empty()).ok_or_else(|| unsatisfiable(object.size))?
        }
        (None, Some(part)) => match part_range(object, segments, part)? {
            // An empty part or object, which no Content-Range can describe.
            range if range.is_empty() => return Ok(Wanted { range, content_range: None }),
            range => range,
        },
    };
    let content_range = format!("bytes {}-{}/{}", range.start, range.end - 1, object.size);
    Ok(Wanted { range, content_range: Some(content_range) })
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    let mut headers = HeaderMap::new();
    if let Ok(value) = format!("bytes */{size}").parse() {
        headers.insert(hyper::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

fn part_range(object: &record::Object, segments: &[Segment], part: i32) -> S3Result<ops::Range<u64>> {
    let invalid = || {
        let message = "The requested partnumber is not satisfiable";
        custom("InvalidPartNumber", StatusCode::RANGE_NOT_SATISFIABLE, message.into())
    };
    if object.parts.is_none() {
        return if part == 1 { Ok(0..object.size) } else { Err(invalid()) };
    }
    let mut start = 0;
    for segment in segments {
        if i32::from(segment.part) == part {
            return Ok(start..start + segment.len);
        }
        start += segment.len;
    }
    Err(invalid())
}

/// The answer when a condition does not hold. `304` carries the headers that a cache needs.
fn unmet(unmet: Unmet, object: &record::Object) -> S3Error {
    match unmet {
        Unmet::PreconditionFailed => precondition_failed(),
        Unmet::NotModified => {
            let mut error = S3Error::new(S3ErrorCode::NotModified);
            error.set_status_code(StatusCode::NOT_MODIFIED);
            let mut headers = HeaderMap::new();
            if let Ok(value) = format!("\"{}\"", object.etag).parse() {
                headers.insert(hyper::header::ETAG, value);
            }
            error.set_headers(headers);
            error
        }
    }
}

/// Sets the fields that head and get have in common.
macro_rules! fill {
    ($output:expr, $object:expr, $wanted:expr, $checksums:expr, $by_part:expr) => {{
        let object: record::Object = $object;
        let wanted: &Wanted = $wanted;
        $output.accept_ranges = Some("bytes".into());
        $output.content_length = Some(size(wanted.len()));
        $output.content_range = wanted.content_range.clone();
        $output.e_tag = Some(etag(&object.etag));
        $output.version_id = object.stamp.id;
        $output.last_modified = Some(timestamp(object.modified));
        // The checksum covers the whole object: with a part of it, clients would compare it with the wrong bytes.
        if $checksums && wanted.is_whole() {
            put_sums!($output, &object.checksums.sums);
            $output.checksum_type = object.checksums.kind();
        }
        if $by_part {
            $output.parts_count = object.parts.map(|parts| parts as i32);
        }
        let description = object.description;
        $output.content_type = Some(description.content_type.unwrap_or_else(|| "binary/octet-stream".into()));
        $output.cache_control = description.cache_control;
        $output.content_disposition = description.content_disposition;
        $output.content_encoding = description.content_encoding;
        $output.content_language = description.content_language;
        $output.expires = description.expires.map(timestamp);
        $output.website_redirect_location = description.website_redirect_location;
        $output.metadata = (!description.metadata.is_empty()).then(|| description.metadata.into_iter().collect());
    }};
}

macro_rules! read_conditions {
    ($input:expr) => {
        ReadConditions {
            if_match: $input.if_match.take().map(Tags::from),
            if_none_match: $input.if_none_match.take().map(Tags::from),
            if_modified_since: $input.if_modified_since.take(),
            if_unmodified_since: $input.if_unmodified_since.take(),
        }
    };
}

/// Refuses response header overrides that no answer could carry.
macro_rules! check_wanted_headers {
    ($input:expr) => {
        $crate::gateway::reads::check_headers(&[
            ("response-content-type", &$input.response_content_type),
            ("response-cache-control", &$input.response_cache_control),
            ("response-content-disposition", &$input.response_content_disposition),
            ("response-content-encoding", &$input.response_content_encoding),
            ("response-content-language", &$input.response_content_language),
        ])
    };
}

fn check_headers(wanted: &[(&str, &Option<String>)]) -> S3Result<()> {
    for (name, value) in wanted {
        if value.as_ref().is_some_and(|value| HeaderValue::from_str(value).is_err()) {
            return Err(s3_error!(InvalidArgument, "The value of {} is not a valid header value", name));
        }
    }
    Ok(())
}

fn wants_checksums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

impl Gateway {
    pub(super) async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let mut input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        refuse_unsupported([(input.sse_customer_key.is_some(), "encryption with your key")])?;
        check_wanted_headers!(input)?;
        let conditions = read_conditions!(input);
        let (bucket, key, by_part) = (input.bucket, input.key, input.part_number.is_some());
        let (object, segments) =
            self.run(move |store| store.index.version(&bucket, &key, which.as_ref(), by_part)).await?;
        conditions.check(&object).map_err(|reason| unmet(reason, &object))?;
        let range = input.range.filter(|_| may_send_range(&req.headers, &object));
        let wanted = wanted(&object, &segments, range.as_ref(), input.part_number)?;
        let tags = object.description.tags.len();
        let mut output = HeadObjectOutput::default();
        fill!(output, object, &wanted, wants_checksums(input.checksum_mode.as_ref()), by_part);
        output.content_type = input.response_content_type.or(output.content_type);
        output.cache_control = input.response_cache_control.or(output.cache_control);
        output.content_disposition = input.response_content_disposition.or(output.content_disposition);
        output.content_encoding = input.response_content_encoding.or(output.content_encoding);
        output.content_language = input.response_content_language.or(output.content_language);
        output.expires = input.response_expires.or(output.expires);
        let mut answer = S3Response::new(output);
        // This version of the protocol layer has no field for it.
        if tags > 0 {
            answer.headers.insert("x-amz-tagging-count", HeaderValue::from(tags));
        }
        Ok(answer)
    }

    pub(super) async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let mut input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        refuse_unsupported([(input.sse_customer_key.is_some(), "encryption with your key")])?;
        check_wanted_headers!(input)?;
        let conditions = read_conditions!(input);
        let (bucket, key, range, part) = (input.bucket, input.key, input.range, input.part_number);
        let headers = req.headers;
        let (object, wanted, reader) = self
            .run(move |store| {
                let (object, segments, pin) = store.hold(&bucket, &key, which.as_ref())?;
                conditions.check(&object).map_err(|reason| unmet(reason, &object))?;
                let range = range.filter(|_| may_send_range(&headers, &object));
                let wanted = wanted(&object, &segments, range.as_ref(), part)?;
                let reader = Reader::open(pin, &segments, wanted.range.clone()).map_err(internal)?;
                Ok((object, wanted, reader))
            })
            .await?;
        let mut output =
            GetObjectOutput { body: Some(StreamingBlob::new(Outgoing::new(reader))), ..Default::default() };
        output.tag_count = i32::try_from(object.description.tags.len()).ok().filter(|count| *count > 0);
        // The protocol layer applies the response-content-* overrides itself.
        fill!(output, object, &wanted, wants_checksums(input.checksum_mode.as_ref()), part.is_some());
        Ok(S3Response::new(output))
    }
}
