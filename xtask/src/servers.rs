//! Real S3 servers, each in its own process on free loopback ports, with data that goes away with it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::root;
use crate::tools::{MINIO, RCLONE, Tools, WEED};

/// The login on every server.
pub(crate) const ACCESS_KEY: &str = "minioadmin";
pub(crate) const SECRET_KEY: &str = "minioadmin";

/// How long a server may take to answer. Both need about four seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Stands between us and a server: the read end of our pipe is at its end as soon as we are gone, be it by a
/// return, a panic, Ctrl-C or `kill -9`. Then the server dies and its data is removed. When the server ends by
/// itself, so does this.
const WATCHDOG: &str = r#"
exec 3<&0
"$@" </dev/null >"$SERVER_LOG" 2>&1 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -KILL "$server"; } &
wait "$server"
kill "$!"
rm -rf "$SERVER_DATA"
"#;

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    watchdog: Child,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Starts MinIO and waits until it can read and write.
pub(crate) fn minio(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let [free, console] = free_ports()?;
    let port = port.unwrap_or(free);
    let mut server = minio_by(tools, "minio", &[], "127.0.0.1", [port, console])?;
    server.wait_for(port, "/minio/health/cluster", 200)?;
    Ok(server)
}

/// Starts MinIO through another command (none: as it is), at an address that need not be of our network: whether it
/// answers is for the caller to find out.
pub(crate) fn minio_by(
    tools: &Tools,
    name: &str,
    through: &[&str],
    host: &str,
    [port, console]: [u16; 2],
) -> Result<Server, String> {
    let program = tools.get(&MINIO)?;
    let data = data_dir(name)?;
    let mut command = watched(name, &data);
    command
        .args(through)
        .arg(program)
        .args(["server", "--quiet", "--address"])
        .arg(format!("{host}:{port}"))
        .arg("--console-address")
        .arg(format!("{host}:{console}"))
        .arg("--certs-dir")
        .arg(data.join("certs"))
        .arg(data.join("drive"))
        .env("MINIO_ROOT_USER", ACCESS_KEY)
        .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
        // Without a region of its own it takes requests for any; with one it refuses a wrong one, as AWS does.
        .env("MINIO_SITE_REGION", "us-east-1")
        // A key service of its own, so that it can be asked to encrypt.
        .env("MINIO_KMS_SECRET_KEY", "modeldepot:bW9kZWxkZXBvdCdzIGtleSBmb3IgdGVzdHMsIDMyIEI=")
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    let mut server = Server::spawn(command, name, port)?;
    server.endpoint = format!("http://{host}:{port}");
    Ok(server)
}

/// Starts SeaweedFS with its S3 gateway and waits until it can read and write.
pub(crate) fn seaweedfs(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let program = tools.get(&WEED)?;
    // Left out, each gRPC port would be its HTTP port plus 10000.
    let [free, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc] = free_ports()?;
    let port = port.unwrap_or(free);
    let data = data_dir("seaweedfs")?;
    let config = data.join("s3.json");
    let identity = format!(
        r#"{{"identities": [{{
            "name": "admin",
            "credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]
        }}]}}"#
    );
    fs::write(&config, identity).map_err(|error| format!("cannot write {}: {error}", config.display()))?;
    let mut command = watched("seaweedfs", &data);
    command
        .arg(program)
        .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-iam=false"])
        .arg(format!("-dir={}", data.display()))
        .arg(format!("-master.port={master}"))
        .arg(format!("-master.port.grpc={master_grpc}"))
        .arg(format!("-volume.port={volume}"))
        .arg(format!("-volume.port.grpc={volume_grpc}"))
        .arg(format!("-filer.port={filer}"))
        .arg(format!("-filer.port.grpc={filer_grpc}"))
        .arg(format!("-filer.localSocket={}", data.join("filer.sock").display()))
        .arg(format!("-s3.port={port}"))
        .arg(format!("-s3.port.grpc={s3_grpc}"))
        .arg(format!("-s3.localSocket={}", data.join("s3.sock").display()))
        .arg(format!("-s3.config={}", config.display()))
        .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
        // On by default, it would report to the makers.
        .arg("-master.telemetry=false")
        // A bucket takes volumes of its own; with the defaults (8 volumes, 7 to a bucket) the second is refused.
        .args(["-volume.max=10000", "-master.volumeSizeLimitMB=1024"])
        .env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
    let mut server = Server::spawn(command, "seaweedfs", port)?;
    // The gateway refuses the unsigned request: it is there and has read the login.
    server.wait_for(port, "/", 403)?;
    // The master finds room: the volume server has joined.
    server.wait_for(master, "/dir/assign", 200)?;
    Ok(server)
}

