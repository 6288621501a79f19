//! What the command would say of a failure, for a front end that says it in its own way.

use modeldepot::{Error as Depot, ErrorKind, Settings, causes};

use crate::error::Error;
use crate::hint;
use crate::ui::clean;

/// A failure, in the command's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the user should do.
    pub kind: ErrorKind,
    /// What failed.
    pub message: String,
    /// Why, the nearest cause first. What the message says is not said again.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// Returns what is to be said of an error of the library, under the settings it happened with.
    pub fn of(error: &Depot, settings: Option<&Settings>) -> Failure {
        Failure {
            kind: error.kind(),
            message: error.to_string(),
            causes: causes(error),
            hint: modeldepot::hint::hint(error, settings),
        }
        .clean()
    }

    /// Names of strangers are in there, and it may be shown on a terminal.
    fn clean(self) -> Failure {
        let clean = |text: String| clean(&text).into_owned();
        Failure {
            kind: self.kind,
            message: clean(self.message),
            causes: self.causes.into_iter().map(clean).collect(),
            hint: self.hint.map(clean),
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
