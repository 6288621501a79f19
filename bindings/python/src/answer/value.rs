//! Field values that need a conversion.

use modeldepot::Manifest;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::json;

/// Returns a time as Python sees it: in UTC, or `None` if unknown.
pub(super) fn moment(time: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    Some(time?.to_offset(time::UtcOffset::UTC))
}

/// A JSON object, which Python sees as a dict.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Dict(pub(crate) Map<String, Value>);

impl<'py> IntoPyObject<'py> for &Dict {
    type Target = PyDict;
    type Output = Bound<'py, PyDict>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        json::dict(py, &self.0).map(|dict| dict.into_bound(py))
    }
}

/// A manifest, which Python sees as a dict.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ManifestDict(pub(crate) Manifest);

impl<'py> IntoPyObject<'py> for &ManifestDict {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::manifest(py, &self.0).map(|manifest| manifest.into_bound(py))
    }
}
