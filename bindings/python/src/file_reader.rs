use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::argument::{artifact, selector};
use crate::connection::Connection;
use crate::progress::Watcher;

/// A file of a version, read part by part; ``ModelStorage.open`` wraps it in a file object.
///
/// Attributes
/// ----------
/// model : str
///     The model.
/// version : str
///     The version.
/// path : str
///     The path of the file in the version.
/// size : int
///     Size in bytes.
/// part_size : int
///     Size of every part except the last.
#[pyclass(frozen, module = "modeldepot._modeldepot")]
pub(crate) struct FileReader {
    connection: Arc<Connection>,
    /// The process that opened it: connections do not survive a fork.
    process: u32,
    reader: modeldepot::FileReader,
}

impl FileReader {
    /// Opens a file of `MODEL` or `MODEL@VERSION`; without a path, the model file.
    pub(crate) fn open(
        py: Python<'_>,
        connection: &Arc<Connection>,
        name: String,
        file: Option<String>,
    ) -> PyResult<Self> {
        let (selector, file) = (selector(py, name, None)?, artifact(py, file)?);
        let reader = connection.run(py, |storage| async move { storage.open_file(&selector, file.as_ref()).await })?;
        Ok(Self { connection: Arc::clone(connection), process: std::process::id(), reader })
    }

    /// Returns the reader, reopened after a fork.
    async fn here(
        storage: modeldepot::ModelStorage,
        of: u32,
        reader: modeldepot::FileReader,
    ) -> modeldepot::Result<modeldepot::FileReader> {
        if of == std::process::id() {
            return Ok(reader);
        }
        let manifest = reader.manifest();
        let selector = modeldepot::Selector::new(manifest.model_name.clone()).version(manifest.version.clone());
        let path = reader.file().path.clone();
        std::mem::forget(reader);
        storage.open_file(&selector, Some(&path)).await
    }
}

#[pymethods]
impl FileReader {
    #[getter]
    fn model(&self) -> &str {
        self.reader.manifest().model_name.as_str()
    }

    #[getter]
    fn version(&self) -> &str {
        self.reader.manifest().version.as_str()
    }

    #[getter]
    fn path(&self) -> &str {
        self.reader.file().path.as_str()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.reader.file().size
    }

    #[getter]
    fn part_size(&self) -> u64 {
        self.reader.part_size()
    }

    /// Returns the bytes of a part, verified if there is a published digest; empty beyond the end.
    #[pyo3(signature = (index, /))]
    fn part<'py>(&self, py: Python<'py>, index: u64) -> PyResult<Bound<'py, PyBytes>> {
        let (reader, of) = (self.reader.clone(), self.process);
        let part = self
            .connection
            .run(py, |storage| async move { Self::here(storage, of, reader).await?.part(index).await })?;
        Ok(PyBytes::new(py, &part))
    }

    /// Returns the whole file, verified if there is a published digest.
    #[pyo3(signature = (*, progress=None))]
    fn read<'py>(&self, py: Python<'py>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        let (reader, of) = (self.reader.clone(), self.process);
        let watcher = Watcher::of(progress, "reading")?;
        watcher.meter.plan(self.size());
        let whole = self.connection.watched(py, watcher, |storage, meter| async move {
            Self::here(storage, of, reader).await?.read(|bytes| meter.moved(bytes)).await
        })?;
        Ok(PyBytes::new(py, &whole))
    }

    fn __repr__(&self) -> String {
        format!("FileReader({}@{}, {})", self.model(), self.version(), self.path())
    }
}
