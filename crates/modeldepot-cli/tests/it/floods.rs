//! All kinds of floods against the command: memory stays small, and health checks are answered.
//!
//! Each lasts for seconds; with `MODELDEPOT_FLOOD_SECONDS=300` it lasts for minutes, and the measurements are printed.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use modeldepot::s3::PresignedMethod;
use modeldepot::{S3Client, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::environment::{TestEnv, wait};

/// The most memory that the process may use at any time.
const MEMORY: usize = 200 << 20;

/// More clients than allowed connections.
const CLIENTS: usize = 1300;

struct Up {
    child: Child,
    s3: String,
    console: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Up {
    fn start(env: &TestEnv) -> Up {
        let args = ["up", "--json", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", "store"];
        let mut child = env.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut text = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            text += &line.unwrap();
            if let Ok(told) = serde_json::from_str::<serde_json::Value>(&text) {
                let address = |name: &str| told[name].as_str().unwrap().trim_start_matches("http://").to_owned();
                let (s3, console) = (address("endpoint"), address("console"));
                return Up { child, s3, console };
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("it did not start");
    }

    /// Returns the most memory that the process has used.
    fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// Returns how many attempts a health check needed.
    async fn health(&self) -> usize {
        for attempt in 1..=20 {
            let answer = timeout(Duration::from_secs(60), async {
                let mut stream = TcpStream::connect(&self.console).await.ok()?;
                let asked = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
                stream.write_all(asked).await.ok()?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.ok()?;
                Some(answer)
            });
            if let Ok(Some(answer)) = answer.await
                && answer.starts_with("HTTP/1.1 200")
            {
                return attempt;
            }
        }
        panic!("no health check was answered");
    }
}

/// The behavior of one client of a flood.
#[derive(Clone)]
struct Client {
    address: String,
    says: Vec<u8>,
    /// Whether it then sends a byte per second until it is cut off.
    drips: bool,
    /// How much of the answer it reads before it stalls. `None` means all of it.
    reads: Option<usize>,
}

impl Client {
    async fn run(self, until: Instant, begun: Arc<AtomicUsize>) {
        while Instant::now() < until {
            let _ = self.once(until, &begun).await;
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn once(&self, until: Instant, begun: &AtomicUsize) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(&self.says).await?;
        begun.fetch_add(1, Ordering::Relaxed);
        let mut piece = vec![0; 4096];
        if let Some(mut left) = self.reads {
            while left > 0 {
                match stream.read(&mut piece[..left.min(4096)]).await? {
                    0 => return Ok(()),
                    bytes => left -= bytes,
                }
            }
            // It keeps the connection open, and checks now and then whether it still is.
            while Instant::now() < until && stream.write_all(b"").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
            return Ok(());
        }
        while Instant::now() < until {
            match timeout(Duration::from_secs(1), stream.read(&mut piece)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(read) => drop(read?),
                Err(_) if self.drips => stream.write_all(b"x").await?,
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Floods a server, and watches it meanwhile.
fn flood(up: &Up, what: &str, clients: Vec<Client>) {
    let seconds = std::env::var("MODELDEPOT_FLOOD_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(4));
    let attempts = wait(async {
        let until = Instant::now() + time;
        let begun = Arc::new(AtomicUsize::new(0));
        let count = clients.len();
        let clients: Vec<_> = clients.into_iter().map(|one| tokio::spawn(one.run(until, Arc::clone(&begun)))).collect();
        while begun.load(Ordering::Relaxed) < count.min(1000) {
            sleep(Duration::from_millis(20)).await;
        }
        let mut attempts = vec![up.health().await];
        while Instant::now() < until {
            attempts.push(up.health().await);
            assert!(up.peak_memory() < MEMORY, "{what}: {} MiB", up.peak_memory() >> 20);
            sleep(Duration::from_millis(250)).await;
        }
        for client in clients {
            client.abort();
        }
        (begun.load(Ordering::Relaxed), attempts)
    });
    let (begun, attempts) = attempts;
    let (most, checks) = (attempts.iter().max().unwrap(), attempts.len());
    let memory = up.peak_memory();
    assert!(memory < MEMORY, "{what}: {} MiB", memory >> 20);
    let line = format!(
        "{what}: {} s, {begun} connections, peak {} MiB, {checks} health checks, at most {most} attempts",
        time.as_secs(),
        memory >> 20
    );
    // Visible with `--nocapture`.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn all(address: &str, says: &str) -> Vec<Client> {
    vec![Client { address: address.to_owned(), says: says.as_bytes().to_vec(), drips: false, reads: None }; CLIENTS]
}

#[test]
fn stalled_logins() {
    let env = TestEnv::without_server("");
    let up = Up::start(&env);
    flood(
        &up,
        "stalled logins",
        all(&up.console, "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\nto"),
    );
}

#[test]
fn stalled_and_dripping_heads() {
    let env = TestEnv::without_server("");
    let up = Up::start(&env);
    let mut heads = all(&up.console, "GET / HTTP/1.1\r\nhost: localhost\r\nx: ");
    heads.iter_mut().for_each(|one| one.drips = true);
    flood(&up, "dripping heads at the console", heads);
    let mut heads = all(&up.s3, "GET / HT");
    heads.iter_mut().for_each(|one| one.drips = true);
    flood(&up, "dripping heads at the S3 port", heads);
}

#[test]
fn many_connections() {
    let env = TestEnv::without_server("");
    let up = Up::start(&env);
    flood(&up, "connections that say nothing", all(&up.console, ""));
    flood(
        &up,
        "connections that ask",
        all(&up.console, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
    );
    let large = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}", "x".repeat(63 << 10));
    flood(&up, "large heads without an end", all(&up.console, &large));
}

#[test]
fn slow_puts() {
    let env = TestEnv::without_server("");
    let up = Up::start(&env);
    let client = s3(&up);
    let bucket = "models".parse().unwrap();
    let url = wait(client.presign(&bucket, "flood", PresignedMethod::Put, Duration::from_secs(3600))).unwrap();
    let target = url.split_once(&up.s3).unwrap().1;
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: 100000000\r\n\r\n", up.s3);
    let mut puts = all(&up.s3, &head);
    // Slightly less than what is written at once, and then a drip.
    puts.iter_mut().for_each(|one| one.says.resize(one.says.len() + 1_000_000, b'x'));
    puts.iter_mut().for_each(|one| one.drips = true);
    flood(&up, "slow puts", puts);
}

#[test]
fn stalled_readers() {
    // A process each, so that the second is not charged with what the first one needed.
    for (name, by_url) in [("stalled readers at the S3 port", true), ("stalled readers at the console", false)] {
        let mut env = TestEnv::without_server("");
        let up = Up::start(&env);
        env.endpoint = format!("http://{}", up.s3);
        env.write("m.bin", vec![7; 48 << 20]);
        env.run(["push", "m", "m.bin", "--version", "1"]).success();
        let url = env.run(["url", "m@1"]).success();
        let (address, target) = match by_url {
            true => (&up.s3, url.trim().split_once(&up.s3).unwrap().1),
            false => (&up.console, "/api/v1/models/m/versions/1/files/m.bin?stream"),
        };
        let mut readers = all(address, &format!("GET {target} HTTP/1.1\r\nhost: {address}\r\n\r\n"));
        readers.iter_mut().for_each(|one| one.reads = Some(100));
        flood(&up, name, readers);
    }
}

fn s3(up: &Up) -> S3Client {
    let endpoint = format!("http://{}", up.s3);
    let settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| endpoint.clone())).unwrap();
    wait(S3Client::connect(&settings)).unwrap()
}
