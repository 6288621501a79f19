//! Names and times as passed by callers.

use std::time::Duration;

use std::path::Path;

use modeldepot::{ArtifactPath, BucketName, Error, ModelName, Selector, Version};
use modeldepot_cli::Swapped;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::answer::VersionSummary;
use crate::error::{invalid, raised};

/// A version as text or as a `VersionSummary`.
pub(crate) struct VersionText(String);

impl<'a, 'py> FromPyObject<'a, 'py> for VersionText {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match given.cast::<VersionSummary>() {
            Ok(summary) => Ok(Self(summary.get().version.clone())),
            Err(_) => given.cast::<PyString>()?.extract().map(Self),
        }
    }
}

/// Builds keyword arguments: a dict of these variables under their own names.
macro_rules! keywords {
    ($py:expr; $($name:ident),+) => {{
        let keywords = pyo3::types::PyDict::new($py);
        $(keywords.set_item(stringify!($name), $name)?;)+
        keywords
    }};
}
pub(crate) use keywords;

pub(crate) fn model(py: Python<'_>, name: String) -> PyResult<ModelName> {
    name.parse().map_err(|error| raised(py, &Error::from(error), None))
}

/// Returns the model to publish `path` as, unless the two are swapped.
pub(crate) fn new_model(py: Python<'_>, name: String, path: &Path) -> PyResult<ModelName> {
    if let Ok(Selector { model, version: Some(version), .. }) = name.parse::<Selector>() {
        let hint = format!("pass the version as `version=\"{version}\"`, and `{model}` as the model");
        return Err(invalid(py, format!("`{name}` is not a model name: it has a version"), &hint));
    }
    let model = model(py, name)?;
    match modeldepot_cli::swapped(&model, path) {
        Some(Swapped { why, model, path }) => {
            let hint = format!("did you mean `upload_model(\"{}\", \"{model}\")`?", path.display());
            Err(invalid(py, format!("the path comes before the name of the model, and {why}"), &hint))
        }
        None => Ok(model),
    }
}

/// Returns the version to publish.
pub(crate) fn new_version(py: Python<'_>, given: VersionText) -> PyResult<Version> {
    modeldepot_cli::new_version(&given.0).map_err(|error| raised(py, &Error::from(error), None))
}

/// Returns the selector of a download, whose second argument is the version and not the folder.
pub(crate) fn downloaded(py: Python<'_>, name: String, given: Option<VersionText>) -> PyResult<Selector> {
    match &given {
        Some(VersionText(text)) if text.contains(['/', '\\']) => {
            let hint = format!("pass a folder by name: `local_dir=\"{text}\"`");
            Err(invalid(py, format!("`{text}` is not a version"), &hint))
        }
        _ => selector(py, name, given),
    }
}

/// Returns a version as it is written.
pub(crate) fn exact(py: Python<'_>, given: VersionText) -> PyResult<Version> {
    given.0.parse().map_err(|error| raised(py, &Error::from(error), None))
}

/// Returns the selector for a model and a version; the model may be written as `model@version`.
pub(crate) fn selector(py: Python<'_>, name: String, given: Option<VersionText>) -> PyResult<Selector> {
    match given.filter(|text| text.0 != "latest").map(|given| exact(py, given)).transpose()? {
        Some(version) => Ok(Selector::new(model(py, name)?).version(version)),
        None => name.parse().map_err(|error| raised(py, &Error::from(error), None)),
    }
}

pub(crate) fn bucket(py: Python<'_>, name: String) -> PyResult<BucketName> {
    name.parse().map_err(|error| raised(py, &Error::from(error), None))
}

pub(crate) fn artifact(py: Python<'_>, path: Option<String>) -> PyResult<Option<ArtifactPath>> {
    path.map(|path| path.parse().map_err(|error| raised(py, &Error::from(error), None))).transpose()
}

/// Returns a lifetime in seconds. The library checks S3's limits.
pub(crate) fn lifetime(seconds: i64) -> Duration {
    Duration::from_secs(seconds.try_into().unwrap_or_default())
}
