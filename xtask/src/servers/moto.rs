//! moto's server: what many projects test against instead of AWS. It keeps everything in memory and knows no login.

use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};
use crate::tools::{MOTO, Tools};

/// Starts moto and waits until it answers.
pub(crate) fn start(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let program = tools.get(&MOTO)?;
    let [free] = free_ports()?;
    let port = port.unwrap_or(free);
    let data = data_dir("moto")?;
    let mut command = watched("moto", &data);
    command.arg(program).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    let mut server = Server::spawn(command, "moto", port)?;
    server.wait_for(port, "/moto-api/data.json", 200)?;
    Ok(server)
}
