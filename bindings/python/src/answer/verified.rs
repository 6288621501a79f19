use modeldepot::Manifest;
use modeldepot::units::{plural, size};

use super::declare::{Shown, answer};
use crate::html;

answer! {
    /// The result of a verification.
    ///
    /// Attributes
    /// ----------
    /// model : str
    ///     The model.
    /// version : str
    ///     The version.
    /// files : int
    ///     Number of files read.
    /// size : int
    ///     Number of bytes read.
    /// intact : bool
    ///     Whether every file was verified with its digest. Damage raises `CorruptError` instead.
    /// unverified : list of str
    ///     Files without a published digest, which cannot be verified. Empty except for versions
    ///     published by the boto3 pipeline that this project replaces.
    Verified {
        model: String,
        version: String,
        files: usize,
        size: u64,
        intact: bool,
        unverified: Vec<String>,
    }
    hidden {
        manifest: Manifest,
    }
}

impl From<modeldepot::Verified> for Verified {
    fn from(verified: modeldepot::Verified) -> Self {
        Self {
            model: verified.manifest.model_name.to_string(),
            version: verified.manifest.version.to_string(),
            files: verified.files,
            size: verified.bytes,
            intact: verified.is_intact(),
            unverified: verified.unverified.iter().map(ToString::to_string).collect(),
            manifest: verified.manifest,
        }
    }
}

impl Shown for Verified {
    fn repr(&self) -> String {
        let unverified = match self.unverified.len() {
            0 => String::new(),
            files => format!(", {files} not verified"),
        };
        let (files, size) = (plural(self.files, "file"), size(self.size));
        format!("Verified({}@{}, {files}, {size}{unverified})", self.model, self.version)
    }

    fn html(&self) -> String {
        let word = if self.intact { "verified" } else { "not verified" };
        let caption = format!("{}@{}: {word}", self.model, self.version);
        let (files, unverified) = (self.files.to_string(), self.unverified.len().to_string());
        html::fields(&caption, &[("files", files), ("size", size(self.size)), ("not verified", unverified)])
    }
}
