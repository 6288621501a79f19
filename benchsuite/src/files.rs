//! Creating files to push, and comparing them with what was pulled.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

/// The block that a large file repeats. Its size is not a power of two, so that no two parts are the same.
const BLOCK: usize = (32 << 20) - 1;

/// Creates a file of random bytes, unless it already exists.
pub(crate) fn random(path: &Path, size: u64) -> Result<(), String> {
    if path.metadata().is_ok_and(|found| found.len() == size) {
        return Ok(());
    }
    let make = || {
        let mut block = vec![0; BLOCK.min(usize::try_from(size).unwrap_or(BLOCK))];
        File::open("/dev/urandom")?.read_exact(&mut block)?;
        let mut file = File::create(path)?;
        let mut left = size;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(BLOCK).min(block.len());
            file.write_all(&block[..now])?;
            left -= now as u64;
        }
        file.sync_all()
    };
    make().map_err(|error| format!("cannot make {}: {error}", path.display()))
}

/// Creates a folder of `count` files, each of random bytes.
pub(crate) fn random_folder(folder: &Path, count: usize, size: usize) -> Result<(), String> {
    let make = || {
        fs::create_dir_all(folder)?;
        let mut bytes = vec![0; count * size];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        for (index, bytes) in bytes.chunks(size).enumerate() {
            fs::write(folder.join(format!("shard-{index:05}.bin")), bytes)?;
        }
        Ok(())
    };
    make().map_err(|error: std::io::Error| format!("cannot make {}: {error}", folder.display()))
}

/// Empties a folder, creating it if necessary.
pub(crate) fn empty(folder: &Path) -> Result<(), String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))
}

/// Returns an error unless the file exists with the size of another, and the same bytes if they are to be read.
pub(crate) fn compare(file: &Path, original: &Path, read: bool) -> Result<(), String> {
    let io = |error| format!("cannot read {}: {error}", file.display());
    let differs = || format!("{} is not what was pushed", file.display());
    if file.metadata().map_err(io)?.len() != original.metadata().map_err(io)?.len() {
        return Err(differs());
    }
    if !read {
        return Ok(());
    }
    let mut left = BufReader::with_capacity(1 << 20, File::open(file).map_err(io)?);
    let mut right = BufReader::with_capacity(1 << 20, File::open(original).map_err(io)?);
    loop {
        let (ours, theirs) = (left.fill_buf().map_err(io)?, right.fill_buf().map_err(io)?);
        let length = ours.len().min(theirs.len());
        if ours[..length] != theirs[..length] {
            return Err(differs());
        }
        if length == 0 {
            return Ok(());
        }
        left.consume(length);
        right.consume(length);
    }
}

/// Returns an error unless a folder has all files of another, with the same bytes if they are to be read.
pub(crate) fn compare_folders(folder: &Path, original: &Path, read: bool) -> Result<(), String> {
    let files = fs::read_dir(original).map_err(|error| format!("cannot list {}: {error}", original.display()))?;
    for file in files.flatten() {
        compare(&folder.join(file.file_name()), &file.path(), read)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_is_seen() {
        let folder = std::env::temp_dir().join(format!("xtask-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (one, other) = (folder.join("one"), folder.join("other"));
        random(&one, 3_000_000).unwrap();
        let mut bytes = fs::read(&one).unwrap();
        fs::write(&other, &bytes).unwrap();
        compare(&one, &other, true).unwrap();
        bytes[2_999_999] ^= 1;
        fs::write(&other, &bytes).unwrap();
        compare(&one, &other, false).unwrap();
        assert!(compare(&one, &other, true).is_err());
        fs::remove_file(&other).unwrap();
        assert!(compare(&one, &other, false).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
