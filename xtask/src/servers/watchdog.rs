//! A process that ends when xtask ends, even after `kill -9`.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::root;

/// A shell between us and a server. The read end of our pipe closes when we end for any reason; the shell then kills
/// the server and removes its data. If the server ends by itself, so does the shell.
const WATCHDOG: &str = r#"
exec 3<&0
"$@" </dev/null >"$SERVER_LOG" 2>&1 3<&- &
server=$!
[ -z "$SERVER_PID" ] || echo "$server" >"$SERVER_PID"
{ cat <&3 >/dev/null; kill -KILL "$server"; } &
wait "$server"
kill "$!"
# Other processes of the same server may have to end first.
rm -rf "$SERVER_DATA" || { sleep 1; rm -rf "$SERVER_DATA"; }
"#;

/// A process with its watchdog. Dropping it ends the process.
pub(super) struct Watched {
    watchdog: Child,
    log: PathBuf,
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

impl Watched {
    /// Starts a command made by [`watched`] under the same name.
    pub(super) fn spawn(mut command: Command, name: &str) -> Result<Self, String> {
        let log = log_file(name);
        // Otherwise output of an earlier run could be reported.
        let _ = fs::remove_file(&log);
        let watchdog = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { watchdog, log })
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.watchdog.try_wait(), Ok(None))
    }

    /// Returns the last line of its output, and the path of the rest.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output");
        format!("{} (see {})", last.trim(), self.log.display())
    }
}

/// Returns the command that starts the watchdog. Append the server's own command line as arguments.
pub fn watched(name: &str, data: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", WATCHDOG, "watchdog"])
        .env("SERVER_LOG", log_file(name))
        .env("SERVER_DATA", data)
        // Removed with the data.
        .env("HOME", data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C at the terminal ends only us; the watchdog survives it to clean up.
        .process_group(0);
    command
}

fn servers_dir() -> PathBuf {
    root().join("target/test-servers")
}

fn log_file(name: &str) -> PathBuf {
    servers_dir().join(format!("{name}.log"))
}

pub fn data_dir(name: &str) -> Result<PathBuf, String> {
    let dir = servers_dir().join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closing the pipe must end the server and remove its data.
    #[test]
    fn a_dropped_process_leaves_nothing() {
        let data = data_dir("dropped").unwrap();
        let mut command = watched("dropped", &data);
        command.args(["sh", "-c", "echo $$; exec sleep 600"]);
        let process = Watched::spawn(command, "dropped").unwrap();
        let pid = loop {
            let log = fs::read_to_string(&process.log).unwrap_or_default();
            if log.ends_with('\n') {
                break log.trim().to_owned();
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let alive = || Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().unwrap().success();
        assert!(alive());
        fs::write(data.join("object"), "bytes").unwrap();
        drop(process);
        assert!(!alive());
        assert!(!data.exists());
    }
}
