//! Uploads by HTML form: POST to a bucket, with a policy that the owner of a key signed.
//!
//! The protocol layer would collect the file in memory, so forms are handled before it. The file is then stored like
//! that of any put, and its length is checked as it arrives.

pub(crate) mod form;
pub(crate) mod policy;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::Extensions;
use hyper::{Method, Request, Response, StatusCode};
use modeldepot_listen::RequestBody;
use s3s::dto::{ETag, PutObjectInput, StreamingBlob};
use s3s::{S3Error, S3Request, S3Result, s3_error};
use url::Url;

use self::form::{FileBody, Form, FormError, boundary};
use self::policy::{Policy, Signature, field};
use super::Gateway;
use super::tagging::tags_of_xml;
use crate::access::keys::Right;
use crate::access::{Logins, Rights, unknown_key};
use crate::body::receive::MAX_BODY;
use crate::body::reframe::Frames;
use crate::checksum::Algorithm;
use crate::front::seen::Keys;
use crate::head::waits_for_continue;
use crate::index::record::now;
use crate::refusal::plain_error;

/// How much of a refused file is read, so that the client gets to read the error.
const DRAINED: u64 = 64 << 20;

/// The same for an unsigned form.
const DRAINED_OF_STRANGERS: u64 = 1 << 20;

/// The longest address that a browser is redirected to.
const MAX_REDIRECT: usize = 2048;

/// The placeholder for the file's name in a key.
const FILENAME: &str = "${filename}";

/// Returns the bucket that a form is posted to; `None` if the path also names an object.
pub(crate) fn bucket_of(path: &str) -> Option<String> {
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let bucket = path.strip_prefix('/')?;
    let bucket = bucket.strip_suffix('/').unwrap_or(bucket);
    (!bucket.is_empty() && !bucket.contains('/')).then(|| bucket.to_owned())
}

impl Gateway {
    /// Answers an upload by form.
    pub(crate) async fn form(&self, logins: &Logins, request: Request<RequestBody>) -> Response<s3s::Body> {
        let (head, body) = request.into_parts();
        let answer = self.read_form(logins, &head, body).await;
        answer.unwrap_or_else(refusal)
    }

    async fn read_form(
        &self,
        logins: &Logins,
        head: &hyper::http::request::Parts,
        body: RequestBody,
    ) -> S3Result<Response<s3s::Body>> {
        let not_here = || s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.");
        let bucket = bucket_of(head.uri.path()).ok_or_else(not_here)?;
        if head.headers.contains_key(header::AUTHORIZATION) || head.uri.query().is_some_and(|query| !query.is_empty()) {
            return Err(s3_error!(InvalidArgument, "A form must only be signed by its own fields"));
        }
        let [kind] = head.headers.get_all(header::CONTENT_TYPE).iter().collect::<Vec<_>>()[..] else {
            return Err(form_error(FormError::Boundary));
        };
        let boundary = boundary(kind.to_str().unwrap_or_default()).map_err(form_error)?;
        let Form { mut fields, filename, file } = Form::read(Frames(body), &boundary).await.map_err(form_error)?;
        let (mut file, wrong) = Measured::new(file);
        let mut drained = DRAINED_OF_STRANGERS;
        let allowed = signer(logins, &bucket, &fields).and_then(|rights| {
            drained = DRAINED;
            fill(&bucket, &mut fields, &filename).map(|(range, input, then)| (rights, range, input, then))
        });
        let (rights, range, mut input, then) = match allowed {
            Ok(allowed) => allowed,
            Err(error) => {
                if !waits_for_continue(&head.headers) {
                    file.file.drain(drained).await;
                }
                return Err(error);
            }
        };
        let mut extensions = Extensions::new();
        extensions.insert(rights);
        if let Some(keys) = head.extensions.get::<Keys>() {
            keys.add(std::iter::once(input.key.as_str()));
            keys.sign(field(&fields, "x-amz-credential").or(field(&fields, "awsaccesskeyid")));
        }
        input.body = Some(StreamingBlob::wrap(file.within(range)));
        let key = input.key.clone();
        let put = self
            .put_object(S3Request {
                input,
                method: Method::PUT,
                uri: head.uri.clone(),
                headers: HeaderMap::new(),
                extensions,
                credentials: None,
                region: None,
                service: None,
                trailing_headers: None,
            })
            .await;
        let put = match put {
            Ok(put) => put,
            Err(error) => return Err(wrong.take().unwrap_or(error)),
        };
        let etag = put.output.e_tag.as_ref().map(ETag::value).unwrap_or_default().to_owned();
        Ok(then.answer(head, &bucket, &key, &etag))
    }
}

