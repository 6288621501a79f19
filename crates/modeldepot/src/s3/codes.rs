//! The error codes of S3, each listed once, with its meaning for the caller, its wording and its hint.
//!
//! Contains the codes of AWS's list that our requests can get, and those that other servers add. A refusal without a
//! code, as of a HEAD, is treated by its status: `HTTP 403`.

use crate::advice::{Advice, Traced, note};
use crate::error::ErrorKind;

/// The meaning of a code for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// The server does not accept the login, or not for this request.
    Denied,
    /// The bucket is in another region.
    Region,
    /// The same request may succeed a little later.
    Passes,
    /// The same request may succeed once fewer requests are sent.
    Throttled,
    /// The request failed, and would fail again.
    Refused(ErrorKind),
}

/// One code.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) name: &'static str,
    pub(crate) means: Means,
    /// The problem in words; `None` if the code is clear enough.
    words: Option<&'static str>,
    advice: Advice,
}

const fn code(name: &'static str, means: Means, words: &'static str, advice: Advice) -> Code {
    Code { name, means, words: Some(words), advice }
}

/// A code whose name describes the problem.
const fn plain(name: &'static str, means: Means, advice: Advice) -> Code {
    Code { name, means, words: None, advice }
}

use Means::{Denied, Passes, Refused, Region, Throttled};

const CONFLICT: Means = Refused(ErrorKind::Conflict);
const INVALID: Means = Refused(ErrorKind::Invalid);
const FULL: Means = Refused(ErrorKind::Io);
const INTERNAL: Means = Refused(ErrorKind::Internal);
const NOT_FOUND: Means = Refused(ErrorKind::NotFound);
const LATER: Means = Refused(ErrorKind::Unavailable);

const POLICY: Advice = Advice::Note(note!("ask for a policy that allows it, or check S3_ACCESS_KEY and S3_SECRET_KEY"));
const LOG_IN: Advice = Advice::Note(note!("the login has expired: log in again"));
const CLOCK: Advice = Advice::Note(note!("this machine's clock is wrong: set it"));
const AGAIN: Advice = Advice::Note(note!("try again; a push or pull can be repeated safely"));
const REGION: Advice = Advice::SetRegion { expected: None };
const SENT_WRONG: Advice = Advice::Note(note!(
    "the bytes changed on the way, perhaps in a proxy that rewrites them: try again, or use another route to the server"
));
const SEE: Advice = Advice::Trace(Traced::Response);
const UPLOAD: Advice = Advice::Note(note!(
    "push again; a lifecycle rule that aborts unfinished uploads after less than a day may be the reason"
));
const NAME: Advice =
    Advice::Note(note!("use shorter names of models, versions and files, of letters, digits, `.`, `_` and `-`"));
const UNKNOWN_KEY: Advice = Advice::Note(note!("the server does not know the access key: check S3_ACCESS_KEY"));

