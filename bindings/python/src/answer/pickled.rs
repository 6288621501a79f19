//! Answers as text and back, so that they can be pickled: sent to another process, cached, copied.

use modeldepot::{Damaged, Foreign, Manifest};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::description::Found;
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

/// A moment to the nanosecond, as text: JSON's numbers are too short.
fn moment(time: Option<OffsetDateTime>) -> Value {
    time.map_or(Value::Null, |time| time.unix_timestamp_nanos().to_string().into())
}

fn time(state: &Value) -> Option<Option<OffsetDateTime>> {
    match state {
        Value::Null => Some(None),
        state => OffsetDateTime::from_unix_timestamp_nanos(state.as_str()?.parse().ok()?).ok().map(Some),
    }
}

fn read<T: serde::de::DeserializeOwned>(state: &Value) -> Option<T> {
    T::deserialize(state).ok()
}

fn count(state: &Value) -> Option<usize> {
    usize::try_from(state.as_u64()?).ok()
}

fn foreign(foreign: &Foreign) -> Value {
    json!({"objects": foreign.objects, "bytes": foreign.bytes, "paths": foreign.paths})
}

fn foreign_of(state: &Value) -> Option<Foreign> {
    Some(Foreign { objects: count(&state["objects"])?, bytes: state["bytes"].as_u64()?, paths: read(&state["paths"])? })
}

fn stored(file: &modeldepot::StoredFile) -> Value {
    json!({
        "path": file.path, "size": file.size, "md5": file.md5, "blake3": file.blake3, "parts": file.parts,
        "executable": file.executable,
    })
}

fn stored_of(state: &Value) -> Option<modeldepot::StoredFile> {
    Some(modeldepot::StoredFile {
        path: read(&state["path"])?,
        size: state["size"].as_u64()?,
        md5: read(&state["md5"])?,
        blake3: read(&state["blake3"])?,
        parts: read(&state["parts"])?,
        executable: state["executable"].as_bool()?,
    })
}

fn manifest(state: &Value) -> Option<Manifest> {
    read(state)
}

impl Pickled for Deleted {
    const KIND: &'static str = "Deleted";

    fn state(&self) -> Value {
        let found = &self.0;
        json!({"files": found.files, "bytes": found.bytes, "foreign": foreign(&found.foreign), "already": found.already})
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self(modeldepot::Deleted {
            files: count(&state["files"])?,
            bytes: state["bytes"].as_u64()?,
            foreign: foreign_of(&state["foreign"])?,
            already: state["already"].as_bool()?,
        }))
    }
}

impl Pickled for Description {
    const KIND: &'static str = "Description";

    fn state(&self) -> Value {
        let damaged = |d: &Damaged| json!({"path": d.path, "expected": d.expected, "found": d.found});
        json!({
            "manifest": self.0.manifest,
            "files": self.0.files.iter().map(stored).collect::<Vec<_>>(),
            "damaged": self.0.damaged.iter().map(damaged).collect::<Vec<_>>(),
            "history": self.0.history,
        })
    }

    fn of(state: &Value) -> Option<Self> {
        let damaged = |state: &Value| {
            let expected = state["expected"].as_u64()?;
            Some(Damaged { path: read(&state["path"])?, expected, found: state["found"].as_u64() })
        };
        Some(Self(Found {
            manifest: manifest(&state["manifest"])?,
            files: state["files"].as_array()?.iter().map(stored_of).collect::<Option<_>>()?,
            damaged: state["damaged"].as_array()?.iter().map(damaged).collect::<Option<_>>()?,
            history: read(&state["history"])?,
        }))
    }
}

impl Pickled for ListedObject {
    const KIND: &'static str = "ListedObject";

    fn state(&self) -> Value {
        let found = &self.0;
        json!({"key": found.key, "size": found.size, "etag": found.etag, "modified": moment(found.modified)})
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self(modeldepot::s3::ListedObject {
            key: read(&state["key"])?,
            size: state["size"].as_u64()?,
            etag: read(&state["etag"])?,
            modified: time(&state["modified"])?,
        }))
    }
}

