//! What is known of every version, and which results that excludes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use modeldepot::{ErrorKind, Version};

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) model: String,
    pub(crate) version: Version,
}

impl Name {
    pub(crate) fn new(model: &str, version: &Version) -> Self {
        Self { model: model.to_owned(), version: version.clone() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.model, self.version)
    }
}

/// What was reported and seen so far.
#[derive(Default)]
pub(crate) struct Book {
    /// Contents that were pushed, successfully or not, by model and version; automatic pushes name no version.
    pub(crate) tried: BTreeSet<(String, Option<String>, usize)>,
    /// Versions that were reported as published.
    pub(crate) acknowledged: BTreeMap<Name, usize>,
    /// What any reader or writer ever found in a version: its content, and its manifest if it was read.
    seen: BTreeMap<Name, (usize, Option<Vec<u8>>)>,
    /// Versions that an actor tried to delete.
    pub(crate) doomed: BTreeSet<Name>,
    /// Versions that were reported as deleted.
    pub(crate) deleted: BTreeSet<Name>,
    /// Reported damage. Flipped bits on the wire excuse it, and a delete excuses missing files.
    pub(crate) damage: Vec<String>,
    /// Broken invariants.
    pub(crate) broken: Vec<String>,
    log: Vec<(Instant, String)>,
}

/// The book of one run, shared by all actors.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Book>);

impl Ledger {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    pub(crate) fn log(&self, line: impl Into<String>) {
        self.book().log.push((Instant::now(), line.into()));
    }

    pub(crate) fn broken(&self, what: impl Into<String>) {
        let what = what.into();
        self.log(format!("BROKEN: {what}"));
        self.book().broken.push(what);
    }
}

impl Book {
    /// Returns what was done, in order.
    pub(crate) fn into_log(self) -> Vec<(Instant, String)> {
        self.log
    }

    fn breaks(&mut self, what: String) {
        self.log.push((Instant::now(), format!("BROKEN: {what}")));
        self.broken.push(what);
    }

    /// A version was reported as published.
    pub(crate) fn acknowledge(&mut self, name: Name, content: usize) {
        self.see(&name, content, None, "acknowledged");
        self.acknowledged.insert(name, content);
    }

    /// A version was found to have this content. The content must have been pushed under it, and must be the one that
    /// everyone finds, forever.
    pub(crate) fn see(&mut self, name: &Name, content: usize, manifest: Option<Vec<u8>>, how: &str) {
        let version = Some(name.version.to_string());
        let tried = self.tried.contains(&(name.model.clone(), version, content))
            || self.tried.contains(&(name.model.clone(), None, content));
        if !tried {
            self.breaks(format!("{name} is {how} with content {content}, which nobody pushed there"));
        }
        match self.seen.get_mut(name) {
            None => {
                self.seen.insert(name.clone(), (content, manifest));
            }
            Some((before, _)) if *before != content => {
                let before = *before;
                self.breaks(format!("{name} is {how} with content {content} and was seen with {before}"));
            }
            Some((_, before @ None)) => *before = manifest,
            Some((_, Some(before))) if manifest.as_ref().is_some_and(|manifest| manifest != before) => {
                self.breaks(format!("{name} is {how} with another manifest than before"));
            }
            Some(_) => {}
        }
    }

    /// Returns the versions that every reader must see from now on, until someone deletes them.
    pub(crate) fn owed(&self) -> BTreeSet<Name> {
        self.acknowledged.keys().filter(|name| !self.doomed.contains(*name)).cloned().collect()
    }

    /// Returns the acknowledged versions of a model, including those that may have been deleted.
    pub(crate) fn acknowledged_of(&self, model: &str) -> Vec<Version> {
        self.acknowledged.keys().filter(|name| name.model == model).map(|name| name.version.clone()).collect()
    }

    /// Checks that an error is one that a failing server may cause.
    pub(crate) fn excuse(&mut self, what: &str, error: &modeldepot::Error, conflicts: bool, doomed: bool) {
        match error.kind() {
            ErrorKind::Unavailable => {}
            ErrorKind::Conflict if conflicts => {}
            // A version may disappear while it is read.
            ErrorKind::Corrupt if doomed => {}
            ErrorKind::Corrupt => self.damage.push(format!("{what}: {}", chain(error))),
            kind => self.breaks(format!("{what} fails as {kind:?}: {}", chain(error))),
        }
    }
}

/// Returns an error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
