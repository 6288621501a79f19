//! What can go wrong while the server starts, stops or is asked about its folder.
//!
//! Errors of single requests are answered to the client and never appear here.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// An error of the server itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process serves this folder.
    #[error("data folder `{}` is in use by another process", folder.display())]
    InUse {
        /// The folder that was asked for.
        folder: PathBuf,
    },

    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why the system refused.
        source: io::Error,
    },

    /// Everybody knows the default credentials, so with them only this machine may connect.
    #[error("refused to listen on `{address}`: the default credentials are for loopback addresses only")]
    DefaultCredentials {
        /// The address that was asked for.
        address: SocketAddr,
    },

    /// The access key or the secret key is empty.
    #[error("the `{which}` must not be empty")]
    EmptyCredentials {
        /// The name of the setting.
        which: &'static str,
    },

    /// The access key is the one of the owner's own programs.
    #[error("the access key `{access_key}` is kept for the console: choose another")]
    ReservedAccessKey {
        /// The access key.
        access_key: String,
    },

    /// The file of keys cannot be used.
    #[error(transparent)]
    Keys(#[from] crate::access::keys::KeysError),

    /// The folder holds other things.
    #[error("`{}` is neither empty nor a data folder of this server", folder.display())]
    NotADataFolder {
        /// The folder that was asked for.
        folder: PathBuf,
    },

    /// The folder was written by another version of the server.
    #[error("data folder `{}` has format `{found}`, this server reads `{supported}`", folder.display())]
    Format {
        /// The folder that was asked for.
        folder: PathBuf,
        /// What its format file says.
        found: String,
        /// What it should say.
        supported: &'static str,
    },

    /// The index cannot be read.
    #[error("index `{}` is damaged or cannot be read", path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// What the index says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The folder holds objects, but what they are called is lost.
    #[error("index `{}` is missing or empty, though the folder holds objects", path.display())]
    IndexMissing {
        /// Where the index should be.
        path: PathBuf,
    },

    /// A bucket in the configuration has a name that S3 does not allow.
    #[error("`{name}` is not a bucket name")]
    BucketName {
        /// The name.
        name: String,
    },

    /// The object asked about does not exist.
    #[error("no object `{key}` in bucket `{bucket}`")]
    NoSuchObject {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },

    /// The file system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why the system refused.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
