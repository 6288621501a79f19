//! The arguments of the verbs that look after a bucket.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use modeldepot::ModelName;

use super::value::Lifetime;

/// Find what nobody can reach, and remove it with --delete
///
/// Finds files of pushes that died, what interrupted deletes left, unfinished uploads, and records of dead pushes.
/// Without --delete it only says what it would do. What is younger than the grace period, alive or published is
/// spared; keys that modeldepot did not make are listed and never touched. The name of a removed version is spent.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Look at this model only
    pub(crate) model: Option<ModelName>,
    /// Spare what is younger than this, by the server's clock: 90s, 15m, 24h, 7d
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub(crate) grace: Lifetime,
    /// Remove what was found
    #[arg(long)]
    pub(crate) delete: bool,
}

/// Look for damage in every version
///
/// Reads each manifest, and makes sure that every file is there with its size. Nothing is written. Exits with 7 when
/// anything is damaged.
#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    /// Look at this model only
    pub(crate) model: Option<ModelName>,
    /// Read every file too and compare it with its digest
    #[arg(long)]
    pub(crate) deep: bool,
}

/// Find out why it does not work
///
/// Tries one thing after the other: where settings come from, the name, the port, proxies, TLS, what answers, the
/// clock, the credentials, the region, the buckets, each permission, what the server can do, and the folder for pulls.
/// Says of each what was tried, what came back and what to change. Small objects under `.depot/` are written and
/// removed again. Exits with the status of the first failure.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Look at this folder, into which models will be pulled
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) pull_folder: PathBuf,
}
