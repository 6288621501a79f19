use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use modeldepot::Change;
use modeldepot::s3::{PresignedMethod, UploadOptions};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::answer::{ListedObject, ObjectMetadata};
use crate::argument::{bucket, lifetime};
use crate::connection::{Connection, Given};
use crate::given;
use crate::progress::Watcher;
use crate::work;

#[doc = include_str!("doc/S3Client.txt")]
/// Examples
/// --------
/// >>> s3 = S3Client()
/// >>> s3.create_bucket("experiments")
/// True
/// >>> s3.upload_file("notes.txt", "experiments", "2025/notes.txt").size
/// 12
/// >>> [str(found) for found in s3.list_objects("experiments")]
/// ['2025/notes.txt']
/// >>> s3.delete_object("experiments", "2025/notes.txt")
/// True
#[pyclass(frozen, subclass, module = "modeldepot")]
pub(crate) struct S3Client {
    connection: Arc<Connection>,
}

impl S3Client {
    pub(crate) fn of(connection: &Arc<Connection>) -> Self {
        Self { connection: Arc::clone(connection) }
    }
}

#[pymethods]
impl S3Client {
    #[new]
    #[pyo3(signature = (
        *, endpoint=None, access_key=None, secret_key=None, region=None, addressing=None, ca_bundle=None, profile=None,
        limit_rate=None, _pickled=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = given::endpoint)] endpoint: Option<String>,
        #[pyo3(from_py_with = given::access_key)] access_key: Option<String>,
        #[pyo3(from_py_with = given::secret_key)] secret_key: Option<String>,
        #[pyo3(from_py_with = given::region)] region: Option<String>,
        #[pyo3(from_py_with = given::addressing)] addressing: Option<String>,
        #[pyo3(from_py_with = given::ca_bundle)] ca_bundle: Option<PathBuf>,
        #[pyo3(from_py_with = given::profile)] profile: Option<String>,
        #[pyo3(from_py_with = given::limit_rate)] limit_rate: Option<u64>,
        #[pyo3(from_py_with = given::pickled)] _pickled: Option<BTreeMap<String, String>>,
    ) -> PyResult<Self> {
        let (bucket, prefix) = (None, None);
        let given = Given {
            endpoint,
            access_key,
            secret_key,
            region,
            bucket,
            prefix,
            addressing,
            ca_bundle,
            profile,
            limit_rate,
            pickled: _pickled,
        };
        Ok(Self { connection: Connection::new(py, given)? })
    }

    /// The address of the service.
    #[getter]
    fn endpoint(&self) -> String {
        self.connection.endpoint()
    }

    /// Create a bucket.
    ///
    /// Parameters
    /// ----------
    /// bucket_name : str
    ///     The bucket.
    ///
    /// Returns
    /// -------
    /// bool
    ///     True if it was created, False if you already own it.
    ///
    /// Raises
    /// ------
    /// ConflictError
    ///     If the name belongs to another account.
    #[pyo3(signature = (bucket_name))]
    fn create_bucket(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
    ) -> PyResult<bool> {
        let bucket = bucket(py, bucket_name)?;
        self.connection.run(py, |storage| async move { storage.client().create_bucket(&bucket).await })
    }

    #[doc = include_str!("doc/upload_file.txt")]
    #[pyo3(signature = (
        file_path, bucket_name, object_name=None, metadata=None, *, content_type=None, progress=None, force=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn upload_file(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::file_path)] file_path: PathBuf,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
        #[pyo3(from_py_with = given::new_object_name)] object_name: Option<String>,
        #[pyo3(from_py_with = given::metadata)] metadata: Option<BTreeMap<String, String>>,
        #[pyo3(from_py_with = given::content_type)] content_type: Option<String>,
        progress: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = given::force)] force: bool,
    ) -> PyResult<ObjectMetadata> {
        let bucket = bucket(py, bucket_name)?;
        let mut options = UploadOptions::default().metadata(metadata.unwrap_or_default());
        options.content_type = content_type;
        let watcher = Watcher::of(progress, "uploading")?;
        let stored = self.connection.watched(py, watcher, |storage, meter| {
            work::store(storage, file_path, bucket, object_name, options, force, meter)
        });
        stored.map(ObjectMetadata::from)
    }

    #[doc = include_str!("doc/download_file.txt")]
    #[pyo3(signature = (bucket_name, object_name, local_path, *, progress=None))]
    fn download_file(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
        #[pyo3(from_py_with = given::object_name)] object_name: String,
        #[pyo3(from_py_with = given::local_path)] local_path: PathBuf,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<std::ffi::OsString> {
        let bucket = bucket(py, bucket_name)?;
        let watcher = Watcher::of(progress, "downloading")?;
        let watched = watcher.function(py).is_some();
        let fetched = self.connection.watched(py, watcher, |storage, meter| {
            work::fetch(storage, bucket, object_name, local_path, watched, meter)
        });
        fetched.map(PathBuf::into_os_string)
    }

    /// List all objects whose keys begin with a prefix, sorted by key.
    ///
    /// Parameters
    /// ----------
    /// bucket_name : str
    ///     The bucket.
    /// prefix : str, default ""
    ///     The prefix of the keys.
    ///
    /// Returns
    /// -------
    /// list of ListedObject
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     If there is no such bucket.
    #[pyo3(signature = (bucket_name, prefix=String::new()), text_signature = "($self, bucket_name, prefix='')")]
    fn list_objects(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
        #[pyo3(from_py_with = given::prefix)] prefix: String,
    ) -> PyResult<Vec<ListedObject>> {
        let (bucket, prefix) = (bucket(py, bucket_name)?, prefix);
        let listed =
            self.connection.run(py, |storage| async move { storage.client().list_objects(&bucket, &prefix).await });
        listed.map(|objects| objects.into_iter().map(ListedObject::from).collect())
    }

    /// Delete an object.
    ///
    /// Parameters
    /// ----------
    /// bucket_name : str
    ///     The bucket.
    /// object_name : str
    ///     The key.
    /// force : bool, default False
    ///     Delete it even if the object belongs to a published version, which is then damaged.
    ///
    /// Returns
    /// -------
    /// bool
    ///     True, even if there was no such object: S3 does not distinguish.
    ///
    /// Raises
    /// ------
    /// ConflictError
    ///     If the object belongs to a published version or is a record of modeldepot, without ``force``. Delete
    ///     the version with ``ModelStorage.delete_model_version``.
    /// DeniedError
    ///     If the credentials do not allow deleting it.
    #[pyo3(signature = (bucket_name, object_name, *, force=false))]
    fn delete_object(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
        #[pyo3(from_py_with = given::object_name)] object_name: String,
        #[pyo3(from_py_with = given::force)] force: bool,
    ) -> PyResult<bool> {
        let bucket = bucket(py, bucket_name)?;
        self.connection.run(py, |storage| async move {
            if !force {
                storage.refuse_change(&bucket, &object_name, Change::Delete).await?;
            }
            storage.client().delete_object(&bucket, &object_name).await
        })?;
        Ok(true)
    }

    /// Return the metadata of an object.
    ///
    /// Parameters
    /// ----------
    /// bucket_name : str
    ///     The bucket.
    /// object_name : str
    ///     The key.
    ///
    /// Returns
    /// -------
    /// ObjectMetadata
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     If there is no such object or bucket.
    #[pyo3(signature = (bucket_name, object_name))]
    fn get_object_metadata(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
        #[pyo3(from_py_with = given::object_name)] object_name: String,
    ) -> PyResult<ObjectMetadata> {
        let bucket = bucket(py, bucket_name)?;
        let found = self
            .connection
            .run(py, |storage| async move { storage.client().get_object_metadata(&bucket, &object_name).await });
        found.map(ObjectMetadata::from)
    }

    /// Return True if the bucket exists and the credentials may see it.
    ///
    /// Parameters
    /// ----------
    /// bucket_name : str
    ///     The bucket.
    ///
    /// Returns
    /// -------
    /// bool
    ///
    /// Raises
    /// ------
    /// DeniedError
    ///     If the credentials do not allow checking.
    #[pyo3(signature = (bucket_name))]
    fn bucket_exists(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
    ) -> PyResult<bool> {
        let bucket = bucket(py, bucket_name)?;
        self.connection.run(py, |storage| async move { storage.client().bucket_exists(&bucket).await })
    }

    /// Return True if the object exists.
    ///
    /// Parameters
    /// ----------
    /// bucket_name : str
    ///     The bucket.
    /// object_name : str
    ///     The key.
    ///
    /// Returns
    /// -------
    /// bool
    ///
    /// Raises
    /// ------
    /// DeniedError
    ///     If the credentials do not allow checking.
    #[pyo3(signature = (bucket_name, object_name))]
    fn object_exists(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
        #[pyo3(from_py_with = given::object_name)] object_name: String,
    ) -> PyResult<bool> {
        let bucket = bucket(py, bucket_name)?;
        self.connection.run(py, |storage| async move { storage.client().object_exists(&bucket, &object_name).await })
    }

    /// Return a URL to download or upload an object without credentials until it expires.
    ///
    /// The object may not exist.
    ///
    /// Parameters
    /// ----------
    /// bucket_name : str
    ///     The bucket.
    /// object_name : str
    ///     The key.
    /// expiration : int, default 3600
    ///     Lifetime of the URL in seconds: 1 second to 7 days.
    /// put : bool, default False
    ///     Allow uploading the object instead of downloading it.
    /// force : bool, default False
    ///     Allow uploading it even if the object belongs to a published version, which is then damaged, and even if
    ///     the server lets anyone with such a URL do more, such as copying any object that its signer can read.
    ///
    /// Returns
    /// -------
    /// str
    ///
    /// Raises
    /// ------
    /// InvalidError
    ///     If the lifetime is not allowed.
    /// ConflictError
    ///     With ``put``, if the object belongs to a published version or is a record of modeldepot, without
    ///     ``force``.
    /// DeniedError
    ///     With ``put``, if such a URL would allow more than this upload, without ``force``. `modeldepot doctor` shows
    ///     whether the server is safe.
    #[pyo3(signature = (bucket_name, object_name, expiration=3600, *, put=false, force=false))]
    fn get_presigned_url(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::bucket_name)] bucket_name: String,
        #[pyo3(from_py_with = given::object_name)] object_name: String,
        #[pyo3(from_py_with = given::expiration)] expiration: i64,
        #[pyo3(from_py_with = given::put)] put: bool,
        #[pyo3(from_py_with = given::force)] force: bool,
    ) -> PyResult<String> {
        let (bucket, expires) = (bucket(py, bucket_name)?, lifetime(expiration));
        let method = if put { PresignedMethod::Put } else { PresignedMethod::Get };
        self.connection.run(py, |storage| async move {
            if put && !force {
                storage.refuse_change(&bucket, &object_name, Change::Store).await?;
                storage.check_upload_urls().await?;
            }
            storage.client().presign(&bucket, &object_name, method, expires).await
        })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().connection.reduced(slf.as_any(), false)
    }

    fn __copy__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    #[pyo3(signature = (memo, /))]
    fn __deepcopy__<'py>(slf: &Bound<'py, Self>, memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        let _ = memo;
        slf.clone()
    }

    fn __repr__(&self) -> String {
        format!("S3Client(endpoint='{}')", self.connection.endpoint())
    }
}
