//! Publishes, verifies and fetches trained models on any S3 bucket.
//!
//! A team trains a model. [`ModelStorage::push`] publishes it under a new version, with its metadata and checksums;
//! [`ModelStorage::pull`], on any machine, fetches the latest or a named version, verifies every file against its
//! published digest, and puts it in place. There is no database: everything is stored as objects in the bucket, in a
//! layout that is readable with any S3 browser (`docs/format.md`).
//!
//! ```no_run
//! use modeldepot::{ModelStorage, Progress, Pull, Push, Scan, Settings, Source};
//!
//! # async fn tour() -> modeldepot::Result<()> {
//! let settings = Settings::from_variables(|name| std::env::var(name).ok())?;
//! let storage = ModelStorage::open(&settings).await?;
//!
//! // A file, or a folder with everything in it.
//! let source = Source::scan(&Scan::new("best_model.pth"))?;
//! let push = Push::new("plant_classifier".parse()?, source).version("1.0".parse()?).tool("my-trainer 1.0");
//! let published = storage.push(push, &Progress::none()).await?;
//!
//! let pull = Pull::new("plant_classifier@latest".parse()?, "serving");
//! let fetched = storage.pull(&pull, &Progress::none()).await?;
//! assert_eq!(fetched.manifest.version, published.manifest.version);
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//! - [`ModelStorage`]: operations on models. [`Push`], [`Source`], [`Description`] and similar types are their requests
//!   and results.
//! - [`s3::S3Client`]: operations on buckets and objects, used by `ModelStorage`.
//! - [`Settings`]: the location of the models. Plain data: the library reads no environment, no home folder, no clock.
//! - [`ModelName`], [`Version`], [`ArtifactPath`], [`Selector`]: names, each parsed once.
//! - [`Manifest`], [`ObjectKey`]: the contents of the bucket.
//! - [`history`]: reads training histories into metadata. [`units`]: sizes, durations and times as people read them.
//! - [`Error`] and [`ErrorKind`]: what the caller should do about a failure; [`advice`] says what to do next, and
//!   [`diagnosis`] describes what answers instead of S3. [`Progress`]: progress of a transfer.
//!
//! # Features
//! All are on by default.
//!
//! - `history`: the module [`history`], which reads training histories into metadata. Without it, a version still says
//!   which of its files is the history.
//! - `globs`: patterns of files to leave out, in [`Scan::exclude`](field@Scan::exclude) and in `.modeldepotignore`. Without
//!   it, a push with patterns is refused.
//! - `sso`: credentials of AWS profiles that log in through IAM Identity Center (SSO). Without it, such a profile is
//!   refused; keys, roles, processes and instance metadata work.
//!
//! # Types of other crates
//! The public API shows types of [`bytes`], [`serde_json`], [`time`], [`url`] and [`uuid`], and the trait [`Stream`]. These
//! crates are re-exported, so that a program can name their types in the versions that this library uses:
//! `modeldepot::time::OffsetDateTime`. The methods of streams are in `StreamExt` of `futures-util` or `tokio-stream`.
//!
//! This library is not a server and keeps no cache. Nothing runs in the background except the clean-up after dropped
//! work ([`settled`]).

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod advice;
pub mod diagnosis;
mod error;
mod fs;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod model;
mod progress;
pub mod s3;
mod setters;
mod settings;
mod store;
mod task;
pub mod units;
mod visible;

pub use error::{Error, ErrorKind, Mismatch, OtherError, Result, SourceError, causes};
pub use model::digest::{Blake3, Crc64, DigestError, Md5, Subtree};
#[cfg(feature = "history")]
pub use model::history;
pub use model::key::{ObjectKey, creatable};
pub use model::manifest::{FORMAT_VERSION, FileEntry, Manifest, ManifestError, Parts};
pub use model::model_file::model_file;
pub use model::name::{ArtifactPath, BucketName, ModelName, NameError, PublishedBy, Selector, Version};
pub use model::prefix::KeyPrefix;
pub use progress::{Event, Progress};
pub use s3::S3Client;
pub use settings::{
    Addressing, AwsProfile, Buckets, Credentials, Endpoint, LOOPBACK_LOGIN, Secret, Settings, SettingsError, Timeouts,
};
pub use settings::{Encryption, EncryptionMode, Proxies, Proxy, ProxyError, Writing};
pub use store::{
    Change, Collected, ComparedField, ComparedFile, Comparison, Damaged, Deleted, Description, DirectUpload, Fault,
    Fetched, FileReader, Foreign, FsckReport, GcPlan, Kept, KeptWhy, LeftOut, Malformed, ModelStorage, ModelSummary,
    Obstacle, ObstacleKind, Offer, OfferedFile, Orphans, Probed, Published, Pull, Push, Reason, Scan, Source,
    SourceFile, StoredFile, Verified, VersionSummary,
};
pub use task::settled;
pub use visible::{LONGEST_MESSAGE, is_unseen, shortened, visible};

// What the signatures above show.
#[doc(no_inline)]
pub use futures_util::Stream;
#[doc(no_inline)]
pub use {bytes, serde_json, time, url, uuid};

/// The blocks of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
