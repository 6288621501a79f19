//! The training history among the files of a push, when none is named.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::source::Source;
use crate::error::{Error, Result, SourceError};
use crate::model::history::{History, MAX_BYTES, history_file};

impl Source {
    /// Finds a training history by the names that training scripts use, if none was named, and reads it. It becomes the
    /// version's history, unless it cannot be read as one: then it is a file like any other. Blocks.
    pub fn recognize_history(&mut self) -> Option<Result<History>> {
        if self.history().is_some() {
            return None;
        }
        let path = history_file(self.files().iter().map(|file| (&file.path, file.size)))?.clone();
        // A history that is published as the model itself says nothing about another model.
        if path == *self.main() {
            return None;
        }
        let local = self.files().iter().find(|file| file.path == path)?.local.clone();
        let read = read(&local).and_then(|bytes| {
            History::parse(path.file_name(), &bytes).map_err(|source| Error::history(path.as_str(), source))
        });
        if read.is_ok() {
            self.set_history(path);
        }
        Some(read)
    }
}

fn read(local: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more than may be: the parser says what is too large, and nothing beyond that is held in memory.
    let limit = MAX_BYTES as u64 + 1;
    match File::open(local).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(SourceError::Unreadable { path: local.to_owned(), source }.into()),
    }
}
