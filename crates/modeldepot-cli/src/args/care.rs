//! The arguments of the verbs that maintain a bucket.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use modeldepot::ModelName;

use super::value::Lifetime;

/// Find and delete orphaned objects
///
/// Finds objects of failed pushes and interrupted deletes, unfinished uploads, and stale leases. Lists them; deletes
/// them only with --delete. Keeps published versions with everything beside their files, pushes in progress, and
/// anything younger than the grace period. Elsewhere, objects that modeldepot did not create are listed but never
/// deleted. The name of a deleted version cannot be used again.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Only this model
    pub(crate) model: Option<ModelName>,
    /// Keep objects younger than this by the server's clock: 90s, 15m, 24h, 7d
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub(crate) grace: Lifetime,
    /// Delete the orphans instead of listing them
    #[arg(long)]
    pub(crate) delete: bool,
}

/// Check every version for damage
///
/// Reads each manifest and checks that every file exists with its published size. Writes nothing. Exits with status 7
/// if a version is damaged.
#[derive(Debug, Args)]
pub(crate) struct FsckArgs {
    /// Only this model
    pub(crate) model: Option<ModelName>,
    /// Also read every file and compare it with its digest
    #[arg(long)]
    pub(crate) deep: bool,
}

/// Diagnose connection and permission problems
///
/// Checks in this order: settings, DNS, port, proxy, TLS, the service that answers, clock, credentials, region, buckets,
/// each permission, the capabilities of the server, and the folder for pulls. Reports for each check what was tried, what
/// came back and what to change. Writes small objects under `.depot/` and deletes them again. Exits with the status of
/// the first failure.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Check that models can be pulled into this folder
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) pull_folder: PathBuf,
}
