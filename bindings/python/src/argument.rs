//! Names and times as passed by callers.

use std::time::Duration;

use modeldepot::{ArtifactPath, BucketName, Error, ModelName, Selector, Version};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::answer::VersionSummary;
use crate::error::raised;

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
