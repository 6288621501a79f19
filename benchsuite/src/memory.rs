//! Memory of a push and a pull, for a file of a hundred megabytes and one a hundred times as large.

use std::process::Command;

use crate::contest::Competitor;
use crate::files;
use crate::peer::Peer;
use crate::single::{Load, ready};
use crate::site::Site;
use xtask::quietly;

/// The size of the file, the object and the pulled file together, with a margin.
const ROOM: u64 = 36 << 30;

/// A push and a pull, in this order, in one round: the pull fetches what the push published.
pub(crate) fn competitors(site: &Site, load: &Load, size: &str) -> Result<[Competitor; 2], String> {
    let path = ready(site, load)?;
    let pulled = site.kit.work.join("pulled");
    let (here, loaded, from) = (site.clone(), load.clone(), path.clone());
    let push = move |_| Peer::Modeldepot.push(&here, loaded.bucket, &from, "1");
    let (here, loaded, to) = (site.clone(), load.clone(), pulled.clone());
    let pull = move |_| {
        files::empty(&to)?;
        Peer::Modeldepot.pull(&here, loaded.bucket, ("1", loaded.file), &to)
    };
    let (here, loaded) = (site.clone(), load.clone());
    let clean = move |_| {
        files::compare(&pulled.join(loaded.file), &path, true)?;
        files::empty(&pulled)?;
        here.sweep(loaded.bucket, "modeldepot/")
    };
    Ok([
        Competitor {
            name: format!("push, {size}"),
            does: "`modeldepot push`".to_owned(),
            prepare: Box::new(push),
            finish: Box::new(|_| Ok(())),
            counted: false,
        },
        Competitor {
            name: format!("pull, {size}"),
            does: "`modeldepot pull`".to_owned(),
            prepare: Box::new(pull),
            finish: Box::new(clean),
            counted: false,
        },
    ])
}

/// Returns an error when the disk has no room for the large file.
pub(crate) fn room(site: &Site) -> Result<(), String> {
    let said = quietly(Command::new("df").arg("-Pk").arg(&site.kit.work))?;
    let free = said.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match free {
        Some(free) if free < ROOM >> 10 => {
            Err(format!("needs {} GiB of free disk space, there are {}", ROOM >> 30, free >> 20))
        }
        _ => Ok(()),
    }
}
