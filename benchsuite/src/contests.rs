//! The contests, by name.

use crate::contest::{Competitor, Contest};
use crate::peer::Peer;
use crate::single::{self, Load};
use crate::site::Site;
use crate::{Options, catalog, many, memory, network, start};
use xtask::report::Outcome;
use xtask::servers;
use xtask::tools::Tools;

/// The size of a real trained model.
const MODEL: u64 = 138_223_288;
const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

pub(crate) const NAMES: [&str; 13] = [
    "push",
    "pull",
    "large-push",
    "large-pull",
    "many-push",
    "many-pull",
    "memory",
    "catalog",
    "start",
    "embedded-push",
    "embedded-pull",
    "network-push",
    "network-pull",
];

/// The contests of `--quick`.
pub(crate) const QUICK: [&str; 3] = ["push", "pull", "start"];

/// For slow contests, the peers most similar to modeldepot.
const FEW: [Peer; 4] = [Peer::Modeldepot, Peer::Boto3, Peer::S5cmd, Peer::Rclone];
const FAR: [Peer; 3] = [Peer::Modeldepot, Peer::S5cmd, Peer::TunedS5cmd];

/// Prepares a contest: its files, its buckets and what is to be pulled.
pub(crate) fn build(name: &str, tools: &Tools, options: &Options, minio: &Site) -> Result<Contest, Outcome> {
    let pushing = name.ends_with("push");
    match name {
        "push" | "pull" => {
            let load = Load { bucket: "bench-single", file: "best_model.pth", size: MODEL };
            let title = if pushing { "a model of 132 MiB" } else { "the same model" };
            let mut contest = one_file(minio, load, &Peer::ALL, pushing, title)?;
            contest.about += if pushing {
                "The second column says what each sends and verifies. modeldepot does not sign the data, and has the \
                 server verify its CRC64NVME instead."
            } else {
                "All fetch the object that modeldepot pushed."
            };
            contest.rounds = options.rounds;
            Ok(contest)
        }
        "large-push" | "large-pull" => {
            let load = Load { bucket: "bench-large", file: "large.bin", size: GIB };
            let title = if pushing { "a file of 1 GiB" } else { "the same file" };
            let mut contest = one_file(minio, load, &FEW, pushing, title)?;
            contest.rounds = options.rounds.min(3);
            Ok(contest)
        }
        "many-push" | "many-pull" => {
            let bucket = "bench-many";
            let made = if pushing { many::push(minio, bucket) } else { many::pull(minio, bucket) };
            let (competitors, absent) = made.map_err(Outcome::Failed)?;
            let title = if pushing { "2,000 files of 4 KiB, as one version" } else { "the same folder" };
            let about = if pushing {
                "Each file becomes an object; modeldepot adds a manifest."
            } else {
                "modeldepot fetches what it pushed; the others fetch the same files without a manifest."
            };
            Ok(Contest {
                competitors,
                absent,
                about: about.to_owned(),
                compared: true,
                rounds: options.rounds.min(5),
                buckets: vec![(minio.clone(), bucket)],
                ..blank(minio, title)
            })
        }
        "memory" => memory(options, minio).map_err(Outcome::Failed),
        "catalog" => Ok(Contest {
            competitors: catalog::competitors(minio).map_err(Outcome::Failed)?,
            rounds: options.rounds,
            about: "Both read only keys, of which MinIO lists 1,000 per response.".to_owned(),
            ..blank(minio, "large listings")
        }),
        "start" => {
            let (competitors, absent) = start::competitors(minio);
            let about = "The time until each is ready for work.".to_owned();
            // Runs are short, and so is the contest.
            let rounds = options.rounds * 3;
            Ok(Contest {
                competitors,
                absent,
                compared: true,
                rounds,
                about,
                ..blank(minio, "a command that does nothing")
            })
        }
        "embedded-push" | "embedded-pull" => embedded(options, minio, pushing).map_err(Outcome::Failed),
        "network-push" | "network-pull" => {
            if !options.network {
                return Err(Outcome::OutOfReach("only with --network".to_owned()));
            }
            let (site, server, wire) = network::far_minio(tools, minio)?;
            let load = Load { bucket: "bench-network", file: "model-64.bin", size: 64 * MIB };
            let title =
                if pushing { "64 MiB over a slow and lossy network" } else { "the same file over the same network" };
            let mut contest = one_file(&site, load, &FAR, pushing, title)?;
            contest.about += network::ABOUT;
            contest.rounds = options.rounds.min(3);
            contest.warm_up = false;
            contest.kept = vec![Box::new(server), Box::new(wire)];
            Ok(contest)
        }
        other => Err(Outcome::Failed(format!("`{other}` is no contest"))),
    }
}

