//! A part of a server that tests kill. It is restarted when it ends, as by an init system.
//!
//! `NAME.pid` in the cluster's folder contains its process id. While a file `NAME.hold` exists, it is not restarted.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::watchdog::Watched;

/// A daemon that is restarted when it ends. Dropping this ends it.
pub struct Daemon {
    over: Arc<AtomicBool>,
    keeping: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts `command`, and restarts it whenever it ends. Writes its process id to `folder`.
    pub fn keep(name: String, folder: PathBuf, command: impl Fn() -> Command + Send + 'static) -> Self {
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
                let Ok(mut process) = Watched::spawn(command, &format!("ceph-{name}")) else { return };
                while !ended.load(Ordering::Relaxed) && !process.has_ended() {
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Stdio;

    use super::*;
    use crate::servers::{data_dir, watched};

    fn kill(signal: &str, pid: &str) -> bool {
        Command::new("kill").args([signal, pid]).stderr(Stdio::null()).status().unwrap().success()
    }

    fn another(folder: &Path, than: &str) -> String {
        loop {
            let pid = fs::read_to_string(folder.join("d.pid")).unwrap_or_default();
            if pid.ends_with('\n') && pid.trim() != than {
                return pid.trim().to_owned();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn it_comes_back_unless_it_is_held_and_ends_with_us() {
        let folder = data_dir("daemon").unwrap();
        let daemon = Daemon::keep("d".to_owned(), folder.clone(), || {
            let mut command = watched("daemon", Path::new(""));
            command.args(["sleep", "600"]);
            command
        });
        let first = another(&folder, "");
        assert!(kill("-9", &first));
        let second = another(&folder, &first);
        fs::write(folder.join("d.hold"), "").unwrap();
        assert!(kill("-9", &second));
        while folder.join("d.pid").exists() {
            thread::sleep(Duration::from_millis(5));
        }
        fs::remove_file(folder.join("d.hold")).unwrap();
        let third = another(&folder, &second);
        assert!(kill("-0", &third));
        drop(daemon);
        assert!(!kill("-0", &third));
        fs::remove_dir_all(folder).unwrap();
    }
}
