use modeldepot::Manifest;
use modeldepot::units::{plural, size};
use time::OffsetDateTime;

use super::StoredFile;
use super::declare::{Shown, answer};
use super::value::{Dict, ManifestDict, moment};
use crate::html;

answer! {
    /// A version with its files and manifest.
    ///
    /// ``str()`` of it is ``MODEL@VERSION``.
    ///
    /// Attributes
    /// ----------
    /// model : str
    ///     The model.
    /// version : str
    ///     The version.
    /// model_file : str
    ///     The path of the model file in the version.
    /// history : str or None
    ///     The path of the training history in the version: the file named by the publisher, else detected by
    ///     name.
    /// files : list of StoredFile
    ///     All files by path, without the manifest.
    /// size : int
    ///     Total size of the files in bytes.
    /// damaged : list of str
    ///     The paths of files that are missing from the bucket or have another size.
    /// metadata : dict
    ///     Metadata of the version.
    /// created_at : datetime.datetime or None
    ///     Publication time in UTC.
    /// manifest : dict
    ///     The version's manifest.
    Description {
        model: String,
        version: String,
        model_file: String,
        history: Option<String>,
        files: Vec<StoredFile>,
        size: u64,
        damaged: Vec<String>,
        metadata: Dict,
        #[serde(with = "time::serde::rfc3339::option")]
        created_at: Option<OffsetDateTime>,
        manifest: ManifestDict,
    }
    hidden {
        damage: Vec<(u64, Option<u64>)>,
    }
}

impl From<modeldepot::Description> for Description {
    fn from(found: modeldepot::Description) -> Self {
        let history = found.history().map(ToString::to_string);
        let manifest: Manifest = found.manifest;
        Self {
            model: manifest.model_name.to_string(),
            version: manifest.version.to_string(),
            model_file: manifest.main().map(|main| main.to_string()).unwrap_or_default(),
            history,
            size: found.files.iter().map(|file| file.size).sum(),
            files: found.files.into_iter().map(StoredFile::from).collect(),
            damaged: found.damaged.iter().map(|file| file.path.to_string()).collect(),
            metadata: Dict(manifest.metadata.clone()),
            created_at: moment(manifest.created_at),
            manifest: ManifestDict(manifest),
            damage: found.damaged.iter().map(|file| (file.expected, file.found)).collect(),
        }
    }
}

impl Shown for Description {
    fn text(&self) -> String {
        format!("{}@{}", self.model, self.version)
    }

    fn repr(&self) -> String {
        format!("Description({}, {}, {})", self.text(), plural(self.files.len(), "file"), size(self.size))
    }

    fn html(&self) -> String {
        let fields: Vec<_> = self.metadata.0.iter().map(|(key, value)| (key.as_str(), value.to_string())).collect();
        let short = |digest: &Option<String>| digest.as_ref().map(|digest| digest[..16].to_owned() + "…");
        let row = |file: &StoredFile| vec![file.path.clone(), size(file.size), short(&file.blake3).unwrap_or_default()];
        let rows: Vec<_> = self.files.iter().map(row).collect();
        html::fields(&self.text(), &fields) + &html::table("files", &["path", "size", "BLAKE3"], &rows)
    }
}
