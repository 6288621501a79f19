//! Ceph with its object gateway, in memory: a monitor, a manager, OSDs and a gateway from Debian's packages.
//!
//! The cluster map is generated directly, so Ceph's own command, a Python program, is not needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::Daemon;
use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};
use super::{ACCESS_KEY, SECRET_KEY};
use crate::quietly;
use crate::tools::{CEPH, Tools};

/// How long a setup step may take, in seconds.
const PATIENCE: &str = "90";

/// Starts Ceph with one OSD and waits until its gateway answers.
pub(crate) fn start(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let (server, _) = start_with(tools, port, "ceph", 1, 6 << 30)?;
    Ok(server)
}

/// Starts Ceph with three OSDs, two of which must have an object, and also returns the folder with the process ids of
/// its daemons.
pub fn cluster(tools: &Tools) -> Result<(Server, PathBuf), String> {
    start_with(tools, None, "cluster", 3, 3 << 30)
}

/// Returns the version of Ceph, without the package's revision.
pub(crate) fn version(tools: &Tools) -> Result<String, String> {
    let programs = Programs::at(&tools.get(&CEPH)?)?;
    let said = quietly(programs.command("ceph-mon").arg("--version"))?;
    Ok(said.split_whitespace().nth(2).unwrap_or("unknown").to_owned())
}

/// Paths in the unpacked packages.
#[derive(Clone)]
struct Programs {
    root: PathBuf,
    /// For example `usr/lib/x86_64-linux-gnu`.
    libraries: PathBuf,
}

impl Programs {
    fn at(root: &Path) -> Result<Self, String> {
        let lib = root.join("usr/lib");
        let folders = fs::read_dir(&lib).map_err(|error| format!("cannot read {}: {error}", lib.display()))?;
        let libraries = folders.filter_map(|entry| Some(entry.ok()?.path())).find(|path| {
            let triple = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("-linux-gnu"));
            triple && path.join("ceph").is_dir()
        });
        let libraries = libraries.ok_or_else(|| format!("no Ceph libraries under {}", lib.display()))?;
        Ok(Self { root: root.to_owned(), libraries })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.root.join("usr/bin").join(program));
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        // Packages of the base system are under /lib.
        let base = self.root.join("lib").join(self.libraries.file_name().unwrap_or_default());
        let folders = [self.libraries.clone(), self.libraries.join("ceph"), base];
        let folders = folders.map(|folder| folder.display().to_string()).join(":");
        command.env("LD_LIBRARY_PATH", folders);
        // The manager embeds Python, and looks for its library at Debian's path.
        if fs::exists(self.root.join("usr/lib/python3.11/os.py")).unwrap_or(false) {
            command.env("PYTHONHOME", self.root.join("usr"));
        }
    }
}

