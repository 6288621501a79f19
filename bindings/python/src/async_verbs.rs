use std::path::PathBuf;
use std::sync::Arc;

use modeldepot::s3::PresignedMethod;
use modeldepot::{Pull, Scan};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;

use crate::answer::{Deleted, Description, ModelSummary, Published, Verified, VersionSummary};
use crate::argument::{self, VersionText, artifact, lifetime, model, selector};
use crate::connection::Connection;
use crate::error::refused;
use crate::given;
use crate::json;
use crate::progress::Watcher;
use crate::work::{self, Upload};

/// The verbs of ``ModelStorage`` as futures of the running loop: work begins with the call, and canceling a future
/// drops it. ``AsyncModelStorage`` turns them into coroutines.
#[pyclass(frozen, module = "modeldepot._modeldepot")]
pub(crate) struct AsyncVerbs {
    connection: Arc<Connection>,
}

impl AsyncVerbs {
    pub(crate) fn of(connection: &Arc<Connection>) -> Self {
        Self { connection: Arc::clone(connection) }
    }
}

#[pymethods]
impl AsyncVerbs {
    #[doc = include_str!("doc/upload_model.txt")]
    #[pyo3(signature = (
        model_path, model_name, version=None, metadata=None, additional_files=None, *, history=None, main=None,
        exclude=None, include_hidden=false, follow_links=false, file_name=None, progress=None, resume=true, md5=true,
        copy=true
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn upload_model<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_path)] model_path: PathBuf,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
        metadata: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = given::additional_files)] additional_files: Option<Vec<PathBuf>>,
        #[pyo3(from_py_with = given::history)] history: Option<PathBuf>,
        #[pyo3(from_py_with = given::main)] main: Option<String>,
        #[pyo3(from_py_with = given::exclude)] exclude: Option<Vec<String>>,
        #[pyo3(from_py_with = given::include_hidden)] include_hidden: bool,
        #[pyo3(from_py_with = given::follow_links)] follow_links: bool,
        #[pyo3(from_py_with = given::file_name)] file_name: Option<String>,
        progress: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = given::resume)] resume: bool,
        #[pyo3(from_py_with = given::md5)] md5: bool,
        #[pyo3(from_py_with = given::copy)] copy: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let model = argument::new_model(py, model_name, &model_path)?;
        let mut scan = Scan::new(model_path)
            .exclude(exclude.unwrap_or_default())
            .with(additional_files.unwrap_or_default())
            .include_hidden(include_hidden)
            .follow_links(follow_links);
        (scan.main, scan.history) = (main, history);
        let upload = Upload {
            model,
            version: version.map(|version| argument::new_version(py, version)).transpose()?,
            scan,
            file_name: artifact(py, file_name)?,
            metadata: json::metadata(py, metadata)?,
            published_by: modeldepot_cli::published_by().map_err(|failure| refused(py, failure))?,
            resume,
            md5,
            copy,
        };
        let watcher = Watcher::of(progress, "pushing")?;
        self.connection.started(py, watcher, |storage, meter| upload.run(storage, meter), answer::<_, Published>)
    }

    #[doc = include_str!("doc/download_model.txt")]
    #[pyo3(
        signature = (model_name, version=None, local_dir=None, *, progress=None, resume=true, sync=true,
            force=false, require_digests=false),
        text_signature = "($self, model_name, version=None, local_dir=None, *, progress=None, resume=True, sync=True, \
            force=False, require_digests=False)"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn download_model<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
        #[pyo3(from_py_with = given::local_dir)] local_dir: Option<PathBuf>,
        progress: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = given::resume)] resume: bool,
        #[pyo3(from_py_with = given::sync)] sync: bool,
        #[pyo3(from_py_with = given::force)] force: bool,
        #[pyo3(from_py_with = given::require_digests)] require_digests: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = argument::downloaded(py, model_name, version)?;
        let folder = local_dir.unwrap_or_else(|| work::downloaded(&selector.model));
        let pull = Pull::new(selector, folder).resume(resume).sync(sync).force(force).require_digests(require_digests);
        let watcher = Watcher::of(progress, "pulling")?;
        self.connection.started(
            py,
            watcher,
            |storage, meter| work::download(storage, pull, meter),
            |py, path| path.as_os_str().into_py_any(py),
        )
    }

    #[doc = include_str!("doc/list_model_versions.txt")]
    #[pyo3(signature = (model_name))]
    fn list_model_versions<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let model = model(py, model_name)?;
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.versions(&model).await },
            answers::<_, VersionSummary>,
        )
    }

    #[doc = include_str!("doc/get_latest_version.txt")]
    #[pyo3(signature = (model_name))]
    fn get_latest_version<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let model = model(py, model_name)?;
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.latest(&model).await },
            |py, version| version.as_str().into_py_any(py),
        )
    }

    #[doc = include_str!("doc/delete_model_version.txt")]
    #[pyo3(signature = (model_name, version))]
    fn delete_model_version<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::exact_version)] version: VersionText,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (model, version) = (model(py, model_name)?, argument::exact(py, version)?);
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.delete(&model, &version).await },
            answer::<_, Deleted>,
        )
    }

    #[doc = include_str!("doc/verify.txt")]
    #[pyo3(signature = (model_name, version=None, *, progress=None))]
    fn verify<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = selector(py, model_name, version)?;
        let watcher = Watcher::of(progress, "verifying")?;
        self.connection.started(
            py,
            watcher,
            |storage, meter| async move { storage.verify(&selector, &meter.progress()).await },
            answer::<_, Verified>,
        )
    }

    #[doc = include_str!("doc/describe.txt")]
    #[pyo3(signature = (model_name, version=None))]
    fn describe<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = selector(py, model_name, version)?;
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.describe(&selector).await },
            answer::<_, Description>,
        )
    }

    #[doc = include_str!("doc/models.txt")]
    #[pyo3(signature = ())]
    fn models<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.models().await },
            answers::<_, ModelSummary>,
        )
    }

    #[doc = include_str!("doc/presigned_url.txt")]
    #[pyo3(signature = (model_name, version=None, file=None, expiration=3600))]
    fn presigned_url<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
        #[pyo3(from_py_with = given::file)] file: Option<String>,
        #[pyo3(from_py_with = given::expiration)] expiration: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = selector(py, model_name, version)?;
        let (file, expires) = (artifact(py, file)?, lifetime(expiration));
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.presign(&selector, file.as_ref(), PresignedMethod::Get, expires).await },
            |py, url| url.into_py_any(py),
        )
    }
}

/// Converts a result of the library to a Python object.
fn answer<T, A: From<T> + for<'py> IntoPyObject<'py>>(py: Python<'_>, found: T) -> PyResult<Py<PyAny>> {
    A::from(found).into_py_any(py)
}

/// Converts results of the library to a Python list.
fn answers<T, A: From<T> + for<'py> IntoPyObject<'py>>(py: Python<'_>, found: Vec<T>) -> PyResult<Py<PyAny>> {
    found.into_iter().map(A::from).collect::<Vec<A>>().into_py_any(py)
}
