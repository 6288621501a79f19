use std::path::PathBuf;
use std::sync::Arc;

use modeldepot::Scan;
use modeldepot::s3::PresignedMethod;
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;

use crate::answer::{Deleted, Description, ModelSummary, Published, Verified, VersionSummary};
use crate::argument::{self, VersionText, artifact, lifetime, model, selector};
use crate::connection::{Connection, Given};
use crate::error::invalid;
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

    /// Publish a model file or folder as a new version.
    ///
    /// A version appears when all its files are stored, or not at all, and never changes after that. Publishing the same
    /// content under the same version again is a success and says so, so a retry is safe. What Ctrl-C or the network cut
    /// off goes on when the call is repeated.
    ///
    /// Parameters
    /// ----------
    /// model_path : str or os.PathLike
    ///     The model: a file, or a folder whose files keep their relative paths.
    /// model_name : str
    ///     The model's name.
    /// version : str, optional
    ///     The version; without one, the current second, UTC, as ``20251028_181858``.
    /// metadata : dict, optional
    ///     What is to be said about the version. NumPy scalars count as numbers.
    /// additional_files : list of str or os.PathLike, optional
    ///     Files that lie beside the model under their own names.
    /// history : str or os.PathLike, optional
    ///     A training history that lies beside the model, and whose best epoch and metrics go into the metadata. What
    ///     ``metadata`` says wins.
    /// main : str, optional
    ///     The model file of a folder; without one, the largest.
    /// exclude : list of str, optional
    ///     Patterns of files of a folder to leave out, as ``*.tmp``.
    /// file_name : str, optional
    ///     Publish the model file under this name instead of its own.
    /// progress : bool or callable, optional
    ///     True for a bar, or a function that is called with the bytes done and their total.
    /// resume : bool, default True
    ///     Go on with a push of the same that was cut off.
    /// md5 : bool, default True
    ///     Compute the MD5 that the Python original checks; without, a push may go faster than 0.7 GB/s.
    /// copy : bool, default True
    ///     Let the server copy parts that an earlier version has, instead of sending them.
    ///
    /// Returns
    /// -------
    /// Published
    ///
    /// Raises
    /// ------
    /// LocalFileNotFoundError
    ///     When a file is not there.
    /// InvalidError
    ///     When a name or the metadata cannot be used, or a file changes while it is read.
    /// ConflictError
    ///     When the version exists with other content, or its name is spent.
    #[pyo3(signature = (
        model_path, model_name, version=None, metadata=None, additional_files=None, *, history=None, main=None,
        exclude=None, file_name=None, progress=None, resume=true, md5=true, copy=true
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
        file_name: Option<&str>,
        progress: Option<&Bound<'_, PyAny>>,
        resume: bool,
        md5: bool,
        copy: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let exclude = exclude.unwrap_or_default();
        let upload = Upload {
            model: model(py, model_name)?,
            version: argument::version(py, version)?,
            scan: Scan { path: model_path, main, exclude, with: additional_files.unwrap_or_default() },
            file_name: artifact(py, file_name)?,
            history,
            metadata: json::metadata(py, metadata)?,
            resume,
            md5,
            copy,
        };
        let watcher = Watcher::of(progress, "pushing")?;
        self.connection.started(py, watcher, |storage, meter| upload.run(storage, meter), answer::<_, Published>)
    }

    /// Fetch a version, prove that every byte is the one that was published, and put it in place.
    ///
    /// A file appears under its name only when its digest matched, the manifest last. What is in the folder already is
    /// not fetched again.
    ///
    /// Parameters
    /// ----------
    /// model_name : str
    ///     The model; also ``MODEL@VERSION``.
    /// version : str, optional
    ///     The version; without one, the latest.
    /// local_dir : str or os.PathLike, default "./models/downloaded"
    ///     The folder to put the files into. It is made if it is missing.
    /// progress : bool or callable, optional
    ///     True for a bar, or a function that is called with the bytes done and their total.
    /// resume : bool, default True
    ///     Use what is there, of a download that was cut off or of an older version.
    /// sync : bool, default True
    ///     Wait until the disk has the bytes. Without, a power failure may leave files that are not what was fetched.
    ///
    /// Returns
    /// -------
    /// str
    ///     The path of the model file.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When there is no such model or version.
    /// CorruptError
    ///     When what the bucket holds is damaged. Nothing is put in place then.
    #[pyo3(
        signature = (model_name, version=None, local_dir=None, *, progress=None, resume=true, sync=true),
        text_signature = "($self, model_name, version=None, local_dir='./models/downloaded', *, progress=None, \
            resume=True, sync=True)"
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
    ) -> PyResult<Bound<'py, PyAny>> {
        let selector = selector(py, model_name, version)?;
        let folder = local_dir.unwrap_or_else(|| work::DOWNLOADED.into());
        let watcher = Watcher::of(progress, "pulling")?;
        self.connection.started(
            py,
            watcher,
            |storage, meter| work::download(storage, selector, folder, resume, sync, meter),
            |py, path| path.as_os_str().into_py_any(py),
        )
    }

    /// List the versions of a model.
    ///
    /// Parameters
    /// ----------
    /// model_name : str
    ///     The model.
    ///
    /// Returns
    /// -------
    /// list of VersionSummary
    ///     In ascending order, the latest last. Each equals the text of its version.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When the model has no version.
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

    /// Return the latest version of a model: the highest that is complete.
    ///
    /// Parameters
    /// ----------
    /// model_name : str
    ///     The model.
    ///
    /// Returns
    /// -------
    /// str
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When the model has no version.
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

    /// Delete a version. Its name is spent: it cannot be published again.
    ///
    /// Parameters
    /// ----------
    /// model_name : str
    ///     The model.
    /// version : str
    ///     The version, exactly.
    ///
    /// Returns
    /// -------
    /// Deleted
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When there is no such version.
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

    /// Read every file of a version in the bucket and compare it with its digest. Nothing is written.
    ///
    /// Parameters
    /// ----------
    /// model_name : str
    ///     The model; also ``MODEL@VERSION``.
    /// version : str, optional
    ///     The version; without one, the latest.
    /// progress : bool or callable, optional
    ///     True for a bar, or a function that is called with the bytes done and their total.
    ///
    /// Returns
    /// -------
    /// Verified
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When there is no such model or version.
    /// CorruptError
    ///     When a file is missing or damaged.
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

    /// Return a version in full: its files with their digests, and its metadata.
    ///
    /// Parameters
    /// ----------
    /// model_name : str
    ///     The model; also ``MODEL@VERSION``.
    /// version : str, optional
    ///     The version; without one, the latest.
    ///
    /// Returns
    /// -------
    /// Description
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When there is no such model or version.
    /// CorruptError
    ///     When its manifest cannot be used.
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

    /// List the models that have a version, by name.
    ///
    /// Returns
    /// -------
    /// list of ModelSummary
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When there is no such bucket.
    #[pyo3(signature = ())]
    fn models<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.connection.started(
            py,
            Watcher::of(None, "")?,
            |storage, _| async move { storage.list_models().await },
            answers::<_, ModelSummary>,
        )
    }

    /// Return a URL that lets whoever holds it fetch a file of a version until it expires, without credentials.
    ///
    /// Parameters
    /// ----------
    /// model_name : str
    ///     The model; also ``MODEL@VERSION``.
    /// version : str, optional
    ///     The version; without one, the latest.
    /// file : str, optional
    ///     The path of the file in the version; without one, the model file.
    /// expiration : int, default 3600
    ///     How long the URL lives, in seconds: 1 second to 7 days.
    ///
    /// Returns
    /// -------
    /// str
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     When there is no such model, version or file.
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
