//! The S3 client, the only code that names the SDK.

mod answer;
mod client;
mod connect;
mod download;
mod multipart;
mod parts;
mod upload;

pub use client::{Created, ListedObject, ObjectMetadata, PresignedMethod, S3Client, UploadOptions};
pub use multipart::UnfinishedUpload;
pub(crate) use download::Sink;
pub(crate) use upload::Sent;
