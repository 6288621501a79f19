//! A push whose model and path are swapped. A name that is published cannot be taken back, so it is refused.

use std::path::{Path, PathBuf};

use modeldepot::ModelName;

/// Extensions of model files, which no model's name ends in.
const EXTENSIONS: &[&str] = &[
    "bin",
    "ckpt",
    "gguf",
    "h5",
    "hdf5",
    "joblib",
    "keras",
    "mlmodel",
    "nemo",
    "npz",
    "onnx",
    "pickle",
    "pkl",
    "pt",
    "pt2",
    "pth",
    "safetensors",
    "skops",
    "tflite",
];

/// A name that was given for the model and is that of a file or folder, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// What is wrong with the name, after "…, and ".
    pub why: String,
    /// The model.
    pub model: String,
    /// What to publish.
    pub path: PathBuf,
}

/// Returns what was probably meant, if the model's name is that of a file, or only it exists and the path does not.
pub fn swapped(model: &ModelName, path: &Path) -> Option<Swapped> {
    let named = Path::new(model.as_str());
    let extension = named.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    let ends_like_a_file = extension.as_deref().is_some_and(|extension| EXTENSIONS.contains(&extension));
    let why = if extension.is_some() && named.is_file() && !path.is_file() {
        format!("`{model}` is a file")
    } else if ends_like_a_file {
        format!("`{model}` is the name of a file")
    } else if named.exists() && !path.exists() {
        let what = if named.is_dir() { "folder" } else { "file" };
        format!("`{model}` is a {what} here, while `{}` does not exist", modeldepot::visible(&path.to_string_lossy()))
    } else {
        return None;
    };
    let (model, path) = match path.file_name().and_then(|name| name.to_str()?.parse::<ModelName>().ok()) {
        // The path is right, and its file gave the model its name.
        _ if path.is_file() => (named.file_stem()?.to_str()?.to_owned(), path.to_owned()),
        Some(meant) => (meant.to_string(), named.to_owned()),
        None => ("MODEL".to_owned(), named.to_owned()),
    };
    Some(Swapped { why, model, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(model: &str, path: &Path) -> Option<(String, PathBuf)> {
        swapped(&model.parse().unwrap(), path).map(|it| (it.model, it.path))
    }

    #[test]
    fn a_model_named_like_a_file_is_taken_for_the_path() {
        let absent = Path::new("no-such-path/leaf");
        assert_eq!(said("best_model.pth", absent), Some(("leaf".to_owned(), "best_model.pth".into())));
        assert_eq!(said("w.SafeTensors", absent), Some(("leaf".to_owned(), "w.SafeTensors".into())));
        assert_eq!(said("best_model.pth", Path::new("..")), Some(("MODEL".to_owned(), "best_model.pth".into())));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(said("leaf.onnx", file.path()), Some(("leaf".to_owned(), file.path().to_owned())));
    }

    #[test]
    fn other_names_are_taken_as_they_are() {
        for model in ["leaf", "resnet-1.5", "plants.v2", "bert.base", "pth"] {
            assert_eq!(said(model, Path::new("no-such-path")), None, "{model}");
        }
        // Tests run in the crate's folder, so this one exists, as after `modeldepot pull src`.
        assert_eq!(said("src", Path::new("tests")), None);
        assert_eq!(said("src", Path::new("leaf")), Some(("leaf".to_owned(), "src".into())));
    }
}