/// Returns the rights of the key pair that signed a form.
fn signer(logins: &Logins, bucket: &str, fields: &[(String, String)]) -> S3Result<Rights> {
    let signature = Signature::read(fields)?;
    let (secret, rights) = logins.find(signature.access_key()).ok_or_else(unknown_key)?;
    signature.verify(&secret, policy_of(fields)?)?;
    rights.require(Right::Write, bucket)?;
    Ok(rights)
}

fn policy_of(fields: &[(String, String)]) -> S3Result<&str> {
    let missing = || s3_error!(InvalidArgument, "Bucket POST must contain a field named 'policy'.");
    field(fields, "policy").ok_or_else(missing)
}

/// The allowed length of the file, where it is stored, and the answer.
type Allowed = ((u64, u64), PutObjectInput, Then);

/// Decides what a signed form may upload.
fn fill(bucket: &str, fields: &mut [(String, String)], filename: &str) -> S3Result<Allowed> {
    // Some browsers send a whole path, with the separators of the sender's system.
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    if let Some((_, key)) = fields.iter_mut().find(|(field, _)| field == "key") {
        *key = key.replace(FILENAME, name);
    }
    let fields = &*fields;
    let policy = Policy::read(policy_of(fields)?, &Signature::read(fields)?, now())?;
    policy.check(fields, bucket)?;
    Ok((policy.range(), input_of(fields, bucket)?, Then::of(fields, &policy)))
}

/// Returns the put that the fields describe.
fn input_of(fields: &[(String, String)], bucket: &str) -> S3Result<PutObjectInput> {
    let key = field(fields, "key").unwrap_or_default();
    if key.is_empty() {
        return Err(s3_error!(InvalidArgument, "Bucket POST must contain a field named 'key'."));
    }
    if key.len() > 1024 {
        return Err(s3_error!(KeyTooLongError, "Your key is too long"));
    }
    let mut input = PutObjectInput { bucket: bucket.to_owned(), key: key.to_owned(), ..Default::default() };
    let mut metadata = s3s::dto::Metadata::default();
    for (name, value) in fields {
        let text = Some(value.clone());
        match name.as_str() {
            "acl" => input.acl = text.map(Into::into),
            "cache-control" => input.cache_control = header_text(name, value)?,
            "content-type" => input.content_type = header_text(name, value)?,
            "content-disposition" => input.content_disposition = header_text(name, value)?,
            "content-encoding" => input.content_encoding = header_text(name, value)?,
            "content-language" => input.content_language = header_text(name, value)?,
            "content-md5" => input.content_md5 = text,
            "expires" => {
                let date = s3s::dto::Timestamp::parse(s3s::dto::TimestampFormat::HttpDate, value);
                input.expires =
                    Some(date.map_err(|_| s3_error!(InvalidArgument, "The field Expires is not a valid date"))?);
            }
            "tagging" => input.tagging = Some(tags_of_xml(value)?),
            "x-amz-storage-class" => input.storage_class = text.map(Into::into),
            "x-amz-website-redirect-location" => input.website_redirect_location = header_text(name, value)?,
            "x-amz-checksum-algorithm" => input.checksum_algorithm = text.map(Into::into),
            "x-amz-signature" | "x-amz-algorithm" | "x-amz-credential" | "x-amz-date" => {}
            name if name.starts_with("x-amz-meta-") => {
                // Every answer about the object will carry it as a header.
                if HeaderName::from_bytes(name.as_bytes()).is_err() {
                    return Err(s3_error!(InvalidArgument, "A metadata field has an invalid header name"));
                }
                if let Some(value) = header_text(name, value)? {
                    metadata.insert(name["x-amz-meta-".len()..].to_owned(), value);
                }
            }
            name if name.starts_with("x-amz-") => match Algorithm::of_header(name) {
                Some(Algorithm::Crc32) => input.checksum_crc32 = text,
                Some(Algorithm::Crc32c) => input.checksum_crc32c = text,
                Some(Algorithm::Crc64Nvme) => input.checksum_crc64nvme = text,
                Some(Algorithm::Sha1) => input.checksum_sha1 = text,
                Some(Algorithm::Sha256) => input.checksum_sha256 = text,
                None => super::refuse_unsupported([(true, name)])?,
            },
            _ => {}
        }
    }
    input.metadata = Some(metadata);
    Ok(input)
}

/// Returns the value of a field that will become a header of answers.
fn header_text(name: &str, value: &str) -> S3Result<Option<String>> {
    match HeaderValue::from_str(value) {
        Ok(_) => Ok(Some(value.to_owned()).filter(|value| !value.is_empty())),
        Err(_) => Err(s3_error!(InvalidArgument, "The value of {} is not a valid header value", name)),
    }
}

/// The answer once the file is stored.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    Status(StatusCode),
    Redirect(Url),
}