/// Starts `rclone serve s3` on a folder: a server that accepts conditions and checksums, and looks at neither.
pub(crate) fn rclone(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let program = tools.get(&RCLONE)?;
    let [free] = free_ports()?;
    let port = port.unwrap_or(free);
    let data = data_dir("rclone")?;
    let served = data.join("served");
    fs::create_dir_all(&served).map_err(|error| format!("cannot make {}: {error}", served.display()))?;
    let mut command = watched("rclone", &data);
    command
        .arg(program)
        .args(["serve", "s3", "--auth-key", &format!("{ACCESS_KEY},{SECRET_KEY}")])
        .args(["--addr", &format!("127.0.0.1:{port}")])
        .arg(served)
        .env("RCLONE_CONFIG", data.join("rclone.conf"));
    let mut server = Server::spawn(command, "rclone", port)?;
    // It does not understand a request without a signature.
    server.wait_for(port, "/", 400)?;
    Ok(server)
}

/// Starts the command that this workspace has built: its S3 server, with the REST service beside it.
pub(crate) fn modeldepot(program: &Path) -> Result<(Server, String), String> {
    let [s3, service] = free_ports()?;
    let data = data_dir("modeldepot")?;
    let mut command = watched("modeldepot", &data);
    command
        .arg(program)
        .args(["up", "--no-login"])
        .args(["--listen", &format!("127.0.0.1:{s3}"), "--console", &format!("127.0.0.1:{service}")])
        .arg("--data")
        .arg(data.join("data"))
        .arg("--staging")
        .arg(data.join("staging"))
        .current_dir(&data);
    let mut server = Server::spawn(command, "modeldepot", s3)?;
    server.wait_for(service, "/readyz", 200)?;
    Ok((server, format!("http://127.0.0.1:{service}")))
}

/// The verb `servers`.
pub(crate) fn run(tools: &Tools, options: &[&str]) -> Result<(), String> {
    let mut ports = [None; 3];
    for option in options.chunks(2) {
        let (place, value) = match option {
            ["--minio-port", value] => (0, value),
            ["--seaweedfs-port", value] => (1, value),
            ["--rclone-port", value] => (2, value),
            _ => {
                return Err(format!(
                    "`{}`: expected --minio-port, --seaweedfs-port or --rclone-port PORT",
                    option.join(" ")
                ));
            }
        };
        ports[place] = Some(value.parse::<u16>().map_err(|error| format!("port `{value}`: {error}"))?);
    }
    let mut running = Vec::new();
    let started = [
        ("MinIO", minio(tools, ports[0])),
        ("SeaweedFS", seaweedfs(tools, ports[1])),
        ("rclone", rclone(tools, ports[2])),
    ];
    for (name, started) in started {
        match started {
            Ok(server) => {
                println!("{name:<10} {}", server.endpoint);
                running.push((name, server));
            }
            Err(why) => eprintln!("{name:<10} {why}"),
        }
    }
    if running.is_empty() {
        return Err("no server runs".to_owned());
    }
    println!("login      {ACCESS_KEY} / {SECRET_KEY}, region us-east-1\nCtrl-C ends them and removes their data");
    loop {
        std::thread::sleep(Duration::from_secs(1));
        for (name, server) in &mut running {
            if server.has_ended() {
                return Err(format!("{name} ended: {}", server.last_words()));
            }
        }
    }
}

impl Server {
    pub(crate) fn spawn(mut command: Command, name: &str, port: u16) -> Result<Self, String> {
        let log = log_file(name);
        // The words of the last one are not ours.
        let _ = fs::remove_file(&log);
        let watchdog = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { endpoint: format!("http://127.0.0.1:{port}"), watchdog, log })
    }

    pub(crate) fn wait_for(&mut self, port: u16, path: &str, status: u16) -> Result<(), String> {
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

    fn has_ended(&mut self) -> bool {
        !matches!(self.watchdog.try_wait(), Ok(None))
    }

    fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        format!("{} (see {})", last.trim(), self.log.display())
    }
}

/// Returns the command that starts the watchdog; the server's own command line is to follow as arguments.
pub(crate) fn watched(name: &str, data: &Path) -> Command {
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

pub(crate) fn data_dir(name: &str) -> Result<PathBuf, String> {
    let dir = servers_dir().join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    Ok(dir)
}

/// Returns ports that nobody listened on a moment ago.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], String> {
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
