use super::{MAX_BYTES, MAX_VALUES};

/// Why a file could not be read as a training history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file is larger than any history: [`MAX_BYTES`].
    #[error("`{file}` is {bytes} bytes, and a training history is at most {MAX_BYTES}")]
    TooLarge {
        /// The file's name.
        file: String,
        /// Its size.
        bytes: usize,
    },
    /// The file holds more values than any history: [`MAX_VALUES`].
    #[error("`{file}` holds more than {MAX_VALUES} values, too many for a training history")]
    TooMany {
        /// The file's name.
        file: String,
    },
    /// The file is not text.
    #[error("`{file}` is {found}, and a training history is JSON or CSV")]
    Binary {
        /// The file's name.
        file: String,
        /// What it is instead.
        found: &'static str,
        /// What to do about it.
        instead: &'static str,
    },
    /// The file is not JSON.
    #[error("`{file}` is not JSON")]
    Json {
        /// The file's name.
        file: String,
        /// The position and the reason.
        source: serde_json::Error,
    },
    /// The file is a table, but not CSV.
    #[error("`{file}` is not CSV")]
    Csv {
        /// The file's name.
        file: String,
        /// The position and the reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is well-formed but has none of the known shapes.
    #[error(
        "`{file}` is not a training history: found {found}, expected one of \
         `{{\"loss\": […], \"val_loss\": […]}}` (one list for each metric), \
         `[{{\"epoch\": 1, \"train_loss\": …}}, …]` (one object for each epoch), \
         `{{\"log_history\": […]}}` (a trainer state), \
         or CSV with a header (`epoch,train_loss,val_loss`)"
    )]
    Shape {
        /// The file's name.
        file: String,
        /// What it holds instead.
        found: String,
    },
    /// Two metrics have different numbers of epochs.
    #[error(
        "`{file}` has lists of different lengths: {} in `{}`, {} in `{}`; expected one value for each epoch, \
         and `null` where nothing was measured", first.1, first.0, second.1, second.0
    )]
    Lengths {
        /// The file's name.
        file: String,
        /// The first list's name and length.
        first: (String, usize),
        /// The name and length of the first list that disagrees with it.
        second: (String, usize),
    },
    /// An epoch's number is negative or implausibly large.
    #[error("`{file}` has `{number}` as the number of an epoch")]
    EpochNumber {
        /// The file's name.
        file: String,
        /// The number.
        number: f64,
    },
}

impl HistoryError {
    pub(super) fn shape(file: &str, found: impl Into<String>) -> HistoryError {
        HistoryError::Shape { file: file.to_owned(), found: found.into() }
    }
}
