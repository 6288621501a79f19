//! versitygw on a folder: objects are files, with metadata in extended attributes.

use std::fs;

use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};
use super::{ACCESS_KEY, SECRET_KEY};
use crate::tools::{Tools, VERSITYGW};

/// Starts versitygw and waits until it answers.
pub(crate) fn start(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let program = tools.get(&VERSITYGW)?;
    let [free] = free_ports()?;
    let port = port.unwrap_or(free);
    let data = data_dir("versitygw")?;
    let served = data.join("served");
    fs::create_dir_all(&served).map_err(|error| format!("cannot make {}: {error}", served.display()))?;
    let mut command = watched("versitygw", &data);
    command
        .arg(program)
        .args(["--port", &format!("127.0.0.1:{port}"), "--region", "us-east-1", "posix"])
        .arg(served)
        .env("ROOT_ACCESS_KEY", ACCESS_KEY)
        .env("ROOT_SECRET_KEY", SECRET_KEY);
    let mut server = Server::spawn(command, "versitygw", port)?;
    // It refuses unsigned requests.
    server.wait_for(port, "/", 403)?;
    Ok(server)
}
