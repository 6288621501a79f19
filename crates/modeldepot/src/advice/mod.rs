//! What to do next about an [`Error`](crate::Error), as data. [`Error::advice`](crate::Error::advice) returns it.
//!
//! Each front end says it in its own terms: the command by its flags and verbs, the service by its routes, Python by its
//! arguments and methods.

pub(crate) mod disk;
pub(crate) mod endpoint;
pub(crate) mod note;
mod of;
mod samples;
mod similar;

use crate::model::name::{ArtifactPath, BucketName, ModelName, Version};
use crate::model::prefix::KeyPrefix;

pub use self::disk::disk;
pub use self::endpoint::{EndpointMistake, KeyOrigin};
pub use self::note::Note;
pub(crate) use self::note::note;
pub(crate) use self::of::damaged;
#[cfg(feature = "history")]
pub(crate) use self::of::history;
pub use self::of::setting;
#[doc(hidden)]
pub use self::samples::samples;
pub use self::similar::misspelled;
pub(crate) use self::similar::similar;

/// What to do next.
///
/// This enum is exhaustive on purpose, unlike the errors: each front end matches all of it, so a new piece of advice does not
/// compile until every front end has words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// A sentence that is the same in every front end.
    Note(Note),

    // Names.
    /// Use a name, path or address that is nearly the one that was given.
    DidYouMean(String),
    /// List the models: none has a similar name.
    ListModels,
    /// List the versions of the model.
    ListVersions {
        /// The model.
        model: ModelName,
        /// A version that may have been meant.
        nearest: Option<NearestVersion>,
    },
    /// Create the bucket.
    CreateBucket {
        /// The bucket.
        bucket: BucketName,
        /// Whether it is one of the settings, as far as they are known.
        configured: bool,
    },
    /// Choose another name for the bucket: all accounts of a service share its bucket names.
    RenameBucket {
        /// The bucket.
        bucket: BucketName,
        /// The variable that names it, if it is one of the settings.
        setting: Option<&'static str>,
    },
    /// List the objects of the bucket.
    ListObjects {
        /// The bucket.
        bucket: BucketName,
    },
    /// Look at the object.
    ShowObject {
        /// The bucket.
        bucket: BucketName,
        /// The key.
        key: String,
    },

    // Versions.
    /// Choose another version: this one is published and never changes.
    VersionIsPublished,
    /// Leave the version out, so that it is named after the current time, or choose another name.
    LeaveVersionOut,
    /// Choose another version: the name of this one is retired.
    VersionIsRetired,
    /// Wait until the version is published, or choose another one.
    WaitForPush,
    /// Wait until gc is done, or choose another version.
    WaitForGc,
    /// Push the same files again to finish an unfinished push, or choose another version.
    FinishPush,
    /// Push the files that the version was published with to restore its manifest, or choose another version.
    RestoreVersion,
    /// Push the files of a version again, to restore its missing manifest.
    RestoreManifest {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// Use another version: this one is damaged. Its publisher can publish it again under a new name.
    AvoidDamaged {
        /// The model, if it is known.
        model: Option<ModelName>,
    },
    /// Publish under another version: this one is damaged.
    VersionIsDamaged,
    /// Choose another version, or push again when somebody else's push is done.
    YieldToPush,
    /// Move another tool's object away, or choose another version.
    MoveObject,
    /// Delete the objects of a version of another tool one by one.
    DeleteObjects {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
    },
    /// Delete the whole version instead of one of its objects.
    DeleteVersion {
        /// The model.
        model: ModelName,
        /// The version.
        version: Version,
        /// The folder of the version's depot, where that is not the one in use.
        prefix: Option<KeyPrefix>,
    },
    /// Leave a record of modeldepot alone: gc removes those that are of no use.
    LeaveRecord,

    // What is pushed.
    /// A folder is pushed as a whole, by naming it as what to push.
    PushFolder,
    /// Every file was left out: check what is excluded, and whether hidden files are meant.
    CheckExcluded,
    /// Rename the file, or exclude it.
    RenameFile,
    /// Rename one of two files, or leave it out.
    RenameOneFile,
    /// Have symbolic links followed, or exclude the link.
    FollowLinks,
    /// Name the model file by its path inside the folder.
    NameModelFile,
    /// Choose the model file, or add one: no file of these can be it.
    ChooseModelFile,
    /// Push the file as an additional file, not as the training history.
    PushAsFile,
    /// Name at least one file to publish.
    OfferFiles,
    /// Send the part that is missing, then complete the upload again.
    SendPart,
    /// Send the file that was announced, under another version until gc has removed this one.
    SendAnnounced,

    // Pulls and URLs.
    /// Pull into another folder.
    ChangeFolder {
        /// Whether what is in the way could be overwritten instead.
        overwrite: bool,
    },
    /// Choose a lifetime of 1 second to 7 days.
    ChangeLifetime,
    /// Name the version and the file that a URL for an upload is for.
    NameUpload,
    /// Update the server, or upload without presigned URLs.
    AvoidUploadUrls,

    // The login.
    /// Check the access key, which the server does not know.
    CheckAccessKey(KeyOrigin),
    /// Set an access key and a secret key, or log in as for any AWS tool.
    LogIn,
    /// Also set the other half of a pair of settings.
    SetOther {
        /// The variable that is not set.
        missing: &'static str,
    },
    /// Check the key for encryption.
    CheckKmsKey,

    // The settings of the server.
    /// Set the endpoint to this address.
    SetEndpoint(String),
    /// Name the bucket by its own setting, not in the endpoint.
    NameBucket {
        /// The endpoint without the bucket, if it is known.
        endpoint: Option<String>,
        /// The bucket.
        bucket: String,
    },
    /// Correct an endpoint that cannot be right.
    CorrectEndpoint(EndpointMistake),
    /// Check the name of the host in the endpoint.
    CheckHost,
    /// Check the endpoint with its scheme and port.
    CheckEndpoint,
    /// Check that the port is an S3 server's and that no proxy is in between; a setting says how long to wait.
    CheckPort,
    /// Start a server on this machine, or check the port.
    StartServer {
        /// The port of the endpoint.
        port: u16,
    },
    /// Set the endpoint to the S3 server behind a service of modeldepot.
    UseServerOfService,
    /// Address buckets in the path: in the host, no name server knows the name.
    UsePathStyle,
    /// Set the region.
    SetRegion {
        /// The server's region, if it named it.
        expected: Option<String>,
    },
    /// Check the region: the service has no such one.
    CheckRegion,
    /// Do without encryption on the server, which has no key service.
    DropEncryption,
    /// Check the storage class.
    CheckStorageClass,
    /// Trust the authority of the server's certificate.
    TrustAuthority,
    /// Trust the certificate of an authority that the server uses as its own.
    TrustCertificate,
    /// Trust the right authority: another one has the same name.
    ReplaceAuthority,

    // The server.
    /// Free space on the server.
    FreeSpace,
    /// Delete what is not needed, or ask for a higher quota.
    FreeQuota,
    /// Check for a proxy that changes requests.
    CheckProxy,
    /// Look for a wrong region or an expired session.
    Diagnose,
    /// Look at the requests and the responses of the server.
    Trace(Traced),
}

/// A version that may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NearestVersion {
    /// Its name is similar.
    Similar(Version),
    /// It is the latest one.
    Latest(Version),
}

/// What to look for in the requests and responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traced {
    /// The server's response, whatever is wrong with it.
    Response,
    /// The rules for parts that this server has.
    Parts,
    /// The message that says what the server cannot do.
    Unsupported,
}

impl From<Note> for Advice {
    fn from(note: Note) -> Self {
        Advice::Note(note)
    }
}

impl Advice {
    /// Returns advice to use `name` instead.
    pub(crate) fn did_you_mean(name: impl ToString) -> Advice {
        Advice::DidYouMean(name.to_string())
    }

    /// Returns advice to leave out or rename a file whose name is `path`, if that is one of another push.
    pub(crate) fn files(files: &[ArtifactPath]) -> Advice {
        let names: Vec<String> = files.iter().take(5).map(|file| format!("`{file}`")).collect();
        let more = if files.len() > 5 { ", …" } else { "" };
        note!("its files are {}{}", names.join(", "), more).into()
    }
}
