use modeldepot::units::{plural, size};

use super::declare::{Shown, answer};
use crate::html;

answer! {
    /// The result of a delete.
    ///
    /// Attributes
    /// ----------
    /// files : int
    ///     Number of deleted files, without the manifest.
    /// size : int
    ///     Total size of the files in bytes.
    /// foreign : list of str
    ///     Paths of objects under the version's prefix that modeldepot did not create; the first hundred. They are
    ///     kept.
    /// foreign_count : int
    ///     Number of these objects.
    Deleted {
        files: usize,
        size: u64,
        foreign: Vec<String>,
        foreign_count: usize,
    }
    hidden {
        foreign_size: u64,
        already: bool,
    }
}

impl From<modeldepot::Deleted> for Deleted {
    fn from(deleted: modeldepot::Deleted) -> Self {
        Self {
            files: deleted.files,
            size: deleted.bytes,
            foreign: deleted.foreign.paths,
            foreign_count: deleted.foreign.objects,
            foreign_size: deleted.foreign.bytes,
            already: deleted.already,
        }
    }
}

impl Shown for Deleted {
    fn repr(&self) -> String {
        let left = match self.foreign_count {
            0 => String::new(),
            objects => format!(", left {}", plural(objects, "foreign object")),
        };
        format!("Deleted({}, {}{left})", plural(self.files, "file"), size(self.size))
    }

    fn html(&self) -> String {
        html::fields("deleted", &[("files", self.files.to_string()), ("size", size(self.size))])
    }
}
