//! SeaweedFS with its S3 gateway.

use std::fs;

use super::process::{Server, free_ports};
use super::watchdog::{data_dir, watched};
use super::{ACCESS_KEY, SECRET_KEY};
use crate::tools::{Tools, WEED};

/// Starts SeaweedFS with its S3 gateway and waits until it can read and write.
pub(crate) fn start(tools: &Tools, port: Option<u16>) -> Result<Server, String> {
    let program = tools.get(&WEED)?;
    // By default, each gRPC port would be the HTTP port plus 10000.
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
        // On by default; it would report to the vendor.
        .arg("-master.telemetry=false")
        // Each bucket takes volumes of its own; with the defaults (8 volumes, 7 per bucket) the second bucket is
        // refused.
        .args(["-volume.max=10000", "-master.volumeSizeLimitMB=1024"])
        .env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
    let mut server = Server::spawn(command, "seaweedfs", port)?;
    // The gateway refuses the unsigned request: it is up and has loaded the credentials.
    server.wait_for(port, "/", 403)?;
    // The master can assign space: the volume server has joined.
    server.wait_for(master, "/dir/assign", 200)?;
    Ok(server)
}
