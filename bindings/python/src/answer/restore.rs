//! Restores answers from their pickles.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::declare::Pickled;
use super::{
    Deleted, Description, ListedObject, ModelSummary, ObjectMetadata, Published, StoredFile, Verified, VersionSummary,
};

/// Restores an answer from its pickle.
#[pyfunction]
#[pyo3(signature = (kind, text, /))]
pub(crate) fn restored(py: Python<'_>, kind: &str, text: &str) -> PyResult<Py<PyAny>> {
    fn made<'py, P: Pickled + IntoPyObject<'py>>(py: Python<'py>, text: &str) -> PyResult<Py<PyAny>> {
        use pyo3::IntoPyObjectExt as _;
        let answer: P = serde_json::from_str(text)
            .map_err(|error| PyValueError::new_err(format!("not a pickled `{}` of this version: {error}", P::KIND)))?;
        answer.into_py_any(py)
    }
    match kind {
        Deleted::KIND => made::<Deleted>(py, text),
        Description::KIND => made::<Description>(py, text),
        ListedObject::KIND => made::<ListedObject>(py, text),
        ModelSummary::KIND => made::<ModelSummary>(py, text),
        ObjectMetadata::KIND => made::<ObjectMetadata>(py, text),
        Published::KIND => made::<Published>(py, text),
        StoredFile::KIND => made::<StoredFile>(py, text),
        Verified::KIND => made::<Verified>(py, text),
        VersionSummary::KIND => made::<VersionSummary>(py, text),
        _ => Err(PyValueError::new_err(format!("unknown kind of answer: `{kind}`"))),
    }
}
