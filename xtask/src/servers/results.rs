//! The results of the contract suite, one file per check, for the table of servers.

use std::fs;
use std::path::PathBuf;

use crate::root;

/// The variable with the folder for the suite's results.
pub const VARIABLE: &str = "MODELDEPOT_TEST_RESULTS";

pub fn folder() -> PathBuf {
    root().join("target/test-servers/results")
}

/// Removes the results of an earlier run.
pub fn forget() {
    let _ = fs::remove_dir_all(folder());
}
