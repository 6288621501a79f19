//! The result of each check of the contract suite, a file each, for the table of servers.

use std::fs;
use std::path::PathBuf;

use crate::root;

/// The variable that tells the suite where to write.
pub const VARIABLE: &str = "MODELDEPOT_TEST_RESULTS";

pub fn folder() -> PathBuf {
    root().join("target/test-servers/results")
}

/// Removes the results of an earlier run.
pub fn forget() {
    let _ = fs::remove_dir_all(folder());
}
