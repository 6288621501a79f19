//! An isolated environment for each test: folders, an S3 server on a free port, and no variables but those given.

use std::ffi::OsStr;
use std::fs;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use modeldepot::s3::UploadOptions;
use modeldepot::{BucketName, S3Client, Settings};
use modeldepot_embedded::{Config, Faults, Server};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::normalised::normalised;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}

pub(crate) struct TestEnv {
    temp: TempDir,
    server: Option<Server>,
    pub(crate) endpoint: String,
}

/// The output and exit status of a run, with times and paths normalized.
#[must_use = "compare the output with a snapshot, or say that it succeeds"]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
    shown: String,
}

impl TestEnv {
    /// Starts a server that has the three buckets.
    pub(crate) fn new() -> TestEnv {
        TestEnv::with_buckets(&["models", "plants-images", "data"])
    }

    pub(crate) fn with_buckets(buckets: &[&str]) -> TestEnv {
        TestEnv::with_login(buckets, "minioadmin", "minioadmin")
    }

    pub(crate) fn with_login(buckets: &[&str], access_key: &str, secret_key: &str) -> TestEnv {
        TestEnv::serving(buckets, access_key, secret_key, false, None)
    }

    /// Starts a server that accepts conditions and ignores them.
    pub(crate) fn ignoring_conditions() -> TestEnv {
        TestEnv::serving(&["models", "plants-images", "data"], "minioadmin", "minioadmin", true, None)
    }

    /// Starts a server that fails according to a plan.
    pub(crate) fn failing(faults: Faults) -> TestEnv {
        TestEnv::serving(&["models", "plants-images", "data"], "minioadmin", "minioadmin", false, Some(faults))
    }

    fn serving(
        buckets: &[&str],
        access_key: &str,
        secret_key: &str,
        ignore_conditions: bool,
        faults: Option<Faults>,
    ) -> TestEnv {
        let mut env = TestEnv::without_server("");
        let config = Config {
            buckets: buckets.iter().map(|bucket| (*bucket).to_owned()).collect(),
            ignore_conditions,
            faults,
            ..Config::new(env.temp.path().join("server"), access_key, secret_key)
        };
        let server = wait(Server::start(config)).unwrap();
        env.endpoint = server.endpoint();
        env.server = Some(server);
        env
    }

    pub(crate) fn without_server(endpoint: &str) -> TestEnv {
        let temp = tempfile::tempdir().unwrap();
        for folder in ["home", "work", "tmp"] {
            fs::create_dir(temp.path().join(folder)).unwrap();
        }
        TestEnv { temp, server: None, endpoint: endpoint.to_owned() }
    }

    /// Creates buckets for this test only, on a shared server.
    pub(crate) fn with_own_buckets(self) -> TestEnv {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let buckets =
            ["MODELS", "IMAGES", "DATA"].map(|use_of| format!("S3_BUCKET_{use_of}={}-{name}\n", use_of.to_lowercase()));
        self.write(".env", buckets.concat());
        let _ = self.run(["init"]).success();
        self
    }

    /// Returns the working folder of all runs.
    pub(crate) fn folder(&self) -> PathBuf {
        self.temp.path().join("work")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Returns the folder for temporary files.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.temp.path().join("tmp")
    }