impl Pickled for ModelSummary {
    const KIND: &'static str = "ModelSummary";

    fn state(&self) -> Value {
        let found = &self.0;
        json!({
            "model": found.model, "latest": found.latest, "versions": found.versions, "size": found.size,
            "damaged": found.damaged, "latest_damaged": found.latest_damaged, "published": moment(found.published),
        })
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self(modeldepot::ModelSummary {
            model: read(&state["model"])?,
            latest: read(&state["latest"])?,
            versions: count(&state["versions"])?,
            size: state["size"].as_u64()?,
            damaged: count(&state["damaged"])?,
            latest_damaged: state["latest_damaged"].as_bool()?,
            published: time(&state["published"])?,
        }))
    }
}

impl Pickled for ObjectMetadata {
    const KIND: &'static str = "ObjectMetadata";

    fn state(&self) -> Value {
        let found = &self.0;
        json!({
            "size": found.size, "etag": found.etag, "modified": moment(found.modified),
            "content_type": found.content_type, "metadata": found.metadata, "crc64nvme": found.crc64nvme,
        })
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self(modeldepot::s3::ObjectMetadata {
            size: state["size"].as_u64()?,
            etag: read(&state["etag"])?,
            modified: time(&state["modified"])?,
            content_type: read(&state["content_type"])?,
            metadata: read(&state["metadata"])?,
            crc64nvme: read(&state["crc64nvme"])?,
        }))
    }
}

impl Pickled for Published {
    const KIND: &'static str = "Published";

    fn state(&self) -> Value {
        let found = &self.0;
        json!({
            "manifest": found.manifest, "already": found.already, "kept": found.kept, "copied": found.copied,
            "foreign": foreign(&found.foreign), "left_out": self.1, "unmatched": found.unmatched,
            "notes": self.2,
        })
    }

    fn of(state: &Value) -> Option<Self> {
        let published = modeldepot::Published {
            manifest: manifest(&state["manifest"])?,
            already: state["already"].as_bool()?,
            kept: state["kept"].as_u64()?,
            copied: state["copied"].as_u64()?,
            foreign: foreign_of(&state["foreign"])?,
            left_out: Vec::new(),
            unmatched: read(&state["unmatched"])?,
        };
        Some(Self(published, read(&state["left_out"])?, read(&state["notes"])?))
    }
}

impl Pickled for StoredFile {
    const KIND: &'static str = "StoredFile";

    fn state(&self) -> Value {
        stored(&self.0)
    }

    fn of(state: &Value) -> Option<Self> {
        stored_of(state).map(Self)
    }
}

impl Pickled for Verified {
    const KIND: &'static str = "Verified";

    fn state(&self) -> Value {
        let found = &self.0;
        json!({
            "manifest": found.manifest, "files": found.files, "bytes": found.bytes, "unverified": found.unverified,
        })
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self(modeldepot::Verified {
            manifest: manifest(&state["manifest"])?,
            files: count(&state["files"])?,
            bytes: state["bytes"].as_u64()?,
            unverified: read(&state["unverified"])?,
        }))
    }
}

impl Pickled for VersionSummary {
    const KIND: &'static str = "VersionSummary";

    fn state(&self) -> Value {
        let found = &self.0;
        json!({
            "version": found.version, "files": found.files, "size": found.size, "published": moment(found.published),
            "damaged": found.damaged,
        })
    }

    fn of(state: &Value) -> Option<Self> {
        Some(Self(modeldepot::VersionSummary {
            version: read(&state["version"])?,
            files: count(&state["files"])?,
            size: state["size"].as_u64()?,
            published: time(&state["published"])?,
            damaged: state["damaged"].as_bool()?,
        }))
    }
}
