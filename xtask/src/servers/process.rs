//! A process that ends with us, however we end.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use crate::root;

/// How long a server may take to answer. On an idle machine each needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// Stands between us and a server: the read end of our pipe is at its end as soon as we are gone, be it by a
/// return, a panic, Ctrl-C or `kill -9`. Then the server dies and its data is removed. When the server ends by
/// itself, so does this.
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

/// A running server; it ends when this is dropped.
pub struct Server {
    pub endpoint: String,
    /// Its other processes.
    pub with: Vec<Daemon>,
    watchdog: Child,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.with.clear();
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

impl Server {
    pub fn spawn(mut command: Command, name: &str, port: u16) -> Result<Self, String> {
        let log = log_file(name);
        // The words of the last one are not ours.
        let _ = fs::remove_file(&log);
        let watchdog = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { endpoint: format!("http://127.0.0.1:{port}"), with: Vec::new(), watchdog, log })
    }

    pub fn wait_for(&mut self, port: u16, path: &str, status: u16) -> Result<(), String> {
        let start = Instant::now();
        loop {
            if answer(port, path).is_ok_and(|found| found == status) {
                return Ok(());
            }
            if self.has_ended() {
                return Err(format!("it ended at once: {}", self.last_words()));
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("no {status} on {path} in {PATIENCE:?}: {}", self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.watchdog.try_wait(), Ok(None))
    }

    pub fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        format!("{} (see {})", last.trim(), self.log.display())
    }
}

/// Returns the command that starts the watchdog; the server's own command line is to follow as arguments.
pub fn watched(name: &str, data: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", WATCHDOG, "watchdog"])
        .env("SERVER_LOG", log_file(name))
        .env("SERVER_DATA", data)
        // Whatever a server keeps in a home directory goes away with its data.
        .env("HOME", data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C at the terminal is for us: the watchdog has to outlive it.
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

/// Returns ports that nobody listened on a moment ago.
pub fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let none = |error: io::Error| format!("no free port: {error}");
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(none)?;
        *port = listener.local_addr().map_err(none)?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Returns the status of a plain GET.
fn answer(port: u16, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| io::Error::other("not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pipe is all that ties a server to us: closing it must end the server and remove its data.
    #[test]
    fn a_dropped_server_leaves_nothing() {
        let data = data_dir("dropped").unwrap();
        let mut command = watched("dropped", &data);
        command.args(["sh", "-c", "echo $$; exec sleep 600"]);
        let server = Server::spawn(command, "dropped", 0).unwrap();
        let pid = loop {
            let log = fs::read_to_string(&server.log).unwrap_or_default();
            if log.ends_with('\n') {
                break log.trim().to_owned();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let alive = || Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().unwrap().success();
        assert!(alive());
        fs::write(data.join("object"), "bytes").unwrap();
        drop(server);
        assert!(!alive());
        assert!(!data.exists());
    }

    #[test]
    fn a_server_that_ends_says_why() {
        let data = data_dir("ended").unwrap();
        let mut command = watched("ended", &data);
        command.args(["sh", "-c", "echo the port is taken; exit 1"]);
        let mut server = Server::spawn(command, "ended", 0).unwrap();
        let why = server.wait_for(1, "/", 200).unwrap_err();
        assert!(why.contains("the port is taken"), "{why}");
    }
}