/// All known codes.
pub(crate) const CODES: &[Code] = &[
    // Logins.
    plain("AccessDenied", Denied, POLICY),
    code("HTTP 401", Denied, "access denied, with no reason given", POLICY),
    code("HTTP 403", Denied, "access denied, with no reason given", POLICY),
    // versitygw's code for an unknown access key, with status 404.
    plain("XAdminUserNotFound", Denied, UNKNOWN_KEY),
    plain("InvalidAccessKeyId", Denied, UNKNOWN_KEY),
    plain(
        "SignatureDoesNotMatch",
        Denied,
        Advice::Note(note!(
            "the secret key does not match the access key: check S3_SECRET_KEY; in `.env`, put one with `$` or `#` between single quotes"
        )),
    ),
    plain("RequestTimeTooSkewed", Denied, CLOCK),
    code("RequestExpired", Denied, "the request had expired when it arrived", CLOCK),
    plain("ExpiredToken", Denied, LOG_IN),
    plain("ExpiredTokenException", Denied, LOG_IN),
    plain("TokenRefreshRequired", Denied, LOG_IN),
    code(
        "InvalidToken",
        Denied,
        "the session token is malformed or belongs to another key",
        Advice::Note(note!("check AWS_SESSION_TOKEN: it goes with the key pair that came with it; or log in again")),
    ),
    code(
        "AllAccessDisabled",
        Denied,
        "all access to this bucket is disabled",
        Advice::Note(note!(
            "check the bucket's name: AWS keeps some for itself; else the owner of the account can have it enabled"
        )),
    ),
    code(
        "AccountProblem",
        Denied,
        "there is a problem with the account",
        Advice::Note(note!(
            "the account's owner has to settle it with the provider (an unpaid bill, a suspended account)"
        )),
    ),
    code(
        "NotSignedUp",
        Denied,
        "the account is not signed up for this service",
        Advice::Note(note!("the account's owner has to sign up for S3")),
    ),
    code(
        "InvalidSecurity",
        Denied,
        "the credentials are not valid",
        Advice::Note(note!("check S3_ACCESS_KEY and S3_SECRET_KEY")),
    ),
    code(
        "InvalidPayer",
        Denied,
        "access to this object is disabled",
        Advice::Note(note!("the bucket's owner has to settle it with the provider")),
    ),
    code("MissingSecurityHeader", Denied, "the server asks for a header that was not sent", Advice::CheckProxy),
    code(
        "UnauthorizedAccess",
        Denied,
        "the account may not be used in this region",
        Advice::Note(note!("AWS China and other partitions have accounts of their own: check S3_REGION")),
    ),
    // Regions.
    plain(
        "AuthorizationHeaderMalformed",
        Region,
        Advice::Note(note!("check S3_ACCESS_KEY, which must not be empty, and S3_REGION")),
    ),
    plain("AuthorizationQueryParametersError", Region, REGION),
    plain("IllegalLocationConstraintException", Region, REGION),
    plain("IncorrectEndpoint", Region, REGION),
    plain("PermanentRedirect", Region, REGION),
    plain("Redirect", Region, REGION),
    plain("TemporaryRedirect", Region, REGION),
    plain("HTTP 301", Region, REGION),
    plain("HTTP 302", Region, REGION),
    plain("HTTP 307", Region, REGION),
    plain("HTTP 308", Region, REGION),
    code("InvalidLocationConstraint", INVALID, "the service has no such region", Advice::CheckRegion),
    code("InvalidRegionName", INVALID, "the service has no such region", Advice::CheckRegion),
    // Transient failures.
    plain("SlowDown", Throttled, AGAIN),
    plain("SlowDownRead", Throttled, AGAIN),
    plain("SlowDownWrite", Throttled, AGAIN),
    plain("TooManyRequests", Throttled, AGAIN),
    plain("TooManyRequestsException", Throttled, AGAIN),
    plain("Throttling", Throttled, AGAIN),
    plain("ThrottlingException", Throttled, AGAIN),
    plain("RequestLimitExceeded", Throttled, AGAIN),
    plain("BandwidthLimitExceeded", Throttled, AGAIN),
    plain("KMS.ThrottlingException", Throttled, AGAIN),
    plain("HTTP 429", Throttled, AGAIN),
    plain("HTTP 503", Throttled, AGAIN),
    plain("ServiceUnavailable", Throttled, AGAIN),
    plain("ServiceUnavailableException", Throttled, AGAIN),
    plain("Busy", Throttled, AGAIN),
    plain("InternalError", Passes, AGAIN),
    plain("RequestTimeout", Passes, AGAIN),
    plain("OperationAborted", Passes, AGAIN),
    plain("ConditionalRequestConflict", Passes, AGAIN),
    plain("ConcurrentModification", Passes, AGAIN),
    plain("XMinioServerNotInitialized", Passes, AGAIN),
    plain("HTTP 500", Passes, AGAIN),
    plain("HTTP 502", Passes, AGAIN),
    plain("HTTP 504", Passes, AGAIN),
    // Storage and quotas.
    code("XMinioStorageFull", FULL, "the server's storage is full", Advice::FreeSpace),
    code("StorageFull", FULL, "the server's storage is full", Advice::FreeSpace),
    code("InsufficientStorage", FULL, "the server's storage is full", Advice::FreeSpace),
    code("HTTP 507", FULL, "the server's storage is full", Advice::FreeSpace),
    code("QuotaExceeded", FULL, "a quota is exhausted", Advice::FreeQuota),
    code("XMinioAdminBucketQuotaExceeded", FULL, "the bucket's quota is exhausted", Advice::FreeQuota),
    code("ServiceQuotaExceededException", FULL, "a quota is exhausted", Advice::FreeQuota),
    code(
        "TooManyBuckets",
        CONFLICT,
        "the account has as many buckets as it may have",
        Advice::Note(note!("delete a bucket that nobody needs, or ask the provider for more")),
    ),
    code(
        "EntityTooLarge",
        INVALID,
        "the object is larger than the server accepts",
        Advice::Note(note!("split the file, or use a server that takes larger objects (AWS: 5 TB and more)")),
    ),
    code(
        "HTTP 413",
        INVALID,
        "the request is larger than the server, or a proxy in front of it, accepts",
        Advice::Note(note!("raise the limit of the proxy (nginx: client_max_body_size); parts have 8 MiB and more")),
    ),
    code("EntityTooSmall", INTERNAL, "a part is smaller than the server accepts", Advice::Trace(Traced::Parts)),
    code("KeyTooLongError", INVALID, "the object's name is too long", NAME),
    code("KeyTooLong", INVALID, "the object's name is too long", NAME),
    code("InvalidURI", INVALID, "the server cannot read the object's name", NAME),
    code("XMinioInvalidObjectName", INVALID, "the server cannot store an object of this name", NAME),
    code("XMinioParentIsObject", CONFLICT, "another object has the name of a folder of this one", Advice::MoveObject),
    code(
        "InvalidBucketName",
        INVALID,
        "the server accepts no bucket of this name",
        Advice::Note(note!("use 3 to 63 lowercase letters, digits and `-`")),
    ),
    code(
        "MetadataTooLarge",
        INVALID,
        "the object's metadata is larger than the server accepts",
        Advice::Note(note!("give fewer or shorter metadata")),
    ),
    // Buckets.
    plain(
        "BucketAlreadyExists",
        CONFLICT,
        Advice::Note(note!("all accounts of a service share its bucket names: choose another name")),
    ),
    plain("BucketAlreadyOwnedByYou", CONFLICT, Advice::Note(note!("the bucket exists and is yours: use it"))),
    plain(
        "BucketNotEmpty",
        CONFLICT,
        Advice::Note(note!("delete its objects first; versions and unfinished uploads count as well")),
    ),
    plain("NoSuchBucket", NOT_FOUND, Advice::Note(note!("check the bucket's name, or make it"))),
    plain("NoSuchKey", NOT_FOUND, Advice::Note(note!("check the object's name"))),
    plain("NoSuchVersion", NOT_FOUND, Advice::Note(note!("check the object's version"))),
    // Encryption.
    code("KMS.DisabledException", Denied, "the encryption key is disabled", Advice::CheckKmsKey),
    code("KMS.NotFoundException", Denied, "the encryption key does not exist", Advice::CheckKmsKey),
    code("KMS.KMSInvalidStateException", Denied, "the encryption key cannot be used now", Advice::CheckKmsKey),
    code("KMS.InvalidKeyUsageException", Denied, "the encryption key is for another use", Advice::CheckKmsKey),
    code("KMS.AccessDeniedException", Denied, "the login may not use the encryption key", Advice::CheckKmsKey),
    code("KMS.*", Denied, "the encryption key cannot be used", Advice::CheckKmsKey),
    code("XMinioKMSKeyNotFoundException", Denied, "the encryption key does not exist", Advice::CheckKmsKey),
    code("kms:KeyNotFound", Denied, "the encryption key does not exist", Advice::CheckKmsKey),
    code("KMSNotConfigured", INVALID, "the server has no key service, so it cannot encrypt", Advice::DropEncryption),
    code(
        "InvalidEncryptionAlgorithmError",
        INVALID,
        "the server knows no such encryption",
        Advice::Note(note!("S3_SSE takes AES256, aws:kms and aws:kms:dsse; not every server has all three")),
    ),
    code("InvalidStorageClass", INVALID, "the server has no such storage class", Advice::CheckStorageClass),
    // Archives and retentions.
    code(
        "InvalidObjectState",
        LATER,
        "the object is archived and cannot be read",
        Advice::Note(note!(
            "restore it first (`aws s3api restore-object`), then pull; keep models that are in use in a storage class without \
         archiving"
        )),
    ),
    code(
        "RestoreAlreadyInProgress",
        LATER,
        "the object is being restored",
        Advice::Note(note!("try again when it is restored")),
    ),
    code(
        "ObjectLocked",
        CONFLICT,
        "the object is under a retention",
        Advice::Note(note!("it can be deleted when its retention has ended; until then nobody can")),
    ),
    code(
        "InvalidRetentionPeriod",
        INVALID,
        "the server accepts no such retention",
        Advice::Note(note!("check the bucket's object lock configuration")),
    ),
    // Access lists.
    code(
        "AccessControlListNotSupported",
        INVALID,
        "the bucket does not use access control lists",
        Advice::Note(note!("something on the way adds an ACL to requests: modeldepot sends none")),
    ),
    code(
        "OwnershipControlsNotFoundError",
        NOT_FOUND,
        "the bucket has no ownership controls",
        Advice::Note(note!("set the bucket's object ownership, or leave it out")),
    ),
    // Damage and misunderstandings.
    code("BadDigest", LATER, "the bytes that arrived are not those that were sent", SENT_WRONG),
    code("InvalidDigest", LATER, "the checksum that arrived is not one", SENT_WRONG),
    code("XAmzContentSHA256Mismatch", LATER, "the bytes that arrived are not those that were sent", SENT_WRONG),
    code("XAmzContentChecksumMismatch", LATER, "the bytes that arrived are not those that were sent", SENT_WRONG),
    code("IncompleteBody", LATER, "fewer bytes arrived than were sent", SENT_WRONG),
    code("NoSuchUpload", LATER, "the upload was aborted or completed meanwhile", UPLOAD),
    code("InvalidPart", LATER, "a part of the upload is not there", UPLOAD),
    code("InvalidPartOrder", INTERNAL, "the server did not take the parts in their order", SEE),
    code(
        "PreconditionFailed",
        CONFLICT,
        "the object is not what it was a moment ago",
        Advice::Note(note!("somebody else writes there: try again when they are done")),
    ),
    code("InvalidRequest", INTERNAL, "the server cannot do this", Advice::Trace(Traced::Unsupported)),
    code("MalformedXML", INTERNAL, "the server does not understand the request", SEE),
    code("InvalidArgument", INTERNAL, "the server does not understand the request", SEE),
    code("MethodNotAllowed", INTERNAL, "the server does not have this operation", SEE),
    code("NotImplemented", INTERNAL, "the server does not have this operation", SEE),
    code("XNotImplemented", INTERNAL, "the server does not have this operation", SEE),
    code("HTTP 405", INTERNAL, "the server does not have this operation", SEE),
    code("HTTP 501", INTERNAL, "the server does not have this operation", SEE),
    code("HTTP 400", INTERNAL, "the server rejected the request without a reason", Advice::Diagnose),
    code("MissingContentLength", INTERNAL, "the length of the body did not arrive", Advice::CheckProxy),
    code("HTTP 411", INTERNAL, "the length of the body did not arrive", Advice::CheckProxy),
];