impl Then {
    /// Reads which answer the fields ask for. As in S3, an unusable redirect address is ignored.
    fn of(fields: &[(String, String)], policy: &Policy) -> Self {
        for name in ["success_action_redirect", "redirect"] {
            let Some(address) = field(fields, name).filter(|address| address.len() <= MAX_REDIRECT) else { continue };
            // Only to hosts that the signer named. Otherwise this server would redirect anywhere.
            if let Ok(url) = Url::parse(address)
                && matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && policy.names_host_of(name)
            {
                return Self::Redirect(url);
            }
        }
        Self::Status(match field(fields, "success_action_status") {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        })
    }

    fn answer(self, head: &hyper::http::request::Parts, bucket: &str, key: &str, etag: &str) -> Response<s3s::Body> {
        let quoted = format!("\"{etag}\"");
        let mut answer = Response::new(s3s::Body::empty());
        let set = |answer: &mut Response<s3s::Body>, name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.headers_mut().insert(name, value);
            }
        };
        set(&mut answer, header::ETAG, &quoted);
        match self {
            Self::Redirect(mut url) => {
                url.query_pairs_mut()
                    .append_pair("bucket", bucket)
                    .append_pair("key", key)
                    .append_pair("etag", &quoted);
                set(&mut answer, header::LOCATION, url.as_str());
                *answer.status_mut() = StatusCode::SEE_OTHER;
            }
            Self::Status(status) => {
                let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
                let location = format!("http://{host}/{bucket}/{}", super::lists::percent_encode(key));
                set(&mut answer, header::LOCATION, &location);
                *answer.status_mut() = status;
                if status == StatusCode::CREATED {
                    let text = [("Location", &*location), ("Bucket", bucket), ("Key", key), ("ETag", &quoted)]
                        .map(|(name, value)| format!("<{name}>{}</{name}>", crate::front::xml::escape(value)))
                        .concat();
                    let text =
                        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>{text}</PostResponse>");
                    *answer.body_mut() = s3s::Body::from(text);
                    set(&mut answer, header::CONTENT_TYPE, "application/xml");
                }
            }
        }
        answer
    }
}

fn too_large() -> S3Error {
    s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size")
}

fn form_error(error: FormError) -> S3Error {
    let message = error.to_string();
    match error {
        FormError::Boundary | FormError::Malformed => {
            s3_error!(MalformedPOSTRequest, "{}", message)
        }
        FormError::TooLarge => s3_error!(MaxPostPreDataLengthExceededError, "{}", message),
        FormError::NoFile => s3_error!(IncorrectNumberOfFilesInPostRequest, "{}", message),
        FormError::Twice(_) => s3_error!(InvalidArgument, "{}", message),
        FormError::Unfinished | FormError::Body(_) => s3_error!(IncompleteBody, "{}", message),
        FormError::Slow => s3_error!(RequestTimeout, "{}", message),
    }
}

fn refusal(error: S3Error) -> Response<s3s::Body> {
    match error.to_http_response() {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%error, "a response could not be written");
            plain_error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "Please try again")
        }
    }
}

/// The error of a file, for the answer: storing an object reports only its text.
#[derive(Clone, Default)]
struct Wrong(Arc<Mutex<Option<S3Error>>>);

impl Wrong {
    fn take(&self) -> Option<S3Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: S3Error) -> std::io::Error {
        let text = error.to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        std::io::Error::other(text)
    }
}

/// A file whose length is checked against the policy.
struct Measured<S> {
    file: FileBody<S>,
    range: (u64, u64),
    len: u64,
    wrong: Wrong,
}

impl<S> Measured<S> {
    fn new(file: FileBody<S>) -> (Self, Wrong) {
        let wrong = Wrong::default();
        (Self { file, range: (0, MAX_BODY), len: 0, wrong: wrong.clone() }, wrong)
    }

    fn within(self, range: (u64, u64)) -> Self {
        Self { range: (range.0, range.1.min(MAX_BODY)), ..self }
    }
}

impl<S, E> Stream for Measured<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (least, most) = self.range;
        let wrong = loop {
            break match ready!(Pin::new(&mut self.file).poll_next(cx)) {
                Some(Ok(bytes)) => {
                    self.len += bytes.len() as u64;
                    if self.len <= most {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    // Keep reading for a while, so that the client gets to read the answer.
                    if self.len - most <= DRAINED {
                        continue;
                    }
                    too_large()
                }
                None if self.len > most => too_large(),
                Some(Err(error)) => form_error(error),
                None if self.len < least => {
                    s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size")
                }
                None => return Poll::Ready(None),
            };
        };
        Poll::Ready(Some(Err(self.wrong.note(wrong))))
    }
}
