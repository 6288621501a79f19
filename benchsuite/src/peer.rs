//! The peers, and what each does with a file.
//!
//! The descriptions are based on the headers that arrive at MinIO (`mc admin trace --verbose`).

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
                "the boto3 pipeline: MD5 in a separate read, upload_file (CRC32 and SHA-256 of each part), manifest"
            }
            Self::S5cmd | Self::SyncedS5cmd => "`cp`: MD5 and SHA-256 of each part, no digest of the whole",
            Self::TunedS5cmd => "the same with `--part-size 8 --concurrency 8`",
            Self::Mc => "`cp`: signed chunks (SHA-256), no digest of the whole",
            Self::Rclone => "`copyto`: MD5 in a separate read first; one request, or parts of 5 MiB above 200 MiB",
            Self::Obstore => "`put`: SHA-256 of each part, no digest of the whole",
            Self::Curl => "`-T` to a presigned URL: no digest",
        }
    }

    /// Describes what a pull does, and what that verifies.
    pub(crate) const fn pulls(self) -> &'static str {
        match self {
            Self::Modeldepot => "BLAKE3 compared with the published one; synced to disk, then renamed into place",
            Self::UnsyncedModeldepot => "the same without the sync: like its peers, not safe from a power failure",
            Self::Boto3 => "the boto3 pipeline: manifest, listing, download_file, MD5 in a separate read",
            Self::S5cmd => "`cp`: parallel ranges, nothing compared",
            Self::TunedS5cmd => "the same with `--part-size 8 --concurrency 8`",
            Self::SyncedS5cmd => "the same, followed by `sync` of the file",
            Self::Mc => "`cp`: one request, nothing compared",
            Self::Rclone => {
                "`copyto`: one request, or four above 256 MiB; only the size is compared after parallel requests"
            }
            Self::Obstore => "`get`, streamed to a file: one request, nothing compared",
            Self::Curl => "`-o` from a presigned URL: one request, nothing compared",
        }
    }
}
