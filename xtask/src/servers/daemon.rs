//! A part of a server that tests kill: it is started again when it ends, as by an init system.
//!
//! In the folder of the cluster, `NAME.pid` has the number of its process. While there is a file `NAME.hold` it stays down.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::process::Server;

/// A daemon that is kept running. It ends when this is dropped.
pub(crate) struct Daemon {
    over: Arc<AtomicBool>,
    keeping: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Keeps what `command` starts running. Its process is named in `folder`.
    pub(crate) fn keep(name: String, folder: PathBuf, command: impl Fn() -> Command + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let keeping = thread::spawn(move || {
            let (pid, hold) = (folder.join(format!("{name}.pid")), folder.join(format!("{name}.hold")));
            let pause = || thread::sleep(Duration::from_millis(50));
            while !ended.load(Ordering::Relaxed) {
                if hold.exists() {
                    pause();
                    continue;
                }
                let mut command = command();
                command.env("SERVER_PID", &pid);
                let Ok(mut server) = Server::spawn(command, &format!("ceph-{name}"), 0) else { return };
                while !ended.load(Ordering::Relaxed) && !server.has_ended() {
                    pause();
                }
                let _ = fs::remove_file(&pid);
            }
        });
        Self { over, keeping: Some(keeping) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(keeping) = self.keeping.take() {
            let _ = keeping.join();
        }
    }
}
