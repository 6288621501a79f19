//! A running server: its address and its processes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::watchdog::Watched;

/// How long a server may take to answer. On an idle machine each needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running server. Dropping it ends the server.
pub struct Server {
    pub endpoint: String,
    /// Its other processes, which end first.
    pub with: Vec<Daemon>,
    process: Watched,
}

impl Server {
    /// Starts a command made by [`watched`](super::watched) under the same name.
    pub fn spawn(command: Command, name: &str, port: u16) -> Result<Self, String> {
        let process = Watched::spawn(command, name)?;
        Ok(Self { endpoint: format!("http://127.0.0.1:{port}"), with: Vec::new(), process })
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
        self.process.has_ended()
    }

    pub fn last_words(&self) -> String {
        self.process.last_words()
    }
}

/// Returns ports that are currently free.
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

/// Returns the status of a GET.
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
    use crate::servers::{data_dir, watched};

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
