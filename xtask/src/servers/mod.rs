//! Real S3 servers, each with its own processes on free loopback ports, and data that is removed at the end.

mod ceph;
mod daemon;
mod minio;
mod modeldepot;
mod moto;
mod process;
mod rclone;
pub mod results;
mod seaweedfs;
pub mod suite;
pub mod table;
mod versitygw;
mod watchdog;

use std::time::Duration;

pub use ceph::cluster;
pub use minio::{start as minio, start_by as minio_by};
pub use modeldepot::start as modeldepot;
pub use process::{Server, free_ports};
pub use watchdog::{data_dir, watched};

use crate::tools::Tools;

/// The credentials on every server.
pub const ACCESS_KEY: &str = "minioadmin";
pub const SECRET_KEY: &str = "minioadmin";

/// A server for the contract suite, other than our own.
pub struct Kind {
    /// Its name in documentation.
    pub title: &'static str,
    /// The text that its tests have in their names.
    pub name: &'static str,
    /// The option of the verb `servers` for its port.
    option: &'static str,
    /// The variable with its endpoint.
    pub variable: &'static str,
    pub start: fn(&Tools, Option<u16>) -> Result<Server, String>,
    /// Returns its version.
    pub version: fn(&Tools) -> Result<String, String>,
}

/// In the order of the tables in `docs/servers.md`.
pub const KINDS: [Kind; 6] = [
    Kind {
        title: "MinIO",
        name: "minio",
        option: "--minio-port",
        variable: "MODELDEPOT_TEST_MINIO",
        start: minio::start,
        version: |_| Ok(minio::VERSION.to_owned()),
    },
    Kind {
        title: "SeaweedFS",
        name: "seaweedfs",
        option: "--seaweedfs-port",
        variable: "MODELDEPOT_TEST_SEAWEEDFS",
        start: seaweedfs::start,
        version: |_| Ok(crate::tools::WEED.version()),
    },
    Kind {
        title: "Ceph RGW",
        name: "ceph",
        option: "--ceph-port",
        variable: "MODELDEPOT_TEST_CEPH",
        start: ceph::start,
        version: ceph::version,
    },
    Kind {
        title: "versitygw",
        name: "versitygw",
        option: "--versitygw-port",
        variable: "MODELDEPOT_TEST_VERSITYGW",
        start: versitygw::start,
        version: |_| Ok(crate::tools::VERSITYGW.version()),
    },
    Kind {
        title: "moto",
        name: "moto",
        option: "--moto-port",
        variable: "MODELDEPOT_TEST_MOTO",
        start: moto::start,
        version: |_| Ok(crate::tools::MOTO.version()),
    },
    Kind {
        title: "rclone",
        name: "rclone_serve",
        option: "--rclone-port",
        variable: "MODELDEPOT_TEST_RCLONE",
        start: rclone::start,
        version: |_| Ok(crate::tools::RCLONE.version()),
    },
];

/// The verb `servers`.
pub fn run(tools: &Tools, options: &[&str]) -> Result<(), String> {
    if options == ["--cluster"] {
        let (server, daemons) = cluster(tools)?;
        println!("Ceph       {}", server.endpoint);
        println!("processes  {}: NAME.pid, and NAME.hold keeps one down", daemons.display());
        return wait(vec![("Ceph", server)]);
    }
    let mut ports = [None; KINDS.len()];
    for option in options.chunks(2) {
        let place = KINDS.iter().position(|kind| Some(&kind.option) == option.first());
        let (Some(place), Some(value)) = (place, option.get(1)) else {
            let known = KINDS.map(|kind| kind.option).join(", ");
            return Err(format!("`{}`: expected one of {known}, and a port", option.join(" ")));
        };
        ports[place] = Some(value.parse::<u16>().map_err(|error| format!("port `{value}`: {error}"))?);
    }
    let mut running = Vec::new();
    for (kind, port) in KINDS.iter().zip(ports) {
        match (kind.start)(tools, port) {
            Ok(server) => {
                println!("{:<10} {}", kind.title, server.endpoint);
                running.push((kind.title, server));
            }
            Err(why) => eprintln!("{:<10} {why}", kind.title),
        }
    }
    if running.is_empty() {
        return Err("no server runs".to_owned());
    }
    wait(running)
}

/// Waits until one of the servers ends.
fn wait(mut running: Vec<(&str, Server)>) -> Result<(), String> {
    println!("login      {ACCESS_KEY} / {SECRET_KEY}, region us-east-1\nCtrl-C ends them and removes their data");
    loop {
        std::thread::sleep(Duration::from_secs(1));
        for (name, server) in &mut running {
            if server.has_ended() {
                return Err(format!("{name} ended: {}", server.last_words()));
            }
        }
    }
}
