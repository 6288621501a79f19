//! Failures as data, for the Python package.

use modeldepot::{Error as Depot, ErrorKind, LONGEST_MESSAGE, causes, shortened};

use crate::error::Error;
use crate::hint;
use crate::ui::clean_message;

/// A failure, as data for an exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the user should do.
    pub kind: ErrorKind,
    /// What failed.
    pub message: String,
    /// The cause chain, without repeating the message.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// Describes an error of the library, with the hint in the caller's terms.
    pub fn of(error: &Depot, hint: Option<String>) -> Failure {
        Failure { kind: error.kind(), message: error.to_string(), causes: causes(error), hint }.clean()
    }

    /// Escapes control characters: names from the bucket may be shown on a terminal.
    fn clean(self) -> Failure {
        Failure {
            kind: self.kind,
            message: clean_message(&shortened(&self.message, LONGEST_MESSAGE)),
            causes: self.causes.into_iter().map(|cause| clean_message(&cause)).collect(),
            hint: self.hint.map(|hint| clean_message(&hint)),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            kind: error.kind(),
            message: error.to_string(),
            causes: error.causes(),
            hint: hint::hint(&error, None),
        }
        .clean()
    }
}
