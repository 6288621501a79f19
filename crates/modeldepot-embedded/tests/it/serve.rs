//! Servers for the tests: in this process, or in a separate one that can be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use modeldepot_embedded::{Config, Server};

use crate::client::Client;

pub(crate) fn config(data: impl Into<PathBuf>) -> Config {
    Config { buckets: vec!["models".into()], ..Config::new(data, "minioadmin", "minioadmin") }
}

/// A server, its folder and a client.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(config(folder.path())).await.unwrap();
    let client = Client::new(server.local_addr());
    Running { server, client, folder }
}

/// Runs blocking client code while the server's runtime continues.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// The number of files that hold bytes.
pub(crate) fn files(folder: &Path) -> usize {
    (0..=255).map(|n| folder.join(format!("blobs/{n:02x}")).read_dir().unwrap().count()).sum()
}

/// Waits until this many files hold bytes: files are removed shortly after the answer.
pub(crate) fn settle_at(count: usize, folder: &Path) {
    until(&format!("{count} files"), || files(folder) == count);
}

/// Waits until something is so, as long as it takes on a busy machine.
pub(crate) fn until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is() {
        assert!(Instant::now() < end, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A server in a separate process. Dropping it kills it without warning.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts this test binary as a server.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_under(&[], folder)
    }

    /// Starts a server through a command that runs its arguments as a process.
    pub(crate) fn start_under(command: &[&str], folder: &Path) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut process = match command {
            [] => Command::new(own),
            [first, rest @ ..] => {
                let mut process = Command::new(first);
                process.args(rest).arg(own);
                process
            }
        };
        let mut child = process
            .args(["--exact", "serve::as_a_process", "--nocapture"])
            .env("MODELDEPOT_TEST_SERVE", folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The test harness may have written to the same line before.
        let address = lines.find_map(|line| line.split_once("listening on ")?.1.parse().ok()).unwrap();
        // The harness reports tests that run for 60 seconds, and blocks the server if nobody reads.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that the process has used, in bytes. Linux only.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test, but the body of [`Process`]. Does nothing unless started as one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_a_process() {
    let Some(folder) = std::env::var_os("MODELDEPOT_TEST_SERVE") else { return };
    let server = Server::start(config(folder)).await.unwrap();
    println!("listening on {}", server.local_addr());
    std::future::pending::<()>().await;
}
