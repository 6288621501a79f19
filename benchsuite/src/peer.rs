//! The peers, what each does with a file, and its command.
//!
//! The descriptions are based on the headers that arrive at MinIO (`mc admin trace --verbose`).

use std::path::Path;
use std::process::Command;

use crate::measure::surround;
use crate::site::Site;

/// An S3 client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Modeldepot,
    /// Without waiting for the disk, like its peers' pulls.
    UnsyncedModeldepot,
    /// `tests/python/original_pipeline.py`.
    Boto3,
    S5cmd,
    /// With parts as small as modeldepot's, and as many at once, where its defaults use few.
    TunedS5cmd,
    /// With the pulled file synced to disk, as modeldepot does.
    SyncedS5cmd,
    Mc,
    Rclone,
    Obstore,
    Curl,
}

const TUNED: [&str; 5] = ["cp", "--part-size", "8", "--concurrency", "8"];

impl Peer {
    /// The peers in all single-file contests.
    pub(crate) const ALL: [Self; 7] =
        [Self::Modeldepot, Self::Boto3, Self::S5cmd, Self::Mc, Self::Rclone, Self::Obstore, Self::Curl];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Modeldepot => "modeldepot",
            Self::UnsyncedModeldepot => "modeldepot --no-sync",
            Self::Boto3 => "boto3",
            Self::S5cmd => "s5cmd",
            Self::TunedS5cmd => "s5cmd-tuned",
            Self::SyncedS5cmd => "s5cmd, synced",
            Self::Mc => "mc",
            Self::Rclone => "rclone",
            Self::Obstore => "obstore",
            Self::Curl => "curl",
        }
    }

    /// Describes what a push does, and what that verifies.
    pub(crate) const fn pushes(self) -> &'static str {
        match self {
            Self::Modeldepot | Self::UnsyncedModeldepot => {
                "MD5, BLAKE3 and CRC64NVME in one read; the server checks each part and the whole; \
                 created only if absent, manifest last"
            }
            Self::Boto3 => {
                "the original pipeline: MD5 in a read of its own, upload_file (CRC32 and SHA-256 of each part), manifest"
            }
            Self::S5cmd | Self::SyncedS5cmd => "`cp`: MD5 and SHA-256 of each part, no digest of the whole",
            Self::TunedS5cmd => "the same with `--part-size 8 --concurrency 8`",
            Self::Mc => "`cp`: signed chunks (SHA-256), no digest of the whole",
            Self::Rclone => "`copyto`: MD5 first, in a read of its own; one request, above 200 MiB parts of 5 MiB",
            Self::Obstore => "`put`: SHA-256 of each part, no digest of the whole",
            Self::Curl => "`-T` to a presigned URL: no digest",
        }
    }

    /// Describes what a pull does, and what that verifies.
    pub(crate) const fn pulls(self) -> &'static str {
        match self {
            Self::Modeldepot => "BLAKE3 is the published one; synced to the disk, then renamed into place",
            Self::UnsyncedModeldepot => "the same, without the sync: as safe from a power failure as its peers",
            Self::Boto3 => "the original pipeline: manifest, listing, download_file, MD5 in a read of its own",
            Self::S5cmd => "`cp`: ranges at once, nothing compared",
            Self::TunedS5cmd => "the same with `--part-size 8 --concurrency 8`",
            Self::SyncedS5cmd => "the same, then `sync` of the file",
            Self::Mc => "`cp`: one request, nothing compared",
            Self::Rclone => {
                "`copyto`: one request, above 256 MiB four; of what came in parts only the size is compared"
            }
            Self::Obstore => "`get`, streamed to a file: one request, nothing compared",
            Self::Curl => "`-o` from a presigned URL: one request, nothing compared",
        }
    }

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
