//! The errors of the command: message, causes and exit status. Hints are in [`crate::hint`].

use std::io;
use std::path::PathBuf;

use modeldepot::{ErrorKind, LONGEST_MESSAGE, SettingsError, SourceError, causes, shortened};
use serde_json::json;

use crate::interrupt::Signal;
use crate::origin::Origin;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Depot(#[from] modeldepot::Error),
    /// An attempt to change an object of a published version with an `s3` verb.
    #[error(transparent)]
    Guarded(modeldepot::Error),
    /// An upload URL that would permit more than the upload.
    #[error(transparent)]
    UploadUrl(modeldepot::Error),
    #[error(transparent)]
    Embedded(#[from] modeldepot_embedded::Error),
    /// A key file cannot be used.
    #[error(transparent)]
    Keys(#[from] modeldepot_embedded::KeysError),
    #[error(transparent)]
    Service(#[from] modeldepot_server::Error),
    /// The console of `modeldepot up`, beside its S3 server.
    #[error(transparent)]
    Console(modeldepot_server::Error),
    #[error(transparent)]
    Tokens(#[from] modeldepot_server::TokensError),
    #[error(transparent)]
    Tls(#[from] modeldepot_listen::TlsError),
    #[error("{}", named(source, origin))]
    Settings { source: SettingsError, origin: Box<Origin> },
    #[error("invalid addressing style `{text}`: use `auto`, `path` or `virtual`")]
    Addressing { text: String, origin: Box<Origin> },
    #[error("cannot determine the current folder")]
    CurrentFolder { source: io::Error },
    #[error("cannot start threads")]
    Runtime { source: io::Error },
    #[error("cannot read `{}`", path.display())]
    DotEnvRead { path: PathBuf, source: io::Error },
    #[error("`{}` is not valid UTF-8", path.display())]
    DotEnvEncoding { path: PathBuf },
    #[error("AWS profile `{name}` does not exist")]
    NoSuchProfile { name: String, known: Vec<String> },
    #[error("cannot read the AWS profile `{name}`: {reason}")]
    Profiles { name: String, reason: String },
    /// Does not contain the line: it may be a secret.
    #[error("line {line} of `{}` is not a `NAME=value` line", path.display())]
    DotEnv { path: PathBuf, line: usize },
    #[error("cannot read the metadata file `{}`", path.display())]
    MetaFileRead { path: PathBuf, source: io::Error },
    #[error("the metadata file `{}` is not a JSON object", path.display())]
    MetaFile { path: PathBuf, source: Option<serde_json::Error> },
    #[error("cannot ask for confirmation to delete `{name}`: stdin is not a terminal")]
    Unconfirmed { name: String },
    /// The user answered no when asked whether to delete.
    #[error("nothing was deleted")]
    Declined,
    #[error("{message}")]
    Usage { message: String, hint: &'static str },
    /// Arguments that cannot be parsed.
    #[error("{message}")]
    Typed { message: String, hint: Option<String> },
    #[error("{failed} of {all} checks failed")]
    Checks { failed: usize, all: usize, kind: ErrorKind },
    #[error("{faults} fault{} found", if *faults == 1 { "" } else { "s" })]
    Faults { faults: usize, lost: usize, kind: ErrorKind },
    #[error("{0}")]
    Untrue(String),
    #[error("cannot {action} `{}`", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the bucket or object does not exist")]
    Absent,
    #[error("cannot write to stdout")]
    Answer(#[from] io::Error),
    /// The work was cancelled. Of a transfer that can be resumed: the bytes that are kept, and those of the whole.
    #[error("{}", signal.word())]
    Signal { signal: Signal, kept: Option<(u64, u64)> },
}

/// Returns what is wrong with a setting, by the name that it was given under.
fn named(error: &SettingsError, origin: &Origin) -> String {
    let (text, setting) = (error.to_string(), error.setting());
    match origin {
        Origin::Flag(flag) => {
            let text = text.replace(&format!("`{setting}`"), &format!("`{flag}`"));
            match error {
                // An argument of the Python package: the command has no flags for keys.
                SettingsError::HalfAKey { missing, .. } => {
                    text.replace(&format!("`{missing}`"), &format!("`{}`", crate::origin::key_argument(missing)))
                }
                _ => text,
            }
        }
        // Where another variable set it, the hint names that.
        _ => text,
    }
}

impl From<Signal> for Error {
    fn from(signal: Signal) -> Self {
        Error::Signal { signal, kept: None }
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        Error::Depot(error.into())
    }
}

impl Error {
    /// Wraps an I/O error with the action and the path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    /// Returns the kind, which says what the user should do.
    pub(crate) fn kind(&self) -> ErrorKind {
        use modeldepot_embedded::Error as Embedded;
        match self {
            Error::Depot(error) | Error::Guarded(error) | Error::UploadUrl(error) => error.kind(),
            Error::Embedded(error) => match error {
                Embedded::InUse { .. } => ErrorKind::Unavailable,
                Embedded::NoSuchObject { .. } => ErrorKind::NotFound,
                Embedded::Index { .. } => ErrorKind::Corrupt,
                Embedded::Io { .. } => ErrorKind::Io,
                Embedded::Keys(error) => keys(error),
                Embedded::Bind { .. }
                | Embedded::DefaultCredentials { .. }
                | Embedded::EmptyCredentials { .. }
                | Embedded::ReservedAccessKey { .. }
                | Embedded::NotADataFolder { .. }
                | Embedded::Format { .. }
                | Embedded::BucketName { .. } => ErrorKind::Invalid,
                _ => ErrorKind::Internal,
            },
            Error::Keys(error) => keys(error),
            Error::Service(error) | Error::Console(error) => error.kind(),
            Error::Tokens(error) => error.kind(),
            Error::Tls(modeldepot_listen::TlsError::Read { .. }) => ErrorKind::Io,
            Error::Tls(_) => ErrorKind::Invalid,
            Error::Settings { .. } | Error::Addressing { .. } | Error::DotEnv { .. } => ErrorKind::Invalid,
            Error::DotEnvEncoding { .. } | Error::NoSuchProfile { .. } | Error::Profiles { .. } => ErrorKind::Invalid,
            Error::MetaFile { .. } | Error::Unconfirmed { .. } => ErrorKind::Invalid,
            Error::Usage { .. } | Error::Typed { .. } => ErrorKind::Invalid,
            Error::MetaFileRead { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::Invalid,
            Error::MetaFileRead { .. } | Error::DotEnvRead { .. } | Error::CurrentFolder { .. } => ErrorKind::Io,
            Error::Io { .. } | Error::Answer(_) => ErrorKind::Io,
            Error::Checks { kind, .. } | Error::Faults { kind, .. } => *kind,
            Error::Absent => ErrorKind::NotFound,
            Error::Untrue(_) | Error::Runtime { .. } => ErrorKind::Internal,
            Error::Signal { .. } | Error::Declined => ErrorKind::Internal,
        }
    }

    /// Returns the exit status.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            // The reader of stdout closed the pipe on purpose.
            Error::Answer(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Error::Signal { signal, .. } => signal.exit(),
            Error::Declined => DECLINED,
            _ => exit(self.kind()),
        }
    }

    /// Returns true for errors without a message: the output was enough, or its reader is gone.
    pub(crate) fn is_silent(&self) -> bool {
        match self {
            Error::Answer(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Error::Absent => true,
            _ => false,
        }
    }

    /// Returns the message, shortened.
    pub(crate) fn message(&self) -> String {
        shortened(&self.to_string(), LONGEST_MESSAGE).into_owned()
    }

    /// Returns the messages of the cause chain without repetitions.
    pub(crate) fn causes(&self) -> Vec<String> {
        match self {
            // The message is that of the setting, perhaps by the name of a flag.
            Error::Settings { source, .. } => causes(source),
            error => causes(error),
        }
    }

    /// Returns the error as one JSON object.
    pub(crate) fn to_json(&self, hint: Option<&str>) -> serde_json::Value {
        let kind = match self {
            Error::Signal { signal, .. } => signal.word(),
            Error::Declined => "declined",
            _ => self.kind().word(),
        };
        json!({"error": {
            "kind": kind,
            "message": self.message(),
            "causes": self.causes(),
            "hint": hint,
            "exit": self.exit(),
        }})
    }
}

fn keys(error: &modeldepot_embedded::KeysError) -> ErrorKind {
    use modeldepot_embedded::KeysError as Keys;
    match error {
        Keys::Io { .. } => ErrorKind::Io,
        Keys::Open { .. } | Keys::Line { .. } | Keys::Name { .. } => ErrorKind::Invalid,
        Keys::Taken { .. } => ErrorKind::Conflict,
        Keys::Unknown { .. } => ErrorKind::NotFound,
        _ => ErrorKind::Internal,
    }
}

/// The exit status of a question that was answered with no.
const DECLINED: u8 = 1;

/// Returns the exit status of each kind.
pub(crate) fn exit(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Invalid => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Conflict => 4,
        ErrorKind::Denied => 5,
        ErrorKind::Unavailable => 6,
        ErrorKind::Corrupt => 7,
        ErrorKind::Io => 8,
        ErrorKind::Unverified => 9,
        ErrorKind::Internal => 70,
    }
}
