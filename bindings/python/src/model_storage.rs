use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use modeldepot::s3::PresignedMethod;
use modeldepot::{Pull, Scan};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::answer::{Deleted, Description, ModelSummary, Published, Verified, VersionSummary};
use crate::argument::{self, VersionText, artifact, keywords, lifetime, model, selector};
use crate::async_verbs::AsyncVerbs;
use crate::connection::{Connection, Given};
use crate::error::refused;
use crate::file_reader::FileReader;
use crate::given;
use crate::json;
use crate::progress::Watcher;
use crate::s3_client::S3Client;
use crate::work::{self, Upload};

#[doc = include_str!("doc/ModelStorage.txt")]
/// Examples
/// --------
/// >>> storage = ModelStorage()
/// >>> storage.upload_model("best_model.pth", "plant_classifier", "1.0.0", {"val_accuracy": 0.95})
/// Published(plant_classifier@1.0.0, 1 file, 4.1 kB)
/// >>> storage.download_model("plant_classifier")
/// './models/downloaded/plant_classifier/best_model.pth'
#[pyclass(frozen, subclass, module = "modeldepot")]
pub(crate) struct ModelStorage {
    connection: Arc<Connection>,
}

#[expect(clippy::too_many_arguments, reason = "each argument is a keyword in Python")]
#[pymethods]
impl ModelStorage {
    #[new]
    #[pyo3(signature = (
        *, endpoint=None, access_key=None, secret_key=None, region=None, bucket=None, prefix=None, addressing=None,
        ca_bundle=None, profile=None, limit_rate=None, _pickled=None
    ))]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = given::endpoint)] endpoint: Option<String>,
        #[pyo3(from_py_with = given::access_key)] access_key: Option<String>,
        #[pyo3(from_py_with = given::secret_key)] secret_key: Option<String>,
        #[pyo3(from_py_with = given::region)] region: Option<String>,
        #[pyo3(from_py_with = given::bucket)] bucket: Option<String>,
        #[pyo3(from_py_with = given::folder)] prefix: Option<String>,
        #[pyo3(from_py_with = given::addressing)] addressing: Option<String>,
        #[pyo3(from_py_with = given::ca_bundle)] ca_bundle: Option<PathBuf>,
        #[pyo3(from_py_with = given::profile)] profile: Option<String>,
        #[pyo3(from_py_with = given::limit_rate)] limit_rate: Option<u64>,
        #[pyo3(from_py_with = given::pickled)] _pickled: Option<BTreeMap<String, String>>,
    ) -> PyResult<Self> {
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

    /// The bucket of the models.
    #[getter]
    fn bucket(&self) -> &str {
        self.connection.settings.buckets.models.as_str()
    }

    /// The folder of the models in the bucket, ending with ``/``; empty for the whole bucket.
    #[getter]
    fn prefix(&self) -> &str {
        self.connection.settings.prefix.as_str()
    }

    /// An ``S3Client`` that shares the connections.
    #[getter]
    fn client(&self) -> S3Client {
        S3Client::of(&self.connection)
    }

    #[doc = include_str!("doc/upload_model.txt")]
    /// Examples
    /// --------
    /// >>> storage = ModelStorage()
    /// >>> storage.upload_model("best_model.pth", "plant_classifier", "1.0.0", {"val_accuracy": 0.95})
    /// Published(plant_classifier@1.0.0, 1 file, 4.1 kB)
    #[pyo3(signature = (
        model_path, model_name, version=None, metadata=None, additional_files=None, *, history=None, main=None,
        exclude=None, include_hidden=false, follow_links=false, file_name=None, progress=None, resume=true, md5=true,
        copy=true
    ))]
    fn upload_model(
        &self,
        py: Python<'_>,
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
    ) -> PyResult<Published> {
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
        self.connection.watched(py, watcher, |storage, meter| upload.run(storage, meter)).map(Published::from)
    }

    #[doc = include_str!("doc/download_model.txt")]
    /// Examples
    /// --------
    /// >>> storage = ModelStorage()
    /// >>> storage.download_model("plant_classifier", "1.0.0", "./serving")
    /// './serving/best_model.pth'
    #[pyo3(
        signature = (model_name, version=None, local_dir=None, *, progress=None, resume=true, sync=true,
            force=false, require_digests=false),
        text_signature = "($self, model_name, version=None, local_dir=None, *, progress=None, resume=True, sync=True, \
            force=False, require_digests=False)"
    )]
    fn download_model(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
        #[pyo3(from_py_with = given::local_dir)] local_dir: Option<PathBuf>,
        progress: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = given::resume)] resume: bool,
        #[pyo3(from_py_with = given::sync)] sync: bool,
        #[pyo3(from_py_with = given::force)] force: bool,
        #[pyo3(from_py_with = given::require_digests)] require_digests: bool,
    ) -> PyResult<OsString> {
        let selector = argument::downloaded(py, model_name, version)?;
        let folder = local_dir.unwrap_or_else(|| work::downloaded(&selector.model));
        let pull = Pull::new(selector, folder).resume(resume).sync(sync).force(force).require_digests(require_digests);
        let watcher = Watcher::of(progress, "pulling")?;
        let path = self.connection.watched(py, watcher, |storage, meter| work::download(storage, pull, meter));
        path.map(PathBuf::into_os_string)
    }

    #[doc = include_str!("doc/list_model_versions.txt")]
    /// Examples
    /// --------
    /// >>> versions = ModelStorage().list_model_versions("plant_classifier")
    /// >>> versions
    /// [VersionSummary(1.0.0, 1 file, 4.1 kB)]
    /// >>> versions[-1] == "1.0.0"
    /// True
    #[pyo3(signature = (model_name))]
    fn list_model_versions(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
    ) -> PyResult<Vec<VersionSummary>> {
        let model = model(py, model_name)?;
        self.connection
            .run(py, |storage| async move { storage.versions(&model).await })
            .map(|found| found.into_iter().map(VersionSummary::from).collect())
    }

    #[doc = include_str!("doc/get_latest_version.txt")]
    /// Examples
    /// --------
    /// >>> ModelStorage().get_latest_version("plant_classifier")
    /// '1.0.0'
    #[pyo3(signature = (model_name))]
    fn get_latest_version(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
    ) -> PyResult<String> {
        let model = model(py, model_name)?;
        let latest = self.connection.run(py, |storage| async move { storage.latest(&model).await })?;
        Ok(latest.to_string())
    }

    #[doc = include_str!("doc/delete_model_version.txt")]
    /// Examples
    /// --------
    /// >>> ModelStorage().delete_model_version("plant_segmenter", "0.1.0")
    /// Deleted(1 file, 4.1 kB)
    #[pyo3(signature = (model_name, version))]
    fn delete_model_version(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::exact_version)] version: VersionText,
    ) -> PyResult<Deleted> {
        let (model, version) = (model(py, model_name)?, argument::exact(py, version)?);
        self.connection.run(py, |storage| async move { storage.delete(&model, &version).await }).map(Deleted::from)
    }

    #[doc = include_str!("doc/verify.txt")]
    /// Examples
    /// --------
    /// >>> ModelStorage().verify("plant_classifier")
    /// Verified(plant_classifier@1.0.0, 1 file, 4.1 kB)
    #[pyo3(signature = (model_name, version=None, *, progress=None))]
    fn verify(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Verified> {
        let selector = selector(py, model_name, version)?;
        let watcher = Watcher::of(progress, "verifying")?;
        self.connection
            .watched(py, watcher, |storage, meter| async move { storage.verify(&selector, &meter.progress()).await })
            .map(Verified::from)
    }

    #[doc = include_str!("doc/describe.txt")]
    /// Examples
    /// --------
    /// >>> found = ModelStorage().describe("plant_classifier")
    /// >>> found.metadata
    /// {'val_accuracy': 0.95}
    /// >>> found.files
    /// [StoredFile(best_model.pth, 4.1 kB)]
    #[pyo3(signature = (model_name, version=None))]
    fn describe(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
    ) -> PyResult<Description> {
        let selector = selector(py, model_name, version)?;
        self.connection.run(py, |storage| async move { storage.describe(&selector).await }).map(Description::from)
    }

    #[doc = include_str!("doc/models.txt")]
    /// Examples
    /// --------
    /// >>> ModelStorage().models()
    /// [ModelSummary(plant_classifier, latest 1.0.0, 1 version, 4.1 kB)]
    #[pyo3(signature = ())]
    fn models(&self, py: Python<'_>) -> PyResult<Vec<ModelSummary>> {
        self.connection
            .run(py, |storage| async move { storage.models().await })
            .map(|found| found.into_iter().map(ModelSummary::from).collect())
    }

    #[doc = include_str!("doc/presigned_url.txt")]
    /// Examples
    /// --------
    /// >>> url = ModelStorage().presigned_url("plant_classifier", expiration=600)
    /// >>> "X-Amz-Expires=600" in url
    /// True
    #[pyo3(signature = (model_name, version=None, file=None, expiration=3600))]
    fn presigned_url(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given::model_name)] model_name: String,
        #[pyo3(from_py_with = given::version)] version: Option<VersionText>,
        #[pyo3(from_py_with = given::file)] file: Option<String>,
        #[pyo3(from_py_with = given::expiration)] expiration: i64,
    ) -> PyResult<String> {
        let (selector, file, expires) = (selector(py, model_name, version)?, artifact(py, file)?, lifetime(expiration));
        self.connection.run(py, |storage| async move {
            storage.presign(&selector, file.as_ref(), PresignedMethod::Get, expires).await
        })
    }

    #[doc = include_str!("doc/open.txt")]
    /// Examples
    /// --------
    /// >>> with ModelStorage().open("plant_classifier@1.0.0", "best_model.pth") as file:
    /// ...     file.seek(-4, 2), file.read()
    /// (4092, b'\xff\xff\xff\xff')
    #[pyo3(signature = (name, file=None))]
    fn open<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::name)] name: String,
        #[pyo3(from_py_with = given::file)] file: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        py.import("modeldepot._file")?.call_method1("opened", (FileReader::open(py, &self.connection, name, file)?,))
    }

    #[doc = include_str!("doc/save.txt")]
    #[pyo3(signature = (
        obj, name, version=None, metadata=None, additional_files=None, *, format=None, file_name=None, history=None,
        progress=None, trusted=None
    ))]
    fn save<'py>(
        slf: &Bound<'py, Self>,
        obj: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = given::name)] name: String,
        version: Option<&Bound<'py, PyAny>>,
        metadata: Option<&Bound<'py, PyAny>>,
        additional_files: Option<&Bound<'py, PyAny>>,
        #[pyo3(from_py_with = given::format)] format: Option<String>,
        #[pyo3(from_py_with = given::file_name)] file_name: Option<String>,
        history: Option<&Bound<'py, PyAny>>,
        progress: Option<&Bound<'py, PyAny>>,
        #[pyo3(from_py_with = given::trusted)] trusted: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let options = keywords!(py; version, metadata, additional_files, format, file_name, history, progress, trusted);
        py.import("modeldepot._objects")?.call_method("save", (slf, obj, name), Some(&options))
    }

    #[doc = include_str!("doc/load.txt")]
    #[pyo3(
        signature = (
            name, file=None, *, allow_pickle=false, framework=None, device="cpu".to_owned(), trusted=None, progress=None
        ),
        text_signature = "($self, name, file=None, *, allow_pickle=False, framework=None, device='cpu', trusted=None, \
            progress=None)"
    )]
    fn load<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given::name)] name: String,
        #[pyo3(from_py_with = given::file)] file: Option<String>,
        #[pyo3(from_py_with = given::allow_pickle)] allow_pickle: bool,
        #[pyo3(from_py_with = given::framework)] framework: Option<String>,
        #[pyo3(from_py_with = given::device)] device: String,
        #[pyo3(from_py_with = given::trusted)] trusted: Option<Vec<String>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let reader = FileReader::open(py, &self.connection, name, file)?;
        let options = keywords!(py; allow_pickle, framework, device, trusted, progress);
        py.import("modeldepot._objects")?.call_method("load", (reader,), Some(&options))
    }

    /// The same verbs as awaitables that start immediately; ``AsyncModelStorage`` turns them into coroutines.
    fn _verbs(&self) -> AsyncVerbs {
        AsyncVerbs::of(&self.connection)
    }

    /// Pickles hold the endpoint and the bucket, never a key.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().connection.reduced(slf.as_any(), true)
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
        let folder = if self.prefix().is_empty() { String::new() } else { format!(", prefix='{}'", self.prefix()) };
        format!("ModelStorage(endpoint='{}', bucket='{}'{folder})", self.connection.endpoint(), self.bucket())
    }
}