fn blank(site: &Site, title: &'static str) -> Contest {
    Contest {
        title,
        about: String::new(),
        site: site.clone(),
        rounds: 1,
        warm_up: true,
        compared: false,
        competitors: Vec::new(),
        absent: Vec::new(),
        buckets: Vec::new(),
        kept: Vec::new(),
    }
}

fn one_file(site: &Site, load: Load, peers: &[Peer], pushing: bool, title: &'static str) -> Result<Contest, Outcome> {
    let (mut peers, absent) = single::present(site, peers);
    // The peers leave pulled files in memory, while modeldepot syncs them to disk. On a slow network that makes no
    // difference.
    if !pushing && site.namespace.is_none() {
        for (peer, sibling) in [(Peer::Modeldepot, Peer::UnsyncedModeldepot), (Peer::S5cmd, Peer::SyncedS5cmd)] {
            if let Some(place) = peers.iter().position(|found| *found == peer) {
                peers.insert(place + 1, sibling);
            }
        }
    }
    let made = if pushing { single::push(site, &load, &peers) } else { single::pull(site, &load, &peers) };
    let competitors = made.map_err(Outcome::Failed)?;
    let buckets = vec![(site.clone(), load.bucket)];
    Ok(Contest { competitors, absent, compared: true, buckets, ..blank(site, title) })
}

fn memory(options: &Options, minio: &Site) -> Result<Contest, String> {
    let bucket = "bench-memory";
    let load = Load { bucket, file: "best_model.pth", size: MODEL };
    let mut competitors: Vec<Competitor> = memory::competitors(minio, &load, "132 MiB")?.into();
    let mut absent = Vec::new();
    match options.huge.then(|| memory::room(minio)) {
        Some(Ok(())) => {
            let load = Load { bucket, file: "huge.bin", size: 10 * GIB };
            competitors.extend(memory::competitors(minio, &load, "10 GiB")?);
        }
        Some(Err(why)) => absent.push(format!("10 GiB: {why}")),
        None => absent.push("10 GiB: only with --huge".to_owned()),
    }
    Ok(Contest {
        competitors,
        absent,
        warm_up: false,
        about: "One run each; the pulled file is compared with the pushed one.".to_owned(),
        buckets: vec![(minio.clone(), bucket)],
        ..blank(minio, "pushes and pulls of files of different size")
    })
}

fn embedded(options: &Options, minio: &Site, pushing: bool) -> Result<Contest, String> {
    let server = start_embedded(minio)?;
    let site = Site { endpoint: server.endpoint.clone(), ..minio.clone() };
    let load = Load { bucket: "bench-embedded", file: "best_model.pth", size: MODEL };
    let mut competitors = Vec::new();
    let verb = if pushing { "`modeldepot push` to" } else { "`modeldepot pull` from" };
    for (name, server, site) in [("embedded", "`modeldepot up`", &site), ("MinIO", "MinIO", minio)] {
        let does = format!("{verb} {server}");
        let only = [Peer::Modeldepot];
        let made = if pushing { single::push(site, &load, &only)? } else { single::pull(site, &load, &only)? };
        competitors.extend(made.into_iter().map(|one| Competitor {
            name: name.to_owned(),
            does: does.to_owned(),
            ..one
        }));
    }
    Ok(Contest {
        competitors,
        compared: true,
        rounds: options.rounds,
        about: "CPU and memory are those of the client.".to_owned(),
        buckets: vec![(minio.clone(), load.bucket), (site.clone(), load.bucket)],
        kept: vec![Box::new(server)],
        ..blank(minio, if pushing { "a push to the embedded server" } else { "a pull from the embedded server" })
    })
}

/// Starts the embedded server of the measured command, and waits until it answers.
fn start_embedded(minio: &Site) -> Result<servers::Server, String> {
    let [port] = servers::free_ports()?;
    let data = servers::data_dir("embedded")?;
    let mut command = servers::watched("embedded", &data);
    command
        .arg(&minio.kit.modeldepot)
        .args(["up", "--no-console", "--no-login", "--listen"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("--data")
        .arg(data.join("objects"))
        .env("S3_ACCESS_KEY", servers::ACCESS_KEY)
        .env("S3_SECRET_KEY", servers::SECRET_KEY);
    let mut server = servers::Server::spawn(command, "embedded", port)?;
    // It refuses the unsigned request.
    server.wait_for(port, "/", 403)?;
    Ok(server)
}
