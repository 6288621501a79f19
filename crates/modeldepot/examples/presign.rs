//! Prints a link to a file of a version, which anyone can open for an hour without credentials:
//!
//! ```sh
//! curl -o best_model.pth "$(cargo run --example presign -- plant_classifier@1.0)"
//! ```
//!
//! The server is the one that the environment names (`S3_ENDPOINT`, `S3_ACCESS_KEY`, `S3_SECRET_KEY`, …), or else
//! `http://localhost:9000`, where `modeldepot up` listens. Without a file, the link is for the model file.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program has a terminal and an environment")]

use std::time::Duration;

use modeldepot::s3::PresignedMethod;
use modeldepot::{ArtifactPath, ModelStorage, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (selector, file) = match &arguments[..] {
        [selector] => (selector, None),
        [selector, file] => (selector, Some(file.as_str())),
        _ => return Err("usage: presign MODEL[@VERSION] [FILE]".into()),
    };
    let settings = Settings::from_variables(|name| std::env::var(name).ok())?;
    println!("{}", presign(&settings, selector, file).await?);
    Ok(())
}

/// Returns a link to a file of a version that is valid for an hour.
pub(crate) async fn presign(settings: &Settings, selector: &str, file: Option<&str>) -> modeldepot::Result<String> {
    let storage = ModelStorage::open(settings).await?;
    let file: Option<ArtifactPath> = file.map(str::parse).transpose()?;
    let hour = Duration::from_secs(3600);
    storage.presign(&selector.parse()?, file.as_ref(), PresignedMethod::Get, hour).await
}
