//! Answers as text and back, so that they can be pickled: sent to another process, cached, copied.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Deleted, Description, ListedObject, ModelSummary, ObjectMetadata, Published, StoredFile, Verified, VersionSummary,
};

/// An answer that can be written down.
pub(super) trait Pickled: Sized {
    /// Its class's name.
    const KIND: &'static str;

    fn state(&self) -> Value;

    /// Returns none for what is no state of it.
    fn of(state: &Value) -> Option<Self>;
}

/// What `__reduce__` answers: a function, and what it makes the answer of.
pub(super) type Reduced = (Py<PyAny>, (&'static str, String));

pub(super) fn reduce<P: Pickled>(py: Python<'_>, answer: &P) -> PyResult<Reduced> {
    let make = py.import("modeldepot._pickle")?.getattr("answer")?.unbind();
    Ok((make, (P::KIND, answer.state().to_string())))
}

/// Makes an answer again of what it was pickled as.
#[pyfunction]
#[pyo3(signature = (kind, text, /))]
pub(crate) fn restored(py: Python<'_>, kind: &str, text: &str) -> PyResult<Py<PyAny>> {
    fn made<'py, P: Pickled + IntoPyObject<'py>>(py: Python<'py>, state: &Value) -> Option<PyResult<Py<PyAny>>> {
        use pyo3::IntoPyObjectExt as _;
        P::of(state).map(|answer| answer.into_py_any(py))
    }
    let state: Value = serde_json::from_str(text).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let state = &state;
    let answer = match kind {
        Deleted::KIND => made::<Deleted>(py, state),
        Description::KIND => made::<Description>(py, state),
        ListedObject::KIND => made::<ListedObject>(py, state),
        ModelSummary::KIND => made::<ModelSummary>(py, state),
        ObjectMetadata::KIND => made::<ObjectMetadata>(py, state),
        Published::KIND => made::<Published>(py, state),
        StoredFile::KIND => made::<StoredFile>(py, state),
        Verified::KIND => made::<Verified>(py, state),
        VersionSummary::KIND => made::<VersionSummary>(py, state),
        _ => None,
    };
    answer.unwrap_or_else(|| Err(PyValueError::new_err(format!("this is no pickled `{kind}` of this modeldepot"))))
}

fn written(found: &impl Serialize) -> Value {
    serde_json::to_value(found).unwrap_or_default()
}

fn read<T: DeserializeOwned>(state: &Value) -> Option<T> {
    T::deserialize(state).ok()
}

/// Pickles classes that are one answer of the library.
macro_rules! pickled {
    ($($class:ident)*) => {$(
        impl Pickled for $class {
            const KIND: &'static str = stringify!($class);

            fn state(&self) -> Value {
                written(&self.0)
            }

            fn of(state: &Value) -> Option<Self> {
                read(state).map(Self)
            }
        }
    )*};
}

pickled!(Deleted Description ListedObject ModelSummary ObjectMetadata StoredFile Verified VersionSummary);

impl Pickled for Published {
    const KIND: &'static str = "Published";

    fn state(&self) -> Value {
        json!({"published": written(&self.0), "left_out": self.1, "notes": self.2})
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self(read(&state["published"])?, read(&state["left_out"])?, read(&state["notes"])?))
    }
}