/// Returns the entry of a code.
pub(crate) fn known(name: &str) -> Option<&'static Code> {
    let exact = CODES.iter().find(|code| code.name == name);
    // AWS passes on the codes of its key service.
    exact.or_else(|| name.strip_prefix("KMS.").and_then(|_| CODES.iter().find(|code| code.name == "KMS.*")))
}

/// Returns the meaning of a refusal. Without a known code, the status decides.
pub(crate) fn meaning(name: Option<&str>, status: u16) -> Option<&'static Code> {
    name.and_then(known).or_else(|| {
        let by_status = format!("HTTP {status}");
        CODES.iter().find(|code| code.name == by_status)
    })
}

/// Returns the wording for a code, including the code.
pub(crate) fn said(name: &str) -> String {
    match known(name).and_then(|code| code.words) {
        Some(words) => format!("{words} ({name})"),
        None => name.to_owned(),
    }
}

/// Returns the kind of a refusal by its code.
pub(crate) fn kind(name: &str) -> ErrorKind {
    match known(name).map(|code| code.means) {
        Some(Refused(kind)) => kind,
        Some(Denied | Region) => ErrorKind::Denied,
        Some(Passes | Throttled) => ErrorKind::Unavailable,
        None => ErrorKind::Internal,
    }
}

/// Returns what to do about a refusal by its code.
pub(crate) fn advice(name: &str) -> Option<Advice> {
    known(name).map(|code| code.advice.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_is_there_once_and_says_what_to_do() {
        let mut seen = BTreeSet::new();
        for code in CODES {
            assert!(seen.insert(code.name), "{} is there twice", code.name);
            if let Advice::Note(note) = &code.advice {
                let note = note.to_string();
                assert!(!note.is_empty() && !note.ends_with('.'), "{}", code.name);
            }
            let words = code.words.unwrap_or("x");
            assert!(words.chars().next().is_some_and(char::is_lowercase) && !words.ends_with('.'), "{words}");
            let by_status_alone = code.name.starts_with("HTTP 4") && code.words.is_none();
            assert!(!by_status_alone || code.means == Throttled, "a status says little: {}", code.name);
            // Only a denied login should be advised to ask for a policy.
            assert!(code.advice != POLICY || matches!(code.name, "AccessDenied" | "HTTP 401" | "HTTP 403"));
        }
    }

    #[test]
    fn a_code_wins_over_its_status_and_what_is_not_known_goes_by_it() {
        let means = |name, status| meaning(name, status).map(|code| code.means);
        assert_eq!(means(Some("QuotaExceeded"), 403), Some(FULL), "as Ceph has it");
        assert_eq!(means(Some("InvalidObjectState"), 403), Some(LATER));
        assert_eq!(means(Some("ExpiredToken"), 400), Some(Denied));
        assert_eq!(means(Some("Made.Up"), 403), Some(Denied));
        assert_eq!(means(Some("Made.Up"), 418), None);
        assert_eq!(means(None, 429), Some(Throttled));
        assert_eq!(means(Some("KMS.SomethingNewException"), 400), Some(Denied));
        assert_eq!(said("KMS.SomethingNewException"), "the encryption key cannot be used (KMS.SomethingNewException)");
        assert_eq!(said("Made.Up"), "Made.Up");
    }
}
