//! The folder that models are pulled into.

use std::io::{self, Write as _};
use std::path::Path;

use modeldepot::ErrorKind;

use super::line::Line;
use crate::ui::size;

/// Less free space than this gets a note.
const LITTLE: u64 = 1_000_000_000;

/// Checks that a pull can create files there, and how much space is free.
pub(super) fn look(folder: &Path) -> Vec<Line> {
    let shown = folder.display();
    let tried = format!("write into `{shown}`");
    // A pull creates missing folders, so check the nearest one that exists.
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(there) = absolute.ancestors().find(|path| path.symlink_metadata().is_ok()) else {
        return vec![Line::bad("pull folder", ErrorKind::Io, tried, "the path does not exist").change(ELSEWHERE)];
    };
    if !there.is_dir() {
        let found = format!("`{}` is not a folder", there.display());
        return vec![Line::bad("pull folder", ErrorKind::Io, tried, found).change(ELSEWHERE)];
    }
    let found = if there == absolute {
        "writable".to_owned()
    } else {
        format!("does not exist yet; pull creates it in `{}`, which is writable", there.display())
    };
    let mut lines = vec![match write(there) {
        Ok(()) => Line::good("pull folder", tried, found),
        Err((action, error)) => {
            let found = format!("cannot {action} in `{}`: {error}", there.display());
            Line::bad("pull folder", ErrorKind::Io, tried, found).change(ELSEWHERE)
        }
    }];
    lines.extend(space(there));
    lines
}

const ELSEWHERE: &str = "use another folder, or change the permissions or the mount of this one";

/// Performs the file operations of a pull with a small file.
fn write(folder: &Path) -> Result<(), (&'static str, io::Error)> {
    let named = tempfile::Builder::new().prefix(".modeldepot-doctor-").tempfile_in(folder);
    let mut file = named.map_err(|error| ("create a file", without_path(error)))?;
    file.write_all(b"modeldepot doctor\n").map_err(|error| ("write", error))?;
    file.as_file().sync_all().map_err(|error| ("sync a file", error))?;
    file.close().map_err(|error| ("delete a file", without_path(error)))?;
    #[cfg(unix)]
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| ("sync the folder", error))?;
    Ok(())
}

/// Removes the file's random name from an error.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    io::Error::new(error.kind(), text.split(" at path ").next().unwrap_or_default().to_owned())
}

#[cfg(unix)]
fn space(folder: &Path) -> Option<Line> {
    let tried = "check the free space";
    Some(match rustix::fs::statvfs(folder) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let amount = format!("{} free", size(free));
            if free < LITTLE {
                Line::note("free space", tried, amount).change("free some space: a pull needs room for the whole model")
            } else {
                Line::good("free space", tried, amount)
            }
        }
        Err(error) => Line::note("free space", tried, format!("unknown: {error}")),
    })
}

#[cfg(not(unix))]
fn space(_: &Path) -> Option<Line> {
    None
}
