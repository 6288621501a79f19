//! The S3 client, the only code that names the SDK.

mod answer;
mod body;
mod client;
mod clock;
mod connect;
mod diagnosis;
mod download;
mod http;
mod multipart;
mod part;
mod parts;
mod probe;
mod ranges;
mod rate;
mod reading;
mod upload;

pub use client::{Created, ListedObject, ObjectMetadata, PresignedMethod, S3Client, UploadOptions};
pub use clock::Head;
pub use diagnosis::Answer;
pub(crate) use download::Sink;
pub use multipart::UnfinishedUpload;
pub(crate) use parts::FILES as FILES_AT_ONCE;
pub use probe::{Capabilities, ChecksumSupport};
pub(crate) use ranges::Ranges;
pub(crate) use reading::digest_file;
pub(crate) use upload::{Pending, Sent};
