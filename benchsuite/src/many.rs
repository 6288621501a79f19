//! A folder of many small files, pushed and pulled as one version.

use std::path::Path;
use std::process::Command;

use crate::contest::Competitor;
use crate::files;
use crate::peer::Peer;
use crate::site::Site;

pub(crate) const COUNT: usize = 2_000;
const SIZE: usize = 4 << 10;

/// A way to copy a folder: a peer, with flags where its defaults are not its best.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// The first part of its keys.
    folder: &'static str,
    peer: Peer,
    flags: &'static [&'static str],
    pushes: &'static str,
    pulls: &'static str,
}

const WAYS: [Way; 5] = [
    Way {
        name: "modeldepot",
        folder: "modeldepot",
        peer: Peer::Modeldepot,
        flags: &[],
        pushes: "MD5, BLAKE3 and CRC64NVME of each file; each created only if absent, manifest last",
        pulls: "BLAKE3 of each file compared with the published one; each synced to disk, then all renamed into place",
    },
    Way {
        name: "modeldepot --no-sync",
        folder: "modeldepot",
        peer: Peer::UnsyncedModeldepot,
        flags: &["--no-sync"],
        pushes: "",
        pulls: "the same without the sync: like its peers, not safe from a power failure",
    },
    Way {
        name: "s5cmd",
        folder: "s5cmd",
        peer: Peer::S5cmd,
        flags: &[],
        pushes: "`cp 'DIR/*'`: MD5 and SHA-256 of each file in its request",
        pulls: "`cp 's3://…/*'`: nothing compared",
    },
    Way {
        name: "rclone",
        folder: "rclone",
        peer: Peer::Rclone,
        flags: &[],
        pushes: "`copy` with its defaults (4 transfers): MD5 of each file",
        pulls: "`copy` with its defaults (4 transfers): MD5 of each file compared with its ETag",
    },
    Way {
        name: "rclone --transfers 32",
        folder: "rclone-32",
        peer: Peer::Rclone,
        flags: &["--transfers", "32"],
        pushes: "`copy` with 32 transfers: MD5 of each file",
        pulls: "`copy` with 32 transfers: MD5 of each file compared with its ETag",
    },
];

impl Way {
    fn push(self, site: &Site, bucket: &str, from: &Path, round: &str) -> Result<Command, String> {
        let mut command = site.command(self.peer, bucket)?;
        let folder = format!("{bucket}/{}/v{round}/", self.folder);
        match self.peer {
            Peer::Modeldepot => command.args(["push", self.folder]).arg(from).args(["--version", round]),
            Peer::S5cmd => command.arg("cp").arg(from.join("*")).arg(format!("s3://{folder}")),
            _ => command.arg("copy").args(self.flags).arg(from).arg(format!("bench:{folder}")),
        };
        Ok(command)
    }

    /// Modeldepot pulls what it pushed as version 1, the others what s5cmd pushed, which has no manifest.
    fn pull(self, site: &Site, bucket: &str, to: &Path) -> Result<Command, String> {
        let mut command = site.command(self.peer, bucket)?;
        match self.peer {
            Peer::Modeldepot | Peer::UnsyncedModeldepot => {
                command.arg("pull").args(self.flags).arg("modeldepot@1").arg(to)
            }
            Peer::S5cmd => command.arg("cp").arg(format!("s3://{bucket}/s5cmd/v1/*")).arg(to),
            _ => command.arg("copy").args(self.flags).arg(format!("bench:{bucket}/s5cmd/v1/")).arg(to),
        };
        Ok(command)
    }
}

fn ways(site: &Site) -> (Vec<Way>, Vec<String>) {
    let absent = WAYS.iter().filter_map(|way| Some(format!("{}: {}", way.name, site.kit.program(way.peer).err()?)));
    (WAYS.into_iter().filter(|way| site.kit.program(way.peer).is_ok()).collect(), absent.collect())
}

fn ready(site: &Site, bucket: &str) -> Result<std::path::PathBuf, String> {
    let folder = site.kit.work.join("many");
    files::random_folder(&folder, COUNT, SIZE)?;
    site.make_bucket(bucket)?;
    Ok(folder)
}

pub(crate) fn push(site: &Site, bucket: &'static str) -> Result<(Vec<Competitor>, Vec<String>), String> {
    let folder = ready(site, bucket)?;
    let (ways, absent) = ways(site);
    let competitors = ways.into_iter().filter(|way| way.peer != Peer::UnsyncedModeldepot).map(|way| {
        let here = site.clone();
        let from = folder.clone();
        let prepare = move |round: usize| way.push(&here, bucket, &from, &round.to_string());
        let here = site.clone();
        let finish = move |round: usize| {
            let pushed = format!("{}/v{round}/", way.folder);
            let mut list = here.command(Peer::S5cmd, bucket)?;
            let listed = here.run(list.arg("ls").arg(format!("s3://{bucket}/{pushed}*")))?;
            // The manifest is one more.
            if !(COUNT..=COUNT + 1).contains(&listed.lines().count()) {
                return Err(format!("{} files arrived", listed.lines().count()));
            }
            here.sweep(bucket, &pushed)
        };
        competitor(way, way.pushes, Box::new(prepare), Box::new(finish))
    });
    Ok((competitors.collect(), absent))
}

pub(crate) fn pull(site: &Site, bucket: &'static str) -> Result<(Vec<Competitor>, Vec<String>), String> {
    let folder = ready(site, bucket)?;
    for way in WAYS.iter().filter(|way| matches!(way.peer, Peer::Modeldepot | Peer::S5cmd)) {
        site.run(&way.push(site, bucket, &folder, "1")?)?;
    }
    let (ways, absent) = ways(site);
    let to = site.kit.work.join("pulled-many");
    let competitors = ways.into_iter().map(|way| {
        // A folder for each run, all kept to the end: for five seconds after files are removed, ext4 spends more time
        // on finding room for new ones than on everything else.
        let to = to.clone();
        let target = move |round: usize| to.join(way.name.replace(' ', "-")).join(round.to_string());
        let (here, target_of) = (site.clone(), target.clone());
        let prepare = move |round| {
            files::empty(&target_of(round))?;
            way.pull(&here, bucket, &target_of(round))
        };
        let folder = folder.clone();
        let finish = move |round| files::compare_folders(&target(round), &folder, round == 0);
        competitor(way, way.pulls, Box::new(prepare), Box::new(finish))
    });
    Ok((competitors.collect(), absent))
}

fn competitor(
    way: Way,
    does: &str,
    prepare: Box<dyn Fn(usize) -> Result<Command, String>>,
    finish: Box<dyn Fn(usize) -> Result<(), String>>,
) -> Competitor {
    Competitor { name: way.name.to_owned(), does: does.to_owned(), prepare, finish, counted: false }
}
