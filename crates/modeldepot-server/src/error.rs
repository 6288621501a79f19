//! Startup errors of the service.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use modeldepot::ErrorKind;

use crate::auth::TokensError;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage cannot be opened with these settings.
    #[error(transparent)]
    Depot(#[from] modeldepot::Error),
    /// The token file cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// Other machines would have access without a token.
    #[error("refused to listen on `{address}` without tokens: everyone who can reach it would have full access")]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// This build does not support OpenID Connect.
    #[error("this build does not support OpenID Connect: it lacks the feature `oidc`")]
    NoOidc,
    /// People could log in, but none of them could do anything.
    #[error("OpenID Connect is configured without grants: nobody could do anything")]
    NoGrants,
    /// The login provider would not know where to send browsers back.
    #[error("the login provider cannot send browsers back to `{address}`: the service's public URL is not set")]
    NoPublicUrl {
        /// The listening address.
        address: SocketAddr,
    },
    /// A log cannot be opened.
    #[error("cannot open the log `{}`", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder for uploads cannot be used.
    #[error("cannot stage uploads in `{}`", path.display())]
    Staging {
        /// The folder.
        path: PathBuf,
        /// The system's error, or why the folder is not safe.
        source: io::Error,
    },
    /// The service cannot listen on the address.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Depot(error) => error.kind(),
            Error::Tokens(error) => error.kind(),
            Error::Bind { .. } | Error::Open { .. } | Error::NoOidc | Error::NoGrants | Error::NoPublicUrl { .. } => {
                ErrorKind::Invalid
            }
            Error::Staging { .. } | Error::Log { .. } => ErrorKind::Io,
        }
    }
}
