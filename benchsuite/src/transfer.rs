//! The commands with which peers push and pull.

use std::path::Path;
use std::process::Command;

use crate::measure::surround;
use crate::peer::Peer;
use crate::site::Site;

const TUNED: [&str; 5] = ["cp", "--part-size", "8", "--concurrency", "8"];

impl Peer {
    /// Returns the command that pushes a file as `FOLDER/vVERSION/NAME`.
    pub(crate) fn push(self, site: &Site, bucket: &str, file: &Path, version: &str) -> Result<Command, String> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let key = format!("{}/v{version}/{name}", self.name());
        let mut command = site.command(self, bucket)?;
        match self {
            Self::Modeldepot | Self::UnsyncedModeldepot => {
                command.args(["push", self.name()]).arg(file).args(["--version", version])
            }
            Self::Boto3 => command.arg("push").arg(file).args([self.name(), version]),
            Self::S5cmd | Self::SyncedS5cmd => command.arg("cp").arg(file).arg(format!("s3://{bucket}/{key}")),
            Self::TunedS5cmd => command.args(TUNED).arg(file).arg(format!("s3://{bucket}/{key}")),
            Self::Mc => command.arg("cp").arg(file).arg(format!("bench/{bucket}/{key}")),
            Self::Rclone => command.arg("copyto").arg(file).arg(format!("bench:{bucket}/{key}")),
            Self::Obstore => command.arg("put").arg(file).arg(key),
            Self::Curl => {
                let url = presigned(site, bucket, &key, &["--put"])?;
                command.args(["--silent", "--show-error", "--fail", "-T"]).arg(file).arg(url)
            }
        };
        Ok(command)
    }

    /// Returns the command that pulls into a folder what modeldepot pushed under a version.
    pub(crate) fn pull(self, site: &Site, bucket: &str, pushed: (&str, &str), to: &Path) -> Result<Command, String> {
        let (version, name) = pushed;
        let model = Self::Modeldepot.name();
        let key = format!("{model}/v{version}/{name}");
        let mut command = site.command(self, bucket)?;
        match self {
            Self::Modeldepot => command.arg("pull").arg(format!("{model}@{version}")).arg(to),
            Self::UnsyncedModeldepot => command.args(["pull", "--no-sync"]).arg(format!("{model}@{version}")).arg(to),
            Self::Boto3 => command.args(["pull", model, version]).arg(to),
            Self::S5cmd => command.arg("cp").arg(format!("s3://{bucket}/{key}")).arg(to.join(name)),
            Self::TunedS5cmd => command.args(TUNED).arg(format!("s3://{bucket}/{key}")).arg(to.join(name)),
            Self::SyncedS5cmd => {
                let copy = Self::S5cmd.pull(site, bucket, pushed, to)?;
                let mut both = Command::new("sh");
                both.args(["-c", "\"$@\" && sync \"$0\""]).arg(to.join(name));
                both.arg(copy.get_program()).args(copy.get_args());
                return Ok(surround(both, &copy));
            }
            Self::Mc => command.arg("cp").arg(format!("bench/{bucket}/{key}")).arg(to.join(name)),
            Self::Rclone => command.arg("copyto").arg(format!("bench:{bucket}/{key}")).arg(to.join(name)),
            Self::Obstore => command.arg("get").arg(key).arg(to.join(name)),
            Self::Curl => {
                let url = presigned(site, bucket, &key, &[])?;
                command.args(["--silent", "--show-error", "--fail", "-o"]).arg(to.join(name)).arg(url)
            }
        };
        Ok(command)
    }
}

fn presigned(site: &Site, bucket: &str, key: &str, options: &[&str]) -> Result<String, String> {
    let mut command = site.command(Peer::Modeldepot, bucket)?;
    let said = site.run(command.args(["s3", "url"]).args(options).arg(format!("s3://{bucket}/{key}")))?;
    Ok(said.trim().to_owned())
}