    /// Returns the server's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.temp.path().join("server")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modeldepot"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.temp.path().join("home"))
            .env("TMPDIR", self.tmp())
            .env("S3_ENDPOINT", &self.endpoint)
            // Tests do not depend on whether the machine has other users.
            .env("MODELDEPOT_LOGIN", "never")
            // Nor on the account that runs them.
            .env("MODELDEPOT_PUBLISHED_BY", "")
            .current_dir(self.folder())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.run_with(args, &[])
    }

    /// Runs with additional variables.
    pub(crate) fn run_with<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        variables: &[(&str, &str)],
    ) -> Output {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        self.output(command)
    }

    pub(crate) fn output(&self, mut command: Command) -> Output {
        self.taken(&command.output().unwrap())
    }

    /// Wraps the output of a finished run.
    pub(crate) fn ended(&self, output: std::process::Output) -> Output {
        self.taken(&output)
    }

    /// Waits for a run that was started with pipes.
    pub(crate) fn finish(&self, child: Child) -> Output {
        self.taken(&child.wait_with_output().unwrap())
    }

    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn taken(&self, output: &std::process::Output) -> Output {
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let mut shown = String::new();
        for (name, text) in [("stdout", &stdout), ("stderr", &stderr)] {
            if !text.is_empty() {
                shown.push_str(&format!("------- {name} -------\n{text}"));
                if !text.ends_with('\n') {
                    shown.push('\n');
                }
            }
        }
        match output.status.code() {
            Some(code) => shown.push_str(&format!("[exit status: {code}]")),
            None => shown.push_str(&format!("[{}]", output.status)),
        }
        let real = fs::canonicalize(self.temp.path()).unwrap();
        let places = [
            (self.endpoint.as_str(), "$ENDPOINT"),
            (self.temp.path().to_str().unwrap(), "$TEMP"),
            (real.to_str().unwrap(), "$TEMP"),
        ];
        Output { stdout, stderr, code: output.status.code(), shown: normalised(&shown, &places) }
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn client(&self) -> S3Client {
        let endpoint = self.endpoint.clone();
        let settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| endpoint.clone())).unwrap();
        wait(S3Client::connect(&settings)).unwrap()
    }

    /// Enables versioning of the models bucket.
    pub(crate) fn keep_versions(&self) {
        wait(self.client().set_versioning(&models(), true)).unwrap();
    }

    /// Writes an object to the models bucket, bypassing all rules.
    pub(crate) fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes.as_ref()).unwrap();
        wait(self.client().upload_file(file.path(), &models(), key, &UploadOptions::default(), |_| {})).unwrap();
    }

    /// Writes an object to the models bucket like a push that dies before its manifest.
    pub(crate) fn put_own(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes.as_ref()).unwrap();
        // The first 16 digits of the key's BLAKE3 bind it to the key.
        let mark = format!("0192f0c1-0000-7000-8000-000000000000 {}", &blake3::hash(key.as_bytes()).to_hex()[..16]);
        let options = UploadOptions::default().metadata([("modeldepot".to_owned(), mark)].into());
        wait(self.client().upload_file(file.path(), &models(), key, &options, |_| {})).unwrap();
        let version = key.split('/').take(2).collect::<Vec<_>>().join("/").replacen("/v", "/", 1);
        self.put(&format!(".depot/uploads/{version}/0192f0c1-0000-7000-8000-000000000000.json"), "{}");
    }

    pub(crate) fn get(&self, key: &str) -> Vec<u8> {
        wait(self.client().get_small(&models(), key, 1 << 20)).unwrap().unwrap().to_vec()
    }

    pub(crate) fn delete(&self, key: &str) {
        wait(self.client().delete_object(&models(), key)).unwrap();
    }

    /// Returns the keys of all objects in the models bucket, except modeldepot's records.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.all_keys().into_iter().filter(|key| !key.starts_with(".depot/")).collect()
    }

    pub(crate) fn all_keys(&self) -> Vec<String> {
        wait(self.client().list_objects(&models(), "")).unwrap().into_iter().map(|object| object.key).collect()
    }

    /// Changes one byte in the middle of an object on the server's disk.
    pub(crate) fn damage(&self, key: &str) {
        let blobs = self.server.as_ref().unwrap().stored_files("models", key).unwrap();
        let blob = &blobs[blobs.len() / 2];
        let mut bytes = fs::read(blob).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(blob, bytes).unwrap();
    }
}

impl Output {
    /// Returns the stdout of a successful run.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout
    }

    /// Returns the stdout of a successful run as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.success()).unwrap()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

pub(crate) fn models() -> BucketName {
    "models".parse().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns the relative paths of the files under a folder.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
