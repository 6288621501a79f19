//! Settings, and the storage opened with them in this process.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::future::Future;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use modeldepot::{Error, ModelStorage, Settings};
use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::error::{invalid, raised, refused};
use crate::progress::{Meter, Watcher};
use crate::runtime::{promise, wait};

/// Settings that a caller passes explicitly.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) endpoint: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) secret_key: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) bucket: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) addressing: Option<String>,
    pub(crate) ca_bundle: Option<PathBuf>,
    pub(crate) profile: Option<String>,
    pub(crate) limit_rate: Option<u64>,
    /// Settings in a pickle that are not arguments.
    pub(crate) pickled: Option<BTreeMap<String, String>>,
}

/// Settings that a bucket may require: not arguments, but part of every pickle.
const PICKLED: [&str; 5] = ["S3_REQUEST_PAYER", "S3_EXPECTED_BUCKET_OWNER", "S3_SSE", "S3_KMS_KEY", "S3_STORAGE_CLASS"];

/// Explicit settings that are not looked up again.
struct Remade {
    addressing: Option<String>,
    ca_bundle: Option<PathBuf>,
    profile: Option<String>,
    limit_rate: Option<u64>,
}

/// A storage that is opened at its first use in a process: its connections do not survive a fork.
pub(crate) struct Connection {
    pub(crate) settings: Settings,
    /// What a pickle has to contain besides the settings. Never a key.
    remade: Remade,
    /// Only locked briefly, by threads that hold the GIL: see `runtime`.
    opened: Mutex<Option<(u32, ModelStorage)>>,
}

