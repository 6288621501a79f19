//! The command of this workspace as a server.

use std::path::Path;

use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};

/// Starts the S3 server of the command built in this workspace, with the REST service.
pub fn start(program: &Path) -> Result<(Server, String), String> {
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
