use std::path::PathBuf;
use std::sync::Arc;

use modeldepot::s3::PresignedMethod;
use modeldepot::{Pull, Scan};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;

use crate::answer::{Deleted, Description, ModelSummary, Published, Verified, VersionSummary};
use crate::argument::{self, VersionText, artifact, lifetime, model, selector};
use crate::connection::{Connection, Given};
use crate::error::{invalid, refused};
use crate::json;
use crate::progress::Watcher;
use crate::work::{self, Upload};

/// The models of one bucket, for asyncio: the verbs of ``ModelStorage``, each answering a future.
///
/// Work begins with the call, not with ``await``. A future that is cancelled drops the work, as Ctrl-C does.
///
/// Settings that are not given come from the environment, then from the first ``.env`` found from the current folder
/// upwards, as for the ``modeldepot`` command: ``S3_ENDPOINT``, ``S3_ACCESS_KEY``, ``S3_SECRET_KEY``, ``S3_REGION``,
/// ``S3_BUCKET_MODELS``. Nothing is sent before the first verb. It may be used by many threads, and after a fork.
///
/// Parameters
/// ----------
/// endpoint : str, optional
///     The address of the service; empty for AWS itself.
/// access_key, secret_key : str, optional
///     The login. Without one, the AWS variables count, then ``minioadmin`` on this machine, then the AWS chain.
/// region : str, optional
///     The region that requests are signed for.
/// bucket : str, optional
///     The bucket of the models.
/// addressing : {"auto", "path", "virtual"}, optional
///     How a bucket is named in requests.
/// ca_bundle : str or os.PathLike, optional
///     A PEM file of certificate authorities to trust beside the system's own.
/// limit_rate : int, optional
///     The most bytes a second that all transfers of this storage move together, both ways.
///
/// Raises
/// ------
/// InvalidError
///     When a setting cannot be used.
///
/// Examples
/// --------
/// >>> import asyncio
/// >>> async def both():
/// ...     storage = AsyncModelStorage()
/// ...     return await asyncio.gather(storage.verify("plant_classifier"), storage.get_latest_version("plant_classifier"))
/// >>> asyncio.run(both())
/// [Verified(plant_classifier@1.0.0, 1 file, 4.1 kB), '1.0.0']
#[pyclass(frozen, subclass, module = "modeldepot")]
pub(crate) struct AsyncModelStorage {
    connection: Arc<Connection>,
}

#[pymethods]
impl AsyncModelStorage {
    #[new]
    #[pyo3(signature = (
        *, endpoint=None, access_key=None, secret_key=None, region=None, bucket=None, addressing=None, ca_bundle=None,
        limit_rate=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn new(
        py: Python<'_>,
        endpoint: Option<String>,
        access_key: Option<String>,
        secret_key: Option<String>,
        region: Option<String>,
        bucket: Option<String>,
        addressing: Option<String>,
        ca_bundle: Option<PathBuf>,
        limit_rate: Option<u64>,
    ) -> PyResult<Self> {
        let given = Given { endpoint, access_key, secret_key, region, bucket, addressing, ca_bundle, limit_rate };
        Ok(Self { connection: Connection::new(py, given)? })
    }

    /// The address of the service.
    #[getter]
    fn endpoint(&self) -> String {
        self.connection.endpoint()
    }

    /// The bucket of the models.
    #[getter]
    fn bucket(&self) -> &str {
        self.connection.settings.buckets.models.as_str()
    }

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
        model_path: PathBuf,
        model_name: &str,
        version: Option<VersionText>,
        metadata: Option<&Bound<'_, PyAny>>,
        additional_files: Option<Vec<PathBuf>>,
        history: Option<PathBuf>,
        main: Option<String>,
        exclude: Option<Vec<String>>,
        include_hidden: bool,
        follow_links: bool,
        file_name: Option<&str>,
        progress: Option<&Bound<'_, PyAny>>,
        resume: bool,
        md5: bool,
        copy: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let scan = Scan {
            path: model_path,
            main,
            exclude: exclude.unwrap_or_default(),
            with: additional_files.unwrap_or_default(),
            history,
            include_hidden,
            follow_links,
        };
        let upload = Upload {
            model: model(py, model_name)?,
            version: argument::version(py, version)?,
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
        model_name: &str,
        version: Option<VersionText>,
        local_dir: Option<PathBuf>,
        progress: Option<&Bound<'_, PyAny>>,
        resume: bool,
        sync: bool,
        force: bool,
        require_digests: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = selector(py, model_name, version)?;
        let folder = local_dir.unwrap_or_else(|| work::downloaded(&selector.model));
        let pull = Pull { resume, sync, force, require_digests, ..Pull::new(selector, folder) };
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
    fn list_model_versions<'py>(&self, py: Python<'py>, model_name: &str) -> PyResult<Bound<'py, PyAny>> {
        let model = model(py, model_name)?;
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.list_model_versions(&model).await },
            answers::<_, VersionSummary>,
        )
    }

    #[doc = include_str!("doc/get_latest_version.txt")]
    #[pyo3(signature = (model_name))]
    fn get_latest_version<'py>(&self, py: Python<'py>, model_name: &str) -> PyResult<Bound<'py, PyAny>> {
        let model = model(py, model_name)?;
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.get_latest_version(&model).await },
            |py, version| version.as_str().into_py_any(py),
        )
    }

    #[doc = include_str!("doc/delete_model_version.txt")]
    #[pyo3(signature = (model_name, version))]
    fn delete_model_version<'py>(
        &self,
        py: Python<'py>,
        model_name: &str,
        version: VersionText,
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = selector(py, model_name, Some(version))?;
        let exact = || invalid(py, "`latest` is not deleted", "name the version exactly");
        let (model, version) = (selector.model, selector.version.ok_or_else(exact)?);
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.delete_model_version(&model, &version).await },
            answer::<_, Deleted>,
        )
    }

    #[doc = include_str!("doc/verify.txt")]
    #[pyo3(signature = (model_name, version=None, *, progress=None))]
    fn verify<'py>(
        &self,
        py: Python<'py>,
        model_name: &str,
        version: Option<VersionText>,
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
        model_name: &str,
        version: Option<VersionText>,
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
            |storage, _| async move { storage.list_models().await },
            answers::<_, ModelSummary>,
        )
    }

    #[doc = include_str!("doc/presigned_url.txt")]
    #[pyo3(signature = (model_name, version=None, file=None, expiration=3600))]
    fn presigned_url<'py>(
        &self,
        py: Python<'py>,
        model_name: &str,
        version: Option<VersionText>,
        file: Option<&str>,
        expiration: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = selector(py, model_name, version)?;
        let (file, expires) = (artifact(py, file)?, lifetime(expiration));
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move {
                storage.get_presigned_url(&selector, file.as_ref(), PresignedMethod::Get, expires).await
            },
            |py, url| url.into_py_any(py),
        )
    }

    fn __repr__(&self) -> String {
        format!("AsyncModelStorage(endpoint='{}', bucket='{}')", self.connection.endpoint(), self.bucket())
    }
}

/// Makes a Python object of what the library answered.
fn answer<T, A: From<T> + for<'py> IntoPyObject<'py>>(py: Python<'_>, found: T) -> PyResult<Py<PyAny>> {
    A::from(found).into_py_any(py)
}

/// Makes a list of what the library answered.
fn answers<T, A: From<T> + for<'py> IntoPyObject<'py>>(py: Python<'_>, found: Vec<T>) -> PyResult<Py<PyAny>> {
    found.into_iter().map(A::from).collect::<Vec<A>>().into_py_any(py)
}