fn start_with(
    tools: &Tools,
    port: Option<u16>,
    name: &'static str,
    osds: usize,
    bytes: u64,
) -> Result<(Server, PathBuf), String> {
    let programs = Programs::at(&tools.get(&CEPH)?)?;
    let [free, monitor] = free_ports()?;
    let port = port.unwrap_or(free);
    let data = data_dir(name)?;
    let mut folders = vec!["mon".to_owned(), "mgr".to_owned(), "rgw".to_owned(), "run".to_owned(), "none".to_owned()];
    folders.extend((0..osds).map(|osd| format!("osd.{osd}")));
    for folder in folders {
        fs::create_dir_all(data.join(&folder)).map_err(|error| format!("cannot make {folder}: {error}"))?;
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid").map_err(|error| format!("needs Linux: {error}"))?;
    let (id, config) = (id.trim(), data.join("ceph.conf"));
    fs::write(&config, configuration(&programs, &data, id, [port, monitor], osds, bytes))
        .map_err(|error| format!("cannot write {}: {error}", config.display()))?;

    // Started first: it owns the data, and removes it when it ends, even if a later step fails.
    let mut keeper = watched(name, &data);
    keeper.args(["sleep", "infinity"]);
    let mut server = Server::spawn(keeper, name, port)?;

    let step = |program: &str, args: &[&str]| {
        // Without OSDs, a monitor makes its clients wait forever.
        let mut command = Command::new("timeout");
        programs.environment(&mut command);
        command.args(["--signal=KILL", PATIENCE]).arg(programs.root.join("usr/bin").join(program)).args(args);
        quietly(command.env("CEPH_CONF", &config)).map(drop)
    };
    let (monitors, map) = (data.join("monmap").display().to_string(), data.join("osdmap").display().to_string());
    let address = format!("[v1:127.0.0.1:{monitor}]");
    step("monmaptool", &["--create", "--clobber", "--fsid", id, "--addv", "a", &address, &monitors])?;
    step("osdmaptool", &["--createsimple", &osds.to_string(), "--clobber", &map])?;
    step("ceph-mon", &["--mkfs", "-i", "a", "--monmap", &monitors, "--osdmap", &map])?;
    let mut keep = |daemon: &str, program: &'static str, args: &[&str]| {
        let (programs, config, folder) = (programs.clone(), config.clone(), data.join("run"));
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let log = format!("{name}-{daemon}");
        server.with.push(Daemon::keep(daemon.to_owned(), folder, move || {
            // The keeper removes the data, not this process.
            let mut command = watched(&log, Path::new(""));
            programs.environment(&mut command);
            command.arg(programs.root.join("usr/bin").join(program)).arg("-f").args(&args).env("CEPH_CONF", &config);
            command
        }));
    };
    keep("mon.a", "ceph-mon", &["-i", "a"]);
    keep("mgr.x", "ceph-mgr", &["-i", "x"]);
    for osd in 0..osds {
        let osd = osd.to_string();
        step("ceph-osd", &["-i", &osd, "--mkfs"])?;
        keep(&format!("osd.{osd}"), "ceph-osd", &["-i", &osd]);
    }
    let [access, secret] = [format!("--access-key={ACCESS_KEY}"), format!("--secret-key={SECRET_KEY}")];
    step("radosgw-admin", &["user", "create", "--uid=main", "--display-name=main", &access, &secret])?;
    keep("rgw", "radosgw", &["-n", "client.rgw"]);
    // Unsigned requests get an empty list of buckets.
    server.wait_for(port, "/", 200)?;
    Ok((server, data.join("run")))
}

/// Returns `ceph.conf`. Daemons connect without keys, on loopback addresses only.
fn configuration(
    programs: &Programs,
    data: &Path,
    id: &str,
    [port, monitor]: [u16; 2],
    osds: usize,
    bytes: u64,
) -> String {
    let (data, libraries, needed) = (data.display(), programs.libraries.display(), osds.div_ceil(2));
    let mut text = format!(
        "[global]
fsid = {id}
mon host = v1:127.0.0.1:{monitor}
mon initial members = a
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none

osd pool default size = {osds}
osd pool default min size = {needed}
osd pool default pg num = 4
osd pool default pg autoscale mode = off
# Each OSD counts as a machine.
osd crush chooseleaf type = 0
mon osd reporter subtree level = osd
mon allow pool size one = true
mon max pg per osd = 1000
# On a disk that is nearly full the monitor would end: what it has is small, and goes with the test.
mon data avail crit = 0
mon data avail warn = 0
# A dead one is noticed within seconds, as on a machine that refuses connections.
osd heartbeat interval = 1
osd heartbeat grace = 6

osd objectstore = memstore
memstore device bytes = {bytes}
erasure code dir = {libraries}/ceph/erasure-code
plugin dir = {libraries}/ceph
osd class dir = {libraries}/rados-classes
# The modules are Python, and none of them is needed.
mgr module path = {data}/none
run dir = {data}/run
# Paths of sockets may not be long.
admin socket =
pid file =
log file = {data}/$name.log

# What is deleted is freed soon: it is memory.
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 5

[mon.a]
mon data = {data}/mon
[mgr.x]
mgr data = {data}/mgr
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {data}/rgw
"
    );
    for osd in 0..osds {
        text.push_str(&format!("[osd.{osd}]\nosd data = {data}/osd.{osd}\n"));
    }
    text
}
