//! One file, pushed and pulled.

use std::path::Path;
use std::process::Command;

use crate::contest::Competitor;
use crate::files;
use crate::peer::Peer;
use crate::site::Site;

/// A file to push, and the bucket for it.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) bucket: &'static str,
    pub(crate) file: &'static str,
    pub(crate) size: u64,
}

/// Returns the peers that can take part, and why the others cannot.
pub(crate) fn present(site: &Site, peers: &[Peer]) -> (Vec<Peer>, Vec<String>) {
    let (mut here, mut absent) = (Vec::new(), Vec::new());
    for peer in peers {
        match site.kit.program(*peer) {
            Ok(_) => here.push(*peer),
            Err(why) => absent.push(format!("{}: {why}", peer.name())),
        }
    }
    (here, absent)
}

/// Creates the file and the bucket; returns the file's path.
pub(crate) fn ready(site: &Site, load: &Load) -> Result<std::path::PathBuf, String> {
    let path = site.kit.work.join(load.file);
    files::random(&path, load.size)?;
    site.make_bucket(load.bucket)?;
    Ok(path)
}

/// Pushes with each peer; pushed objects are removed again.
pub(crate) fn push(site: &Site, load: &Load, peers: &[Peer]) -> Result<Vec<Competitor>, String> {
    let path = ready(site, load)?;
    Ok(peers.iter().map(|peer| pusher(site, load, &path, *peer)).collect())
}

fn pusher(site: &Site, load: &Load, path: &Path, peer: Peer) -> Competitor {
    let prepare = {
        let (site, load, path) = (site.clone(), load.clone(), path.to_path_buf());
        move |round: usize| peer.push(&site, load.bucket, &path, &round.to_string())
    };
    let finish = {
        let (site, load) = (site.clone(), load.clone());
        move |round: usize| {
            let folder = format!("{}/v{round}/", peer.name());
            let object = format!("s3://{}/{folder}{}", load.bucket, load.file);
            let found =
                site.run(site.command(Peer::Modeldepot, load.bucket)?.args(["--json", "s3", "stat", &object]))?;
            if !found.contains(&load.size.to_string()) {
                return Err(format!("{object} has not the size of what was pushed: {found}"));
            }
            site.sweep(load.bucket, &folder)
        }
    };
    Competitor {
        name: peer.name().to_owned(),
        does: peer.pushes().to_owned(),
        prepare: Box::new(prepare),
        finish: Box::new(finish),
        counted: false,
    }
}

/// Pulls with each peer what modeldepot pushed before; pulled files are removed again.
pub(crate) fn pull(site: &Site, load: &Load, peers: &[Peer]) -> Result<Vec<Competitor>, String> {
    let path = ready(site, load)?;
    site.run(&Peer::Modeldepot.push(site, load.bucket, &path, "1")?)?;
    Ok(peers.iter().map(|peer| puller(site, load, &path, *peer)).collect())
}

fn puller(site: &Site, load: &Load, path: &Path, peer: Peer) -> Competitor {
    let folder = site.kit.work.join("pulled");
    let prepare = {
        let (site, load, folder) = (site.clone(), load.clone(), folder.clone());
        move |_| -> Result<Command, String> {
            files::empty(&folder)?;
            peer.pull(&site, load.bucket, ("1", load.file), &folder)
        }
    };
    let finish = {
        let (pulled, path) = (folder.join(load.file), path.to_path_buf());
        move |round: usize| {
            files::compare(&pulled, &path, round == 0)?;
            files::empty(&folder)
        }
    };
    Competitor {
        name: peer.name().to_owned(),
        does: peer.pulls().to_owned(),
        prepare: Box::new(prepare),
        finish: Box::new(finish),
        counted: false,
    }
}
