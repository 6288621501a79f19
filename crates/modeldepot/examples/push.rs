//! Publishes a file or a folder as a version of a model, with metadata and progress:
//!
//! ```sh
//! cargo run --example push -- plant_classifier best_model.pth 1.0
//! ```
//!
//! The server is the one that the environment names (`S3_ENDPOINT`, `S3_ACCESS_KEY`, `S3_SECRET_KEY`, …), or else
//! `http://localhost:9000`, where `modeldepot up` listens. Without a version, the version is the current UTC second.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program has a terminal and an environment")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use modeldepot::{Event, ModelStorage, Progress, Published, Push, Scan, Settings, Source};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, path, version) = match &arguments[..] {
        [model, path] => (model, path, None),
        [model, path, version] => (model, path, Some(version.as_str())),
        _ => return Err("usage: push MODEL PATH [VERSION]".into()),
    };
    let settings = Settings::from_variables(|name| std::env::var(name).ok())?;
    match push(&settings, model, Path::new(path), version).await {
        Ok(published) if published.already => println!("{} is already published", published.manifest.version),
        Ok(published) => println!("published {}@{}", published.manifest.model_name, published.manifest.version),
        // A published version never changes: other content needs another version.
        Err(modeldepot::Error::VersionExists { version, .. }) => println!("{version} is taken, choose another version"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Publishes `path` as a version of `model`.
pub(crate) async fn push(
    settings: &Settings,
    model: &str,
    path: &Path,
    version: Option<&str>,
) -> modeldepot::Result<Published> {
    let storage = ModelStorage::open(settings).await?;

    let source = Source::scan(&Scan::new(path))?;
    let mut push = Push::new(model.parse()?, source).tool("push-example 1.0");
    push.version = version.map(str::parse).transpose()?;
    push.metadata.insert("architecture".to_owned(), "resnet18".into());
    push.metadata.insert("val_accuracy".to_owned(), 0.95.into());

    storage.push(push, &percentages()).await
}

/// Prints how much of all files is stored.
fn percentages() -> Progress {
    let (total, done) = (AtomicU64::new(0), AtomicU64::new(0));
    Progress::new(move |event| match event {
        Event::Planned { bytes, .. } => {
            // Sent again, with what remains, when an attempt is repeated.
            total.store(bytes, Ordering::Relaxed);
            done.store(0, Ordering::Relaxed);
        }
        Event::Moved { path, bytes } => {
            let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            println!("{:>3} % {path}", done * 100 / total.load(Ordering::Relaxed).max(1));
        }
        _ => {}
    })
}
