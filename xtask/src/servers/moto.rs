//! moto's server, which many projects use as a substitute for AWS. It keeps everything in memory and accepts any
//! credentials.

use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};
use crate::tools::{MOTO, Tools};

/// Runs moto with threads that only switch when one of them waits.
///
/// moto checks whether an object exists and stores it in two steps. With Python's usual switch interval of 5 ms, a
/// create-if-absent sometimes has two winners on a busy machine: in one of 16 probes, with three busy loops on two
/// cores (moto 5.2.5). The probe is right to reject such a server, but the suite's results must not depend on luck.
const PROGRAM: &str = "import sys; sys.setswitchinterval(10); from moto.server import main; main(sys.argv[1:])";

/// Starts moto and waits until it answers.
pub(crate) fn start(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let program = tools.get(&MOTO)?;
    let [free] = free_ports()?;
    let port = port.unwrap_or(free);
    let data = data_dir("moto")?;
    let mut command = watched("moto", &data);
    command.arg(program.with_file_name("python")).args(["-c", PROGRAM]).args([
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
    ]);
    let mut server = Server::spawn(command, "moto", port)?;
    server.wait_for(port, "/moto-api/data.json", 200)?;
    Ok(server)
}
