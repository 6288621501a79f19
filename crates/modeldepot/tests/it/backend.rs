//! A server to test against, with its own buckets.

use std::path::{Path, PathBuf};

use modeldepot::s3::UploadOptions;
use modeldepot::{BucketName, Fetched, ModelStorage, Progress, Pull, Push, S3Client, Scan, Settings, Source};
use modeldepot_embedded::{AwsRules, Config, Server};
use tempfile::TempDir;

use crate::servers::{self, AWS_RULES, EMBEDDED, IN_A_FOLDER, UNCONDITIONAL};

/// A server with three fresh buckets, and a folder for the test's files.
pub(crate) struct Backend {
    pub(crate) settings: Settings,
    pub(crate) storage: ModelStorage,
    folder: TempDir,
    /// Keeps the embedded server running as long as the test.
    pub(crate) server: Option<Server>,
    /// The server it runs on.
    pub(crate) on: &'static servers::Server,
}

impl Backend {
    pub(crate) async fn embedded() -> Backend {
        Self::on(&EMBEDDED).await
    }

    /// The embedded server, with the models in a folder of a shared bucket.
    pub(crate) async fn in_a_folder() -> Backend {
        Self::on(&IN_A_FOLDER).await
    }

    /// A server of the contract suite. `cargo xtask test` starts those that are not embedded, and names them in the
    /// environment.
    pub(crate) async fn on(place: &'static servers::Server) -> Backend {
        let folder = tempfile::tempdir().unwrap();
        let (endpoint, server) = match place.variable {
            Some(name) => (std::env::var(name).unwrap_or_else(|_| panic!("{name} names no endpoint")), None),
            None => {
                let rules = || AwsRules { object_lock: true, region: "eu-north-1".to_owned(), ..AwsRules::default() };
                let server = Server::start(Config {
                    ignore_conditions: std::ptr::eq(place, &UNCONDITIONAL),
                    aws_rules: std::ptr::eq(place, &AWS_RULES).then(rules),
                    ..Config::new(folder.path().join("data"), "minioadmin", "minioadmin")
                })
                .await
                .unwrap();
                (server.endpoint(), Some(server))
            }
        };
        let mut backend = Backend { on: place, ..Self::at(endpoint, folder, server).await };
        if std::ptr::eq(place, &IN_A_FOLDER) {
            backend.settings.prefix = "team a/ml+é".parse().unwrap();
            backend.storage = ModelStorage::open(&backend.settings).await.unwrap();
        }
        backend
    }

    async fn at(endpoint: String, folder: TempDir, server: Option<Server>) -> Backend {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let settings = Settings::from_variables(|name| match name {
            "S3_ENDPOINT" => Some(endpoint.clone()),
            "S3_BUCKET_MODELS" => Some(format!("models-{unique}")),
            "S3_BUCKET_IMAGES" => Some(format!("images-{unique}")),
            "S3_BUCKET_DATA" => Some(format!("data-{unique}")),
            _ => None,
        })
        .unwrap();
        let backend = Backend { server, ..Self::with(settings, folder).await };
        backend.client().create_bucket(backend.bucket()).await.unwrap();
        backend
    }

    /// A server that the test started itself, with no buckets yet.
    pub(crate) async fn with(settings: Settings, folder: TempDir) -> Backend {
        let storage = ModelStorage::open(&settings).await.unwrap();
        Backend { settings, storage, folder, server: None, on: &EMBEDDED }
    }

    /// Like [`Backend::with`], keeping the server that the test started.
    pub(crate) fn serving(self, server: Server) -> Backend {
        Backend { server: Some(server), ..self }
    }

    pub(crate) fn client(&self) -> &S3Client {
        self.storage.depot()
    }

    pub(crate) fn bucket(&self) -> &BucketName {
        self.storage.bucket()
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("files").join(name)
    }

    /// Writes a file into the test's folder.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Waits until the server's clock shows another second: servers report times in seconds.
    pub(crate) async fn next_second(&self) {
        let now = async || self.client().ask(self.bucket()).await.unwrap().head.date.unwrap();
        let first = now().await;
        while now().await <= first {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Pulls a version into a folder of the test's folder.
    pub(crate) async fn pull(&self, selector: &str, folder: &str) -> modeldepot::Result<Fetched> {
        let pull = Pull::new(selector.parse()?, self.path(folder));
        self.storage.pull(&pull, &Progress::none()).await
    }

    /// Stores bytes under a key, replacing an existing object.
    pub(crate) async fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.file(&format!("put-{}", uuid::Uuid::new_v4()), bytes);
        self.client().upload_file(&path, self.bucket(), key, &Default::default(), |_| {}).await.unwrap();
    }

    /// Stores bytes under a key like a push that failed before its manifest: with the mark that shows who created them,
    /// and the record that shows that the push failed.
    pub(crate) async fn put_own(&self, key: &str, bytes: &[u8]) {
        let path = self.file(&format!("put-{}", uuid::Uuid::new_v4()), bytes);
        let options = UploadOptions::default().metadata(mark(key));
        self.client().upload_file(&path, self.bucket(), key, &options, |_| {}).await.unwrap();
        let id = options.metadata["modeldepot"].split(' ').next().unwrap();
        let version = key.split('/').take(2).collect::<Vec<_>>().join("/").replacen("/v", "/", 1);
        self.put(&format!(".depot/uploads/{version}/{id}.json"), b"{}").await;
    }

    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        self.client().get_small(self.bucket(), key, 1 << 30).await.unwrap().unwrap().to_vec()
    }

    /// All keys except that of the probe result.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let keys = self.client().list_objects(self.bucket(), "").await.unwrap().into_iter().map(|o| o.key);
        keys.filter(|key| key != ".depot/probe.json").collect()
    }
}

/// The metadata of an object that a push created under this key, as specified in `docs/format.md`.
pub(crate) fn mark(key: &str) -> std::collections::BTreeMap<String, String> {
    let binding = &blake3::hash(key.as_bytes()).to_hex()[..16];
    [("modeldepot".to_owned(), format!("{} {binding}", uuid::Uuid::now_v7()))].into()
}

/// A push of a path, at a fixed time.
pub(crate) fn push(model: &str, version: Option<&str>, path: &Path, with: &[PathBuf]) -> Push {
    let source = Source::scan(&Scan::new(path).with(with)).unwrap();
    let metadata = serde_json::from_str(r#"{"architecture": "resnet18", "val_accuracy": 0.95}"#).unwrap();
    let created = time::macros::datetime!(2025-10-28 18:18:58 UTC);
    let mut push = Push::new(model.parse().unwrap(), source).metadata(metadata).created(created).tool("test");
    push.version = version.map(|version| version.parse().unwrap());
    push
}

/// Bytes that no two offsets or lengths share, so that a misplaced or missing part shows.
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
