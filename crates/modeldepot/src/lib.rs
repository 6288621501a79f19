//! Publishes, verifies and fetches trained models on any S3 bucket.

mod digest;
mod error;
pub mod history;
mod key;
mod manifest;
mod name;
mod place;
mod progress;
pub mod s3;
mod settings;
