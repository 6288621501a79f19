//! What a server's refusal, or the lack of an answer, means to the caller.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::client::S3Client;
use crate::error::Error;
use crate::name::BucketName;

/// What a request was about, to name it when it fails.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// The verb, fit to follow "failed to".
    pub(super) verb: &'static str,
    pub(super) bucket: Option<&'a BucketName>,
    pub(super) key: Option<&'a str>,
}

impl<'a> About<'a> {
    pub(super) fn bucket(verb: &'static str, bucket: &'a BucketName) -> Self {
        Self { verb, bucket: Some(bucket), key: None }
    }

    pub(super) fn object(verb: &'static str, bucket: &'a BucketName, key: &'a str) -> Self {
        Self { verb, bucket: Some(bucket), key: Some(key) }
    }

    fn action(&self) -> String {
        match (self.bucket, self.key) {
            (Some(bucket), Some(key)) => format!("{} `{key}` in bucket `{bucket}`", self.verb),
            (Some(bucket), None) => format!("{} bucket `{bucket}`", self.verb),
            _ => self.verb.to_owned(),
        }
    }
}

/// One line of what a server said, as the cause of an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl S3Client {
    /// Translates a failed request.
    pub(super) fn failed<E>(&self, about: About<'_>, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let endpoint = self.endpoint().to_owned();
        let action = about.action();
        match &error {
            SdkError::ServiceError(refusal) => {
                let answer = refusal.raw();
                let status = answer.status().as_u16();
                let code = refusal.err().code().map_or_else(|| format!("HTTP {status}"), str::to_owned);
                let said = Said(match refusal.err().message() {
                    Some(message) => format!("{code}: {message}"),
                    None => code.clone(),
                });
                match (code.as_str(), status, about.bucket, about.key) {
                    ("NoSuchBucket", _, Some(bucket), _) => Error::BucketNotFound { bucket: bucket.clone(), endpoint },
                    ("NoSuchUpload", ..) => Error::Service { action, endpoint, code, source: Box::new(said) },
                    (_, 404, Some(bucket), Some(key)) => {
                        Error::ObjectNotFound { bucket: bucket.clone(), key: key.to_owned() }
                    }
                    (_, 404, Some(bucket), None) => Error::BucketNotFound { bucket: bucket.clone(), endpoint },
                    ("BucketAlreadyExists", _, Some(bucket), _) => Error::BucketTaken { bucket: bucket.clone() },
                    (
                        "AuthorizationHeaderMalformed"
                        | "PermanentRedirect"
                        | "IllegalLocationConstraintException"
                        | "AuthorizationQueryParametersError",
                        ..,
                    )
                    | (_, 301 | 307, ..) => Error::WrongRegion {
                        endpoint,
                        region: self.region().to_owned(),
                        expected: answer.headers().get("x-amz-bucket-region").map(str::to_owned),
                    },
                    (_, 401 | 403, ..) => Error::Denied { action, endpoint, code },
                    ("SlowDown" | "ServiceUnavailable" | "InternalError" | "RequestTimeout", ..)
                    | ("ConditionalRequestConflict" | "OperationAborted", ..)
                    | (_, 429 | 500 | 502 | 503 | 504, ..) => {
                        Error::Unavailable { action, endpoint, source: Box::new(said) }
                    }
                    _ => Error::Service { action, endpoint, code, source: Box::new(said) },
                }
            }
            SdkError::DispatchFailure(_) => match no_credentials(&error) {
                Some(said) => Error::NoCredentials { endpoint, source: Box::new(Said(said)) },
                None => Error::Unreachable { endpoint, source: Box::new(Said(root(&error))) },
            },
            SdkError::TimeoutError(_) => {
                Error::Unavailable { action, endpoint, source: Box::new(Said("no answer in time".to_owned())) }
            }
            SdkError::ResponseError(_) => Error::Unavailable { action, endpoint, source: Box::new(Said(root(&error))) },
            _ => match no_credentials(&error) {
                Some(said) => Error::NoCredentials { endpoint, source: Box::new(Said(said)) },
                None => Error::Service {
                    action,
                    endpoint,
                    code: "the request could not be made".to_owned(),
                    source: Box::new(Said(root(&error))),
                },
            },
        }
    }

    /// Translates a body that broke off.
    pub(super) fn broke_off(&self, about: About<'_>, error: &(dyn StdError + 'static)) -> Error {
        Error::Unavailable {
            action: about.action(),
            endpoint: self.endpoint().to_owned(),
            source: Box::new(Said(root(error))),
        }
    }
}

/// Returns true when the server may not have liked the checksum header, which only some servers know.
pub(super) fn dislikes_checksums<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let SdkError::ServiceError(refusal) = error else { return false };
    matches!(
        refusal.err().code(),
        Some("NotImplemented" | "InvalidArgument" | "InvalidRequest" | "MalformedXML" | "UnsupportedArgument")
    )
}

/// Returns true when the server did nothing, because others write at the same moment, and says to try again.
pub(super) fn is_undecided<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(code(error), Some("ConditionalRequestConflict" | "OperationAborted"))
}

/// Returns S3's error code of a refusal.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    match error {
        SdkError::ServiceError(refusal) => refusal.err().code(),
        _ => None,
    }
}

/// Returns the HTTP status of a refusal.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// Returns the deepest cause, the one that says something: `Connection refused`, not `dispatch failure`.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn no_credentials(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<CredentialsError>().is_some() {
            return Some(root(error));
        }
        cause = error.source();
    }
    None
}
