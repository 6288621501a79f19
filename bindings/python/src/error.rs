//! The library's errors as Python exceptions.

use std::io;
use std::path::Path;

use modeldepot::{Error, ErrorKind, Settings, SourceError};
use modeldepot_cli::Failure;
use pyo3::prelude::*;

use crate::hint;

/// Returns the exception for an error of the library under these settings.
pub(crate) fn raised(py: Python<'_>, error: &Error, settings: Option<&Settings>) -> PyErr {
    let hint = match error {
        Error::Source(SourceError::Empty { path }) if is_empty(path) => {
            Some("the folder is empty: name one with a model file".to_owned())
        }
        error => error.advice(settings).map(|advice| hint::said(&advice)),
    };
    let failure = Failure::of(error, hint);
    let (class, cause, path) = match error {
        Error::Source(SourceError::Missing { path, .. }) => ("LocalFileNotFoundError", None, Some(path.as_path())),
        Error::Source(SourceError::Unreadable { path, source, .. }) | Error::Io { path, source, .. } => {
            (class(failure.kind), Some(source), Some(path.as_path()))
        }
        _ => (class(failure.kind), None, None),
    };
    made(py, class, failure, cause, path)
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Returns the exception for invalid settings.
pub(crate) fn refused(py: Python<'_>, failure: Failure) -> PyErr {
    made(py, class(failure.kind), failure, None, None)
}

/// Returns the exception for an invalid argument.
pub(crate) fn invalid(py: Python<'_>, message: impl Into<String>, hint: &str) -> PyErr {
    let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
    refused(py, Failure { kind: ErrorKind::Invalid, message: message.into(), causes: Vec::new(), hint })
}

/// Returns the exception for a panic, which is a bug in modeldepot.
pub(crate) fn internal(py: Python<'_>, message: impl Into<String>) -> PyErr {
    let hint = Some("this is a bug of modeldepot: report it".to_owned());
    refused(py, Failure { kind: ErrorKind::Internal, message: message.into(), causes: Vec::new(), hint })
}

fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "InvalidError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::Conflict => "ConflictError",
        ErrorKind::Denied => "DeniedError",
        ErrorKind::Unavailable => "UnavailableError",
        ErrorKind::Corrupt => "CorruptError",
        ErrorKind::Unverified => "UnverifiedError",
        ErrorKind::Io => "IoError",
        ErrorKind::Internal => "InternalError",
    }
}

fn made(py: Python<'_>, class: &str, failure: Failure, cause: Option<&io::Error>, path: Option<&Path>) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let class = py.import("modeldepot._errors")?.getattr(class)?;
        let errno = cause.and_then(io::Error::raw_os_error);
        let path = path.map(|path| path.as_os_str());
        Ok(PyErr::from_value(class.call1((failure.message, failure.hint, failure.causes, errno, path))?))
    };
    make().unwrap_or_else(|error| error)
}
