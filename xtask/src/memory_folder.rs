//! A folder in memory for the files of tests that do not depend on a disk.
//!
//! The servers of the tests sync every write, so on a disk their tests mostly wait for it. The embedded server's own tests
//! stay on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{quietly, root};

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// What must be free: several times what all tests together have at one moment.
const NEEDED_KIB: u64 = 8 << 20;

/// The folder. It is deleted when dropped; if that fails, at the start of the next run.
pub(crate) struct MemoryFolder(PathBuf);

impl MemoryFolder {
    /// Makes the folder, if this machine has the memory for it.
    pub(crate) fn new() -> Option<MemoryFolder> {
        let table = quietly(Command::new("df").args(["-Pk", MEMORY])).ok()?;
        let memory = fs::read_to_string("/proc/meminfo").ok()?;
        if free_kib(&table)?.min(available_kib(&memory)?) < NEEDED_KIB {
            return None;
        }
        // One for each checkout, so that the next run can delete what a killed one left.
        let name: String =
            root().to_string_lossy().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let folder = Path::new(MEMORY).join(format!("modeldepot-tests{name}"));
        let _ = fs::remove_dir_all(&folder);
        make(&folder).ok()?;
        Some(MemoryFolder(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for MemoryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a folder that nobody else may enter. Fails if there is one.
fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Reads what `df -Pk` says of one file system.
fn free_kib(table: &str) -> Option<u64> {
    table.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

/// Reads `/proc/meminfo`.
fn available_kib(memory: &str) -> Option<u64> {
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_read() {
        let table =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\ntmpfs 24618204 767532 23850672 4% /dev/shm\n";
        assert_eq!(free_kib(table), Some(23_850_672));
        assert_eq!(free_kib("Filesystem\n"), None);
        assert_eq!(available_kib("MemTotal: 9 kB\nMemAvailable:   123 kB\n"), Some(123));
        assert_eq!(available_kib(""), None);
    }
}
