//! Fetches a version of a model and verifies every file, then says where the model is:
//!
//! ```sh
//! cargo run --example pull -- plant_classifier@latest models
//! ```
//!
//! The server is the one that the environment names (`S3_ENDPOINT`, `S3_ACCESS_KEY`, `S3_SECRET_KEY`, …), or else
//! `http://localhost:9000`, where `modeldepot up` listens.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program has a terminal")]
#![allow(clippy::disallowed_methods, reason = "a program has an environment")]

use std::path::Path;
use std::process::ExitCode;

use modeldepot::{ErrorKind, Fetched, ModelStorage, Progress, Pull, Settings};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [selector, folder] = &arguments[..] else {
        return Err("usage: pull MODEL[@VERSION] FOLDER".into());
    };
    let settings = Settings::from_variables(|name| std::env::var(name).ok())?;
    let error = match pull(&settings, selector, Path::new(folder)).await {
        Ok(fetched) => {
            println!("version {}, {} files, {} bytes", fetched.manifest.version, fetched.files, fetched.bytes);
            println!("{}", fetched.model_path.display());
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => error,
    };
    eprintln!("error: {error}");
    for cause in modeldepot::causes(&error) {
        eprintln!("  because {cause}");
    }
    // The kind says what to do. What is damaged must not be served, but a server that is down may come back.
    Ok(match error.kind() {
        ErrorKind::Unavailable => ExitCode::from(75),
        ErrorKind::NotFound => ExitCode::from(66),
        _ => ExitCode::FAILURE,
    })
}

/// Fetches a version into `folder`. What the folder already has is verified, not fetched again.
pub(crate) async fn pull(settings: &Settings, selector: &str, folder: &Path) -> modeldepot::Result<Fetched> {
    let storage = ModelStorage::open(settings).await?;
    storage.pull(&Pull::new(selector.parse()?, folder), &Progress::none()).await
}
