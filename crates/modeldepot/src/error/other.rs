//! Failures whose fields would help no caller.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::{Cause, Error, ErrorKind};
use crate::advice::Advice;

/// A failure whose fields would help no caller: a kind, a message, a cause and advice.
#[derive(Debug)]
pub struct OtherError {
    kind: ErrorKind,
    says: Says,
    advice: Option<Advice>,
    mark: Mark,
}

/// What a failure says.
#[derive(Debug)]
enum Says {
    Message {
        text: String,
        source: Option<Cause>,
    },
    /// Another error, which this one is nothing but.
    Same(Cause),
}

/// What the library itself does differently after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    Nothing,
    /// The server failed, and may not the next time.
    Unavailable,
    /// No server was reached.
    Unreached,
    /// A proxy did not reach the server.
    BeyondProxy,
    /// The server was silent for so long.
    Silent(Duration),
    /// The server refused, with this code.
    Refused(String),
    /// An object exists where none was to be.
    ObjectExists,
    /// A version is not free.
    Taken,
    /// The settings cannot be used.
    Settings,
}

impl OtherError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns what to do next, if there is something worth a line.
    pub fn advice(&self) -> Option<&Advice> {
        self.advice.as_ref()
    }

    /// Returns S3's error code, or the HTTP status, of a refusal that has no variant of its own.
    pub fn code(&self) -> Option<&str> {
        match &self.mark {
            Mark::Refused(code) => Some(code),
            _ => None,
        }
    }

    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// A failure with a message.
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let says = Says::Message { text: message.into(), source: None };
        OtherError { kind, says, advice: None, mark: Mark::Nothing }
    }

    /// A failure that is nothing but another error.
    pub(super) fn same(kind: ErrorKind, error: impl Into<Cause>) -> Self {
        OtherError { kind, says: Says::Same(error.into()), advice: None, mark: Mark::Nothing }
    }

    pub(super) fn because(mut self, cause: impl Into<Cause>) -> Self {
        if let Says::Message { source, .. } = &mut self.says {
            *source = Some(cause.into());
        }
        self
    }

    pub(super) fn advise(self, advice: impl Into<Advice>) -> Self {
        OtherError { advice: Some(advice.into()), ..self }
    }

    pub(super) fn marked(self, mark: Mark) -> Self {
        OtherError { mark, ..self }
    }
}

impl fmt::Display for OtherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.says {
            Says::Message { text, .. } => f.write_str(text),
            Says::Same(error) => error.fmt(f),
        }
    }
}

impl StdError for OtherError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.says {
            Says::Message { source, .. } => source.as_ref().map(|source| &**source as &(dyn StdError + 'static)),
            Says::Same(error) => error.source(),
        }
    }
}

impl From<OtherError> for Error {
    fn from(error: OtherError) -> Self {
        Error::Other(Box::new(error))
    }
}

impl Error {
    pub(crate) fn mark(&self) -> &Mark {
        match self {
            Error::Other(error) => error.mark(),
            _ => &Mark::Nothing,
        }
    }
}
