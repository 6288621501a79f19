use modeldepot::units::{plural, size};

use super::declare::{Shown, answer};
use super::value::ManifestDict;
use crate::html;

answer! {
    /// A published version.
    ///
    /// ``str()`` of it is ``MODEL@VERSION``.
    ///
    /// Attributes
    /// ----------
    /// model : str
    ///     The model.
    /// version : str
    ///     The version.
    /// files : int
    ///     Number of files, without the manifest.
    /// size : int
    ///     Total size of the files in bytes.
    /// url : str
    ///     The unsigned URL of the model file.
    /// checksum : str or None
    ///     The MD5 of the model file in hexadecimal; None with ``md5=False``.
    /// already : bool
    ///     True if the same content was already published; nothing was changed.
    /// kept : int
    ///     Bytes already on the server from an interrupted upload of the same files.
    /// copied : int
    ///     Bytes copied within the server from an earlier version.
    /// model_file : str
    ///     The path of the model file in the version.
    /// left_out : list of str
    ///     Files of the folder that were not published: hidden files, secrets, temporary files, and matches of a
    ///     pattern. The name of an excluded folder ends with ``/``.
    /// foreign : list of str
    ///     Paths of objects under the version's prefix that do not belong to it and were not created by modeldepot; the
    ///     first hundred.
    /// unmatched : list of str
    ///     Patterns of ``exclude`` that matched nothing.
    /// notes : list of str
    ///     Notes on the training history: the best epoch and its metric, or why there is none. Also that the model file
    ///     is empty, or that another version is still the latest.
    /// manifest : dict
    ///     The version's manifest.
    Published {
        model: String,
        version: String,
        files: usize,
        size: u64,
        url: String,
        checksum: Option<String>,
        already: bool,
        kept: u64,
        copied: u64,
        model_file: String,
        left_out: Vec<String>,
        foreign: Vec<String>,
        unmatched: Vec<String>,
        notes: Vec<String>,
        manifest: ManifestDict,
    }
    hidden {
        foreign_count: usize,
        foreign_size: u64,
    }
}

impl From<(modeldepot::Published, Vec<String>)> for Published {
    fn from((published, notes): (modeldepot::Published, Vec<String>)) -> Self {
        let manifest = published.manifest;
        let shown = |left: &modeldepot::LeftOut| format!("{}{}", left.path, if left.folder { "/" } else { "" });
        Self {
            model: manifest.model_name.to_string(),
            version: manifest.version.to_string(),
            files: manifest.files.as_ref().map_or(0, Vec::len),
            size: manifest.size().unwrap_or_default(),
            url: manifest.model_url.clone(),
            checksum: manifest.checksum.as_ref().map(ToString::to_string),
            already: published.already,
            kept: published.kept,
            copied: published.copied,
            model_file: manifest.main().map(|main| main.to_string()).unwrap_or_default(),
            left_out: published.left_out.iter().map(shown).collect(),
            foreign: published.foreign.paths,
            unmatched: published.unmatched,
            notes,
            manifest: ManifestDict(manifest),
            foreign_count: published.foreign.objects,
            foreign_size: published.foreign.bytes,
        }
    }
}

impl Shown for Published {
    fn text(&self) -> String {
        format!("{}@{}", self.model, self.version)
    }

    fn repr(&self) -> String {
        let already = if self.already { ", already there" } else { "" };
        let (files, size) = (plural(self.files, "file"), size(self.size));
        format!("Published({}, {files}, {size}{already})", self.text())
    }

    fn html(&self) -> String {
        let mut fields = vec![
            ("files", self.files.to_string()),
            ("size", size(self.size)),
            ("already", self.already.to_string()),
            ("url", self.url.clone()),
            ("MD5", self.checksum.clone().unwrap_or_default()),
        ];
        let metadata = self.manifest.0.metadata.iter();
        fields.extend(metadata.map(|(key, value)| (key.as_str(), value.to_string())));
        html::fields(&self.text(), &fields)
    }
}
