//! MinIO: the last commit of its public source.

use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};
use super::{ACCESS_KEY, SECRET_KEY};
use crate::tools::{MINIO, Tools};

/// The date of the commit that `tools::MINIO` pins.
pub(crate) const VERSION: &str = "2026-02-12, the last";

/// Starts MinIO and waits until it can read and write.
pub fn start(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let [free, console] = free_ports()?;
    let port = port.unwrap_or(free);
    let mut server = start_by(tools, "minio", &[], "127.0.0.1", [port, console])?;
    server.wait_for(port, "/minio/health/cluster", 200)?;
    Ok(server)
}

/// Starts MinIO through another command (or directly, without one), at an address that may be in another network: the
/// caller has to check whether it answers.
pub fn start_by(
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
        // With a region, it refuses requests for others, as AWS does.
        .env("MINIO_SITE_REGION", "us-east-1")
        // A local key service, so that it supports encryption.
        .env("MINIO_KMS_SECRET_KEY", "modeldepot:bW9kZWxkZXBvdCdzIGtleSBmb3IgdGVzdHMsIDMyIEI=")
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    let mut server = Server::spawn(command, name, port)?;
    server.endpoint = format!("http://{host}:{port}");
    Ok(server)
}