impl Connection {
    /// Resolves the settings as the command does: explicit ones, then the environment, then `.env`.
    pub(crate) fn new(py: Python<'_>, given: Given) -> PyResult<Arc<Connection>> {
        let remade = Remade {
            addressing: given.addressing.clone(),
            ca_bundle: given.ca_bundle.clone(),
            profile: given.profile.clone(),
            limit_rate: given.limit_rate,
        };
        let ca_bundle = given.ca_bundle.map(|path| path.display().to_string());
        let named = [
            ("S3_ENDPOINT", "endpoint", given.endpoint),
            ("S3_ACCESS_KEY", "access_key", given.access_key),
            ("S3_SECRET_KEY", "secret_key", given.secret_key),
            ("S3_REGION", "region", given.region),
            ("S3_BUCKET_MODELS", "bucket", given.bucket),
            ("S3_PREFIX", "prefix", given.prefix),
            ("S3_ADDRESSING", "addressing", given.addressing),
            ("AWS_CA_BUNDLE", "ca_bundle", ca_bundle),
            ("AWS_PROFILE", "profile", given.profile),
        ];
        let pickled = given.pickled.unwrap_or_default();
        let pickled = PICKLED.iter().filter_map(|name| Some((*name, "the pickle", pickled.get(*name)?.clone())));
        let named = named.into_iter().filter_map(|(variable, name, value)| Some((variable, name, value?)));
        let named = named.chain(pickled).collect();
        for (warning, hint) in modeldepot_cli::warnings() {
            let message = CString::new(format!("{warning}; {hint}")).unwrap_or_default();
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 1)?;
        }
        let mut settings = modeldepot_cli::settings(named).map_err(|failure| refused(py, failure))?;
        if let Some(rate) = given.limit_rate {
            if (1..1000).contains(&rate) {
                let message = format!("`limit_rate` is {rate} bytes per second, which is too slow");
                return Err(invalid(py, message, &format!("for {rate} MB/s, pass `limit_rate={rate}_000_000`")));
            }
            let rate = NonZeroU64::new(rate);
            let none = || invalid(py, "`limit_rate` is 0", "give bytes per second, or leave it out for no limit");
            settings.limit_rate = Some(rate.ok_or_else(none)?);
        }
        let connection = Arc::new(Connection { settings, remade, opened: Mutex::default() });
        // Opened now and not at the first verb: an unreadable CA bundle is an error of this call.
        connection.storage(py)?;
        Ok(connection)
    }

    /// Returns the storage, opening it if necessary in this process.
    fn storage(&self, py: Python<'_>) -> PyResult<ModelStorage> {
        let process = std::process::id();
        let found =
            self.opened.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(of, kept)| (*of, kept.clone()));
        match found {
            Some((of, kept)) if of == process => return Ok(kept),
            // Dropping the parent's connections would wait for its threads, which do not exist here.
            Some((_, kept)) => std::mem::forget(kept),
            None => {}
        }
        let settings = self.settings.clone();
        let opened = wait(py, async move { ModelStorage::open(&settings).await }, &mut Watcher::of(None, "")?)?;
        let opened = opened.map_err(|error| self.raised(py, &error))?;
        let old = self.opened.lock().unwrap_or_else(PoisonError::into_inner).replace((process, opened.clone()));
        std::mem::forget(old.filter(|(of, _)| *of != process));
        Ok(opened)
    }

    /// Returns the URL of the endpoint.
    pub(crate) fn endpoint(&self) -> String {
        match &self.settings.endpoint {
            Some(endpoint) => endpoint.to_string(),
            None => format!("https://s3.{}.amazonaws.com", self.settings.region),
        }
    }

    /// Returns the state for a pickle: the resolved endpoint, region, bucket and folder, and the other explicit
    /// settings. Never a key: the process that unpickles it looks up its own, as the command does.
    pub(crate) fn reduced<'py>(&self, of: &Bound<'py, PyAny>, with_bucket: bool) -> PyResult<Bound<'py, PyTuple>> {
        let py = of.py();
        let settings = PyDict::new(py);
        let endpoint = self.settings.endpoint.as_ref().map(ToString::to_string).unwrap_or_default();
        settings.set_item("endpoint", endpoint)?;
        settings.set_item("region", &self.settings.region)?;
        if with_bucket {
            settings.set_item("bucket", self.settings.buckets.models.as_str())?;
            settings.set_item("prefix", self.settings.prefix.as_str())?;
        }
        settings.set_item("addressing", &self.remade.addressing)?;
        settings.set_item("ca_bundle", self.remade.ca_bundle.as_ref().map(|path| path.as_os_str()))?;
        settings.set_item("profile", &self.remade.profile)?;
        settings.set_item("limit_rate", self.remade.limit_rate)?;
        let writing = self.settings.writing.variables();
        if !writing.is_empty() {
            settings.set_item("_pickled", BTreeMap::from_iter(writing))?;
        }
        let make = py.import("modeldepot._pickle")?.getattr("storage")?;
        let what = PyTuple::new(py, [of.get_type().into_any(), settings.into_any()])?;
        // Attributes of a subclass.
        let state = of.getattr_opt("__dict__")?.filter(|state| state.is_truthy().unwrap_or(false));
        match state {
            Some(state) => PyTuple::new(py, [make, what.into_any(), state]),
            None => PyTuple::new(py, [make, what.into_any()]),
        }
    }

    pub(crate) fn raised(&self, py: Python<'_>, error: &Error) -> PyErr {
        raised(py, error, Some(&self.settings))
    }

    /// Runs work and waits for it.
    pub(crate) fn run<T, F>(&self, py: Python<'_>, work: impl FnOnce(ModelStorage) -> F) -> PyResult<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.watched(py, Watcher::of(None, "")?, |storage, _| work(storage))
    }

    /// Runs work, reports its progress, and waits for it.
    pub(crate) fn watched<T, F>(
        &self,
        py: Python<'_>,
        mut watcher: Watcher,
        work: impl FnOnce(ModelStorage, Meter) -> F,
    ) -> PyResult<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let storage = self.storage(py)?;
        let work = work(storage, watcher.meter.clone());
        let done = wait(py, work, &mut watcher);
        watcher.close(py)?;
        done?.map_err(|error| self.raised(py, &error))
    }

    /// Starts work and returns its asyncio future.
    pub(crate) fn started<'py, T, F>(
        self: &Arc<Self>,
        py: Python<'py>,
        watcher: Watcher,
        work: impl FnOnce(ModelStorage, Meter) -> F,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let work = work(self.storage(py)?, watcher.meter.clone());
        let connection = Arc::clone(self);
        promise(py, work, watcher, move |py, done| {
            done.map_err(|error| connection.raised(py, &error)).and_then(|done| finish(py, done))
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A forked process must not end its parent's connections.
        let opened = self.opened.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        std::mem::forget(opened.filter(|(of, _)| *of != std::process::id()));
    }
}
