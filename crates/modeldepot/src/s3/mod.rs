//! The S3 client, the only code that names the SDK.

mod answer;
mod client;
mod connect;
mod download;
mod multipart;
mod parts;
mod upload;

pub use client::{Created, ListedObject, ObjectMetadata, PresignedMethod, S3Client, UploadOptions};
pub(crate) use download::Sink;
pub use multipart::UnfinishedUpload;
pub(crate) use parts::FILES as FILES_AT_ONCE;
pub(crate) use upload::{Sent, digest_file};
