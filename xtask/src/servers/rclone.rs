//! `rclone serve s3`.

use std::fs;

use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};
use super::{ACCESS_KEY, SECRET_KEY};
use crate::tools::{RCLONE, Tools};

/// Starts `rclone serve s3` on a folder: a server that accepts conditions and checksums but ignores both.
pub(crate) fn start(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
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
    // It cannot parse a request without a signature.
    server.wait_for(port, "/", 400)?;
    Ok(server)
}
