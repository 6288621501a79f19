//! Two network namespaces with a long and lossy wire between them: MinIO in one, clients in the other.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::site::{Kit, Site};
use xtask::report::Outcome;
use xtask::servers::{self, Server};
use xtask::tools::Tools;
use xtask::{quietly, root};

const NEAR: &str = "modeldepot-near";
const FAR: &str = "modeldepot-far";
/// In the network that is reserved for benchmarks.
const NEAR_ADDRESS: &str = "198.18.0.1/30";
const FAR_ADDRESS: &str = "198.18.0.2/30";
const FAR_HOST: &str = "198.18.0.2";
const DELAY: &str = "0.025";
const LOSS: &str = "0.01";

/// What readers should know about the wire.
pub(crate) const ABOUT: &str = "\
MinIO and its clients are in two network namespaces, connected by a process (`benchsuite/wire.py`) that delays every \
packet by 25 ms (a round trip of 50 ms) and drops 1 % of them at random in each direction. Packets have up to 1,500 \
bytes; rate and queue length are not limited. TCP's congestion control is cubic on both sides.";

/// Creates the namespaces and the wire, and removes them when its input ends: by a return, by Ctrl-C or by `kill -9`.
const WATCHDOG: &str = r#"
near=$1; far=$2; shift 2
ip netns add "$near" && ip netns add "$far" && "$@"
ip netns delete "$near"
ip netns delete "$far"
"#;

/// The wire; removed on drop.
pub(crate) struct Wire {
    watchdog: Child,
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Returns an error when this machine cannot have a wire.
pub(crate) fn possible() -> Result<(), String> {
    if quietly(Command::new("id").arg("-u"))?.trim() != "0" {
        return Err("needs root".to_owned());
    }
    quietly(Command::new("ip").args(["netns", "list"])).map_err(|_| "needs ip (on Debian: iproute2)".to_owned())?;
    if !Path::new("/dev/net/tun").exists() {
        return Err("needs /dev/net/tun".to_owned());
    }
    Ok(())
}

impl Wire {
    pub(crate) fn new(kit: &Kit) -> Result<Self, String> {
        // Left over from a run that could not clean up.
        for namespace in [NEAR, FAR] {
            let _ = quietly(Command::new("ip").args(["netns", "delete", namespace]));
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHDOG, "watchdog", NEAR, FAR])
            .arg(&kit.python)
            .arg(root().join("benchsuite/wire.py"))
            .args([NEAR, NEAR_ADDRESS, FAR, FAR_ADDRESS, DELAY, LOSS])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C at the terminal is handled here.
            .process_group(0);
        let mut watchdog = command.spawn().map_err(|error| format!("cannot start the wire: {error}"))?;
        let mut said = String::new();
        if let Some(stdout) = watchdog.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut said);
        }
        let wire = Self { watchdog };
        if said.trim() == "ready" { Ok(wire) } else { Err("the wire could not be laid".to_owned()) }
    }
}

/// Creates the wire and starts MinIO at its far end.
pub(crate) fn far_minio(tools: &Tools, near: &Site) -> Result<(Site, Server, Wire), Outcome> {
    possible().map_err(Outcome::Skipped)?;
    let wire = Wire::new(&near.kit).map_err(Outcome::Failed)?;
    let through = ["ip", "netns", "exec", FAR];
    let server = servers::minio_by(tools, "minio-far", &through, FAR_HOST, [9000, 9001]).map_err(Outcome::Failed)?;
    let site = Site { kit: near.kit.clone(), endpoint: server.endpoint.clone(), namespace: Some(NEAR) };
    let start = Instant::now();
    let mut list = site.command(Peer::S5cmd, "none").map_err(Outcome::Failed)?;
    list.arg("ls");
    while let Err(why) = site.run(&list) {
        if start.elapsed() > Duration::from_secs(60) {
            return Err(Outcome::Failed(format!("MinIO does not answer over the wire: {why}")));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok((site, server, wire))
}
