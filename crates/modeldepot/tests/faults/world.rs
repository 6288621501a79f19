//! The server and folders of one run.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use modeldepot::{Error, ModelStorage, Result, Settings};
use modeldepot_embedded::{Config, FaultHit, Faults, Server};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::ledger::Ledger;
use crate::plan::{Content, Plan, bytes};

/// Data folders of probed servers, with and without conditional writes. A probe takes as long as half a run, so one is
/// shared by all runs that do not test probing.
static PROBED: [OnceCell<TempDir>; 2] = [const { OnceCell::const_new() }; 2];

/// A server that fails, is killed and comes back, and its clients' data on disk.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) ledger: Ledger,
    folder: TempDir,
    address: SocketAddr,
    server: Mutex<Option<Server>>,
    /// The files of each content.
    bytes: Vec<Vec<Vec<u8>>>,
    /// Faults of earlier servers.
    past: Mutex<Vec<FaultHit>>,
}

impl World {
    pub(crate) async fn begin(plan: Plan) -> Self {
        let of_content = |(id, content): (usize, &Content)| {
            let of_file = |(n, (_, len)): (usize, &(&str, usize))| bytes(*len, (id * 10 + n) as u64);
            content.files.iter().enumerate().map(of_file).collect()
        };
        let bytes = plan.contents.iter().enumerate().map(of_content).collect();
        let world = Self {
            plan,
            bytes,
            ledger: Ledger::default(),
            folder: tempfile::tempdir().unwrap(),
            address: quiet_address(),
            server: Mutex::default(),
            past: Mutex::default(),
        };
        for (id, content) in world.plan.contents.iter().enumerate() {
            for (name, _) in &content.files {
                let path = world.source(id).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, world.bytes_of(id, name)).unwrap();
            }
        }
        if !world.plan.probed_under_faults {
            let probed = &PROBED[usize::from(world.plan.ignore_conditions)];
            let probed = probed.get_or_init(|| world.probe()).await;
            copy_folder(&probed.path().join("data"), &world.path("data"));
        }
        world.start(Some(world.plan.faults(0))).await;
        world
    }

    /// Returns a data folder that contains only the probe result of a server of this kind.
    async fn probe(&self) -> TempDir {
        self.start(None).await;
        self.open().await.unwrap().probe().await.unwrap();
        self.kill().await;
        let kept = tempfile::tempdir().unwrap();
        std::fs::rename(self.path("data"), kept.path().join("data")).unwrap();
        kept
    }

    /// Returns the folder of a content.
    pub(crate) fn source(&self, content: usize) -> PathBuf {
        self.folder.path().join(format!("content-{content}"))
    }

    /// Returns a folder of this run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the bytes of a file of a content.
    pub(crate) fn bytes_of(&self, content: usize, file: &str) -> &[u8] {
        let at = self.plan.contents[content].files.iter().position(|(name, _)| *name == file);
        &self.bytes[content][at.unwrap()]
    }

    /// Returns a new storage, as in another process.
    pub(crate) async fn open(&self) -> Result<ModelStorage> {
        let settings = Settings::from_variables(|name| match name {
            "S3_ENDPOINT" => Some(format!("http://{}", self.address)),
            _ => None,
        })
        .map_err(Error::from)?;
        ModelStorage::open(&settings).await
    }

    pub(crate) async fn start(&self, faults: Option<Faults>) {
        let server = Server::start(Config {
            listen: self.address,
            buckets: vec!["models".to_owned()],
            ignore_conditions: self.plan.ignore_conditions,
            faults,
            ..Config::new(self.folder.path().join("data"), "minioadmin", "minioadmin")
        })
        .await
        .unwrap();
        *self.server.lock().unwrap() = Some(server);
    }

    pub(crate) async fn kill(&self) {
        let server = self.server.lock().unwrap().take();
        if let Some(server) = server {
            self.past.lock().unwrap().extend(server.faults_hit());
            server.kill().await;
        }
    }

    /// Ends all failures.
    pub(crate) async fn heal(&self) {
        if self.plan.restarted_at_the_end {
            self.kill().await;
            self.start(None).await;
        } else if let Some(server) = &*self.server.lock().unwrap() {
            server.heal();
        }
    }

    pub(crate) fn faults_hit(&self) -> Vec<FaultHit> {
        let mut hits = self.past.lock().unwrap().clone();
        hits.extend(self.server.lock().unwrap().iter().flat_map(Server::faults_hit));
        hits
    }

    /// Compares a folder with a content. It may contain only that content's files and `manifest.json`.
    pub(crate) fn differs(&self, folder: &Path, content: usize) -> Option<String> {
        let Some(expected) = self.plan.contents.get(content) else { return Some(format!("no content {content}")) };
        let mut found = files_in(folder);
        found.retain(|name| name != "manifest.json");
        let names: Vec<_> = expected.files.iter().map(|(name, _)| (*name).to_owned()).collect();
        if found != names {
            return Some(format!("files {found:?} where content {content} has {names:?}"));
        }
        found.into_iter().find_map(|name| {
            let read = std::fs::read(folder.join(&name)).unwrap();
            (read != self.bytes_of(content, &name)).then(|| format!("`{name}` is not that of content {content}"))
        })
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Returns the names of all files in a folder in order, except those still being fetched.
pub(crate) fn files_in(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                walk(root, &path, found);
            } else if !name.starts_with(".modeldepot-") {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// Returns an address that nobody else takes while the server is down: its port is below those that systems assign.
fn quiet_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 12_000 + (std::process::id() as u16).wrapping_mul(131).wrapping_add(next) % 18_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
