//! What can go wrong, in few kinds, each an instruction to the caller.

mod causes;
mod kind;
mod meaning;
mod phrases;
mod source;

use std::path::PathBuf;
use std::time::Duration;

use crate::diagnosis::{Stranger, TlsFault, Unreached};
use crate::model::history::HistoryError;
use crate::model::manifest_error::ManifestError;
use crate::model::name::{ArtifactPath, BucketName, ModelName, NameError, Version};
use crate::s3::{UnsignedHeaders, codes};
use crate::settings::SettingsError;
use crate::store::Obstacle;
use crate::visible::{FEW, named};

pub use self::causes::causes;
pub use self::kind::ErrorKind;
use self::phrases::{refused, spelled, unsafe_urls};
pub use self::source::SourceError;

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation failed. [`Error::kind`] says what to do about it.
///
/// Messages are lowercase and name the thing; a cause is in `source`, never repeated in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name breaks its rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was to be pushed cannot be.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A training history has no shape that is known.
    #[error("cannot read the training history `{}`", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        source: HistoryError,
    },
    /// A presigned URL was asked for with a lifetime that S3 does not allow.
    #[error("a presigned URL cannot live for {seconds} seconds")]
    Expiry {
        /// The lifetime that was asked for.
        seconds: u64,
    },
    /// A presigned PUT was asked for without naming the version and the file that it would write.
    #[error("a presigned PUT needs a version and a file")]
    PutNeedsAName,

    /// A URL for an upload would allow more than that upload on this server.
    #[error("URLs for uploads are not safe at `{endpoint}`: {}", unsafe_urls(*found))]
    UploadUrls {
        /// The endpoint.
        endpoint: String,
        /// What the server does with headers that are added to such a URL.
        found: UnsignedHeaders,
    },

    /// The model has no version.
    #[error("model `{model}` does not exist")]
    ModelNotFound {
        /// The model.
        model: ModelName,
        /// Models of similar names.
        similar: Vec<ModelName>,
    },
    /// The model exists, the version does not.
    #[error("version `{version}` of `{model}` does not exist")]
    VersionNotFound {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// Versions of similar names, or else the latest one.
        similar: Vec<Version>,
    },
    /// The version has no such file.
    #[error("`{model}@{version}` has no file `{path}`")]
    FileNotFound {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The file.
        path: ArtifactPath,
        /// The files that it has.
        files: Vec<ArtifactPath>,
    },
    /// The bucket does not exist.
    #[error("bucket `{bucket}` does not exist at `{endpoint}`")]
    BucketNotFound {
        /// The bucket.
        bucket: BucketName,
        /// The endpoint.
        endpoint: String,
    },
    /// The object does not exist.
    #[error("object `{key}` does not exist in bucket `{bucket}`")]
    ObjectNotFound {
        /// The bucket.
        bucket: BucketName,
        /// The key.
        key: String,
    },

    /// The version was published before, with other content.
    #[error("version `{version}` of `{model}` already exists with other content")]
    VersionExists {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// The version was published and deleted; its name is retired.
    #[error("version `{version}` of `{model}` was removed, and the name of a removed version is never used again")]
    VersionRetired {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// The version is being pushed right now.
    #[error("version `{version}` of `{model}` is being pushed by {by} since {since}")]
    VersionBusy {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// Who pushes, in its own words.
        by: String,
        /// Since when, by the server's clock.
        since: String,
        /// How many contenders come before this one.
        rank: u32,
    },
    /// A push that was cut off left another file under the version.
    #[error("an unfinished push of `{model}@{version}` left another `{path}` behind")]
    Orphans {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The file.
        path: ArtifactPath,
    },
    /// Another tool stored an object where the push would store a file.
    #[error(
        "`{path}` of `{model}@{version}` is another tool's object, and not the file that this push would store there"
    )]
    ForeignObject {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The file.
        path: ArtifactPath,
    },
    /// What lies where a version would be is not modeldepot's, its `manifest.json` included.
    #[error("`{model}@{version}` was not published by modeldepot: its `manifest.json` belongs to another tool")]
    ForeignVersion {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// A plain verb on objects was to change an object that belongs to a published version.
    #[error("`{key}` belongs to `{model}@{version}`, and a published version never changes")]
    PublishedObject {
        /// The key.
        key: String,
        /// The folder of the version's depot, where that is not the one in use.
        prefix: Option<crate::KeyPrefix>,
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// A plain verb on objects was to change a record of modeldepot's own.
    #[error("`{key}` is a record that modeldepot keeps")]
    OwnRecord {
        /// The key.
        key: String,
    },
    /// Orphans of the version are being removed.
    #[error("gc is removing the orphaned files of an unfinished push of `{model}@{version}`")]
    GcLocked {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// Something is stored where nothing was to be.
    #[error("another object `{key}` exists in bucket `{bucket}`")]
    ObjectExists {
        /// The bucket.
        bucket: BucketName,
        /// The key.
        key: String,
    },
    /// Somebody else wrote to the version while it was being pushed.
    #[error("somebody else is pushing `{model}@{version}`: `{path}` is not what this push left there")]
    PushedByAnother {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The file that another pusher wrote or removed.
        path: ArtifactPath,
    },
    /// The folder of a pull has something where the version has a file, and no earlier pull put it there.
    #[error("cannot pull into `{}`: {}", folder.display(), Obstacle::list(obstacles))]
    InTheWay {
        /// The folder.
        folder: PathBuf,
        /// All that is in the way.
        obstacles: Vec<Obstacle>,
    },
    /// The folder of a pull holds a version of another model.
    #[error("`{}` holds the model `{found}`, not `{wanted}`", folder.display())]
    OtherModel {
        /// The folder.
        folder: PathBuf,
        /// The model that it holds.
        found: ModelName,
        /// The model that was to be pulled.
        wanted: ModelName,
    },
    /// The bucket's name belongs to somebody else.
    #[error("bucket `{bucket}` belongs to another account")]
    BucketTaken {
        /// The bucket.
        bucket: BucketName,
    },

    /// The server does not accept the caller's login, or not for this.
    #[error("`{endpoint}` refused to {action}: {}", codes::said(code))]
    Denied {
        /// What was tried, as words.
        action: String,
        /// The endpoint.
        endpoint: String,
        /// S3's error code: `AccessDenied`, `InvalidAccessKeyId`, `SignatureDoesNotMatch`, …
        code: String,
    },
    /// The key may not write, where something was to be published.
    #[error("this key may not write to bucket `{bucket}` at `{endpoint}`: {code}")]
    ReadOnlyKey {
        /// The bucket.
        bucket: BucketName,
        /// The endpoint.
        endpoint: String,
        /// S3's error code.
        code: String,
    },
    /// The server is in another region than the requests are signed for.
    #[error("`{endpoint}` is not in region `{region}`")]
    WrongRegion {
        /// The endpoint.
        endpoint: String,
        /// The region that was asked.
        region: String,
        /// The region that the server named, if any.
        expected: Option<String>,
    },
    /// No credentials were found.
    #[error("no credentials for `{endpoint}`")]
    NoCredentials {
        /// The endpoint.
        endpoint: String,
        /// What the chain of providers said.
        source: Cause,
    },

    /// No server answers at the endpoint.
    #[error("cannot reach the S3 endpoint `{endpoint}`")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// Why, as far as it is known.
        why: Unreached,
        /// What the network said.
        source: Cause,
    },
    /// Something answers at the endpoint that is not an S3 API, or not in this way.
    #[error("`{endpoint}` {found}")]
    NotS3 {
        /// The endpoint.
        endpoint: String,
        /// What answers.
        found: Box<Stranger>,
    },
    /// No TLS connection comes about.
    #[error("cannot connect to `{endpoint}` over TLS: {fault}")]
    Tls {
        /// The endpoint.
        endpoint: String,
        /// Why.
        fault: TlsFault,
    },
    /// The proxy on the way to the endpoint cannot be reached.
    #[error("cannot reach the proxy `{proxy}` on the way to `{endpoint}`")]
    ProxyUnreachable {
        /// The proxy, without its login.
        proxy: String,
        /// The endpoint.
        endpoint: String,
        /// What the network said.
        source: Cause,
    },
    /// The proxy on the way to the endpoint lets nothing through, or wants a login.
    #[error("the proxy `{proxy}` {}", refused(*status, *login, endpoint))]
    ProxyRefused {
        /// The proxy, without its login.
        proxy: String,
        /// The endpoint.
        endpoint: String,
        /// The HTTP status that it answered.
        status: u16,
        /// Whether it was shown a login.
        login: bool,
    },
    /// The server took the connection, or not even that, and was silent.
    #[error("`{endpoint}` did not answer within {} when asked to {action}", spelled(*within))]
    NoAnswer {
        /// What was tried, as words.
        action: String,
        /// The endpoint.
        endpoint: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The server answers that it cannot now, or stopped in the middle.
    #[error("`{endpoint}` failed to {action}")]
    Unavailable {
        /// What was tried, as words.
        action: String,
        /// The endpoint.
        endpoint: String,
        /// What came back.
        source: Cause,
    },

    /// Another process changes the folder of a pull.
    #[error("another process is changing `{}`", folder.display())]
    FolderBusy {
        /// The folder.
        folder: PathBuf,
    },

    /// A version's manifest cannot be used.
    #[error("the manifest `{key}` cannot be used")]
    Manifest {
        /// Its key.
        key: String,
        /// Why.
        source: ManifestError,
    },
    /// The manifest of a version is missing from the bucket, and its files are there.
    #[error("the manifest of `{model}@{version}` is missing from the bucket; files of it are there")]
    ManifestMissing {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// A file of a version is missing from the bucket.
    #[error("`{path}` of `{model}@{version}` is missing from the bucket")]
    FileMissing {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The file.
        path: ArtifactPath,
    },
    /// Several files of a version are missing from the bucket.
    #[error("{} of `{model}@{version}` are missing from the bucket", named(paths.iter().map(ArtifactPath::as_str), paths.len(), FEW))]
    FilesMissing {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The files.
        paths: Vec<ArtifactPath>,
    },
    /// A file in the bucket has another size than was published.
    #[error("`{path}` is damaged: the bucket holds {found} bytes where {expected} were published")]
    WrongSize {
        /// The file.
        path: String,
        /// The published size.
        expected: u64,
        /// The size found.
        found: u64,
    },
    /// A file in the bucket has other bytes than were published.
    #[error("`{path}` is damaged: its {algorithm} is {found} where {expected} was published")]
    WrongDigest {
        /// The file.
        path: String,
        /// `BLAKE3` or `MD5`.
        algorithm: &'static str,
        /// The published digest.
        expected: String,
        /// The digest found.
        found: String,
    },
    /// A version has files without a published digest, and was asked for only with them.
    #[error("`{model}@{version}` has files without a published digest: {}", named(files.iter().map(ArtifactPath::as_str), files.len(), FEW))]
    Unverified {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The files.
        files: Vec<ArtifactPath>,
    },
    /// A version was offered without a file.
    #[error("the version has no file")]
    NothingOffered,
    /// No file of a version could be its model file.
    #[error("none of the files can be the model file: they are the state of a training")]
    NoModelFile,
    /// Metadata is nested too deep to be read again.
    #[error("the metadata is nested more than {limit} levels deep")]
    MetadataTooDeep {
        /// The most levels.
        limit: usize,
    },
    /// Metadata has more values than a reader takes.
    #[error("the metadata has more than {limit} values")]
    MetadataTooLarge {
        /// The most values.
        limit: usize,
    },
    /// The manifest of a version would be refused by every reader. Nothing was sent.
    #[error("the manifest of this version would be unreadable")]
    UnreadableManifest {
        /// Why.
        source: ManifestError,
    },
    /// A version was offered without the file that was named as its model file.
    #[error("`{path}` is not among the files")]
    NoSuchMain {
        /// The name given.
        path: ArtifactPath,
    },
    /// What was sent is not what was announced.
    #[error("`{path}` is not what was announced: its BLAKE3 is {found} where {expected} was")]
    NotAsAnnounced {
        /// The file.
        path: ArtifactPath,
        /// What was announced.
        expected: String,
        /// What was sent.
        found: String,
    },
    /// Two files would lie at one path.
    #[error("two files would be `{path}`")]
    OfferedTwice {
        /// The path in the version.
        path: ArtifactPath,
    },
    /// A path would be both a file and a folder.
    #[error("`{path}` would be both a file and a folder")]
    FileAndFolder {
        /// The path in the version.
        path: String,
    },
    /// A part was asked for that no file of the upload has.
    #[error("the upload has no such part of a file `{path}`")]
    NoSuchPart {
        /// The file.
        path: ArtifactPath,
    },
    /// A part of a file was not sent, or is of another length.
    #[error("part {number} of `{path}` must have {expected} bytes and {}", found.map_or("was not sent".to_owned(), |found| format!("has {found}")))]
    PartMissing {
        /// The file.
        path: ArtifactPath,
        /// The part, counted from 1.
        number: u64,
        /// Its length in bytes.
        expected: u64,
        /// The length of the stored part, if there is one.
        found: Option<u64>,
    },
    /// A part of a file in the bucket has other bytes than were published.
    #[error(
        "`{path}` is damaged between its bytes {first} and {last}: their BLAKE3 is {found} where {expected} was \
         published"
    )]
    WrongPart {
        /// The file.
        path: String,
        /// The first byte of the part.
        first: u64,
        /// The last byte of the part.
        last: u64,
        /// The published digest of the part, as a node of the file's tree.
        expected: String,
        /// The digest found.
        found: String,
    },
    /// An object was replaced by another while it was read.
    #[error("`{key}` in bucket `{bucket}` was replaced while it was read")]
    ObjectChanged {
        /// The bucket.
        bucket: BucketName,
        /// The object's key.
        key: String,
    },

    /// A file or folder on this machine cannot be used.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The server refused for a reason of its own, or answered what nobody expected.
    #[error("`{endpoint}` refused to {action}: {}", codes::said(code))]
    Service {
        /// What was tried, as words.
        action: String,
        /// The endpoint.
        endpoint: String,
        /// S3's error code, or the HTTP status.
        code: String,
        /// What came back.
        source: Cause,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}
