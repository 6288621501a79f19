//! What can go wrong when the server starts or stops, or is asked about its folder.
//!
//! Errors of single requests are answered to the client and never appear here.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// An error of the server itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process is serving this folder.
    #[error("data folder `{}` is in use by another process", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },

    /// The server cannot listen on the address.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },

    /// The default credentials are public, so with them only this machine may connect.
    #[error("refused to listen on `{address}`: the default credentials are for loopback addresses only")]
    DefaultCredentials {
        /// The address.
        address: SocketAddr,
    },

    /// The access key or the secret key is empty.
    #[error("the `{which}` must not be empty")]
    EmptyCredentials {
        /// The name of the setting.
        which: &'static str,
    },

    /// The access key is reserved for the owner's own programs.
    #[error("the access key `{access_key}` is kept for the console: choose another")]
    ReservedAccessKey {
        /// The access key.
        access_key: String,
    },

    /// The key file cannot be used.
    #[error(transparent)]
    Keys(#[from] crate::access::keys::KeysError),

    /// The folder contains other files.
    #[error("`{}` is neither empty nor a data folder of this server", folder.display())]
    NotADataFolder {
        /// The folder.
        folder: PathBuf,
    },

    /// The folder was written by a different version of the server.
    #[error("data folder `{}` has format `{found}`, this server reads `{supported}`", folder.display())]
    Format {
        /// The folder.
        folder: PathBuf,
        /// What its format file contains.
        found: String,
        /// What it should contain.
        supported: &'static str,
    },

    /// The index cannot be read.
    #[error("index `{}` is damaged or cannot be read", path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// The index's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The folder holds objects, but their names are lost.
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

    /// The object does not exist.
    #[error("no object `{key}` in bucket `{bucket}`")]
    NoSuchObject {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },

    /// A file operation failed.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What failed.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
