//! `modeldepot demo`: a round trip on an embedded server in a temporary folder.

mod checkpoint;
mod steps;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use modeldepot::{
    Error as Depot, LOOPBACK_LOGIN, Mismatch, ModelName, ModelStorage, Pull, Push, Scan, Selector, Settings, Source,
    Version,
};
use modeldepot_embedded::{Config, Server};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::steps::Steps;
use crate::args::DemoArgs;
use crate::commands::check::checks;
use crate::commands::show;
use crate::error::Error;
use crate::interrupt::unless_interrupted;
use crate::ui::{Ui, plural, size};

const MODEL: &str = "plant_classifier";
const SEED: u64 = 7;

pub(crate) async fn run(args: DemoArgs, ui: &Ui) -> Result<(), Error> {
    // Checked before anything is started.
    if let Some(file) = &args.file {
        Source::scan(&Scan::new(file))?;
    }
    let folder = tempfile::Builder::new()
        .prefix("modeldepot-demo-")
        .tempdir()
        .map_err(Error::io("create a folder in", std::env::temp_dir()))?;
    let mut steps = Steps::new(ui);
    let mut server = None;
    let done = unless_interrupted(script(&args, &folder, &mut server, &mut steps)).await;
    // Stop the server first: it must not write into a folder that is being removed.
    if let Some(server) = server {
        let _ = timeout(Duration::from_secs(5), server.stop()).await;
    }
    let path = folder.path().to_owned();
    let removed = folder.close().map_err(Error::io("remove", path));
    done??;
    removed?;
    steps.end()
}

async fn script(
    args: &DemoArgs,
    folder: &TempDir,
    server: &mut Option<Server>,
    steps: &mut Steps<'_>,
) -> Result<(), Error> {
    let model: ModelName = MODEL.parse().map_err(Depot::from)?;
    let ours = Material::make(args, folder.path(), steps).await?;
    let server: &Server = server.insert(start(folder.path(), steps).await?);
    let storage = ModelStorage::open(&settings(server)?).await?;

    let version = push(&storage, &model, &ours, steps).await?;
    let selector = Selector::new(model.clone()).version(version);
    list(&storage, &model, steps).await?;
    show(&storage, &selector, steps).await?;

    let pulled = folder.path().join("pulled");
    pull(&storage, &selector, &pulled, steps).await?;
    compare(&ours, &pulled, steps).await?;
    check(&storage, &model, steps).await?;

    let damaged = damage(server, &storage, &selector, steps).await?;
    refuse(&storage, &selector, &folder.path().join("refused"), &damaged, steps).await
}

/// The files to publish.
struct Material {
    model: PathBuf,
    history: Option<PathBuf>,
}

impl Material {
    async fn make(args: &DemoArgs, folder: &Path, steps: &mut Steps<'_>) -> Result<Material, Error> {
        if let Some(file) = &args.file {
            steps.title(&format!("modeldepot demo: {} on an embedded S3 server", file.display()))?;
            steps.remark("Your file is only read; copies are made in a temporary folder.")?;
            return Ok(Material { model: file.clone(), history: None });
        }
        steps.title("modeldepot demo: a checkpoint on an embedded S3 server")?;
        steps.remark("The weights are random and the history is made up; nothing was trained.")?;
        steps.begin("make");
        let (model, history) = (folder.join("best_model.safetensors"), folder.join("training_history.json"));
        let paths = (model.clone(), history.clone());
        let made = spawn_blocking(move || -> io::Result<_> {
            let made = checkpoint::write(&paths.0, SEED)?;
            checkpoint::write_history(&paths.1, SEED)?;
            Ok(made)
        });
        let made = made.await.map_err(io::Error::from).flatten().map_err(Error::io("write", &model))?;
        let numbers = format!("{:.1} million parameters", made.parameters as f64 / 1e6);
        steps.done(
            &format!("best_model.safetensors: {}, {} tensors, {numbers}", size(made.bytes), made.tensors),
            None,
        )?;
        Ok(Material { model, history: Some(history) })
    }
}

async fn start(folder: &Path, steps: &mut Steps<'_>) -> Result<Server, Error> {
    steps.begin("up");
    let config = Config {
        buckets: ["models", "plants-images", "data"].map(str::to_owned).into(),
        ..Config::new(folder.join("server"), LOOPBACK_LOGIN, LOOPBACK_LOGIN)
    };
    let server = Server::start(config).await?;
    steps.done(&format!("S3 server on {}, three buckets", server.endpoint()), None)?;
    Ok(server)
}

/// Returns settings for the demo's own server, independent of the user's.
fn settings(server: &Server) -> Result<Settings, Error> {
    let endpoint = server.endpoint();
    let settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| endpoint.clone()));
    Ok(settings.map_err(Depot::from)?)
}

async fn push(
    storage: &ModelStorage,
    model: &ModelName,
    ours: &Material,
    steps: &mut Steps<'_>,
) -> Result<Version, Error> {
    let mut scan = Scan::new(&ours.model);
    scan.history.clone_from(&ours.history);
    let mut source = Source::scan(&scan)?;
    let metadata = source.read_history(&mut Vec::new())?.map(|history| history.metadata()).unwrap_or_default();
    let bar = steps.begin_transfer("push");
    let (files, bytes) = (source.files().len(), source.size());
    let tool = concat!("modeldepot ", env!("CARGO_PKG_VERSION"));
    let push = Push::new(model.clone(), source).metadata(metadata).tool(tool);
    let published = storage.push(push, &bar.progress()).await?;
    drop(bar);
    let version = published.manifest.version;
    steps.done(&format!("{model}@{version}: {}, {}", plural(files, "file"), size(bytes)), Some(bytes))?;
    Ok(version)
}

async fn list(storage: &ModelStorage, model: &ModelName, steps: &mut Steps<'_>) -> Result<(), Error> {
    steps.begin("versions");
    let versions = storage.versions(model).await?;
    let names: Vec<String> = versions.iter().map(|version| version.version.to_string()).collect();
    steps.done(&format!("{}: {}", plural(names.len(), "version"), names.join(", ")), None)
}

async fn show(storage: &ModelStorage, selector: &Selector, steps: &mut Steps<'_>) -> Result<(), Error> {
    steps.begin("show");
    let found = storage.describe(selector).await?;
    steps.done("the manifest:", None)?;
    steps.quote(&show::lines(&found))
}

/// Returns a pull that keeps nothing for later ones.
fn whole(selector: &Selector, folder: &Path) -> Pull {
    Pull::new(selector.clone(), folder).resume(false)
}

async fn pull(storage: &ModelStorage, selector: &Selector, folder: &Path, steps: &mut Steps<'_>) -> Result<(), Error> {
    let bar = steps.begin_transfer("pull");
    let fetched = storage.pull(&whole(selector, folder), &bar.progress()).await?;
    drop(bar);
    let what = format!("{}, {}, every BLAKE3 matches", plural(fetched.files, "file"), size(fetched.bytes));
    steps.done(&what, Some(fetched.bytes))
}

async fn compare(ours: &Material, pulled: &Path, steps: &mut Steps<'_>) -> Result<(), Error> {
    steps.begin("compare");
    let mut bytes = 0;
    for path in [Some(&ours.model), ours.history.as_ref()].into_iter().flatten() {
        let (ours, theirs) = (path.clone(), pulled.join(path.file_name().unwrap_or_default()));
        let name = theirs.clone();
        let compared = spawn_blocking(move || same_bytes(&ours, &theirs)).await;
        match compared.map_err(io::Error::from).flatten().map_err(Error::io("compare", &name))? {
            Some(length) => bytes += length,
            None => return Err(Error::Untrue(format!("`{}` differs from the pushed file", name.display()))),
        }
    }
    steps.done("identical to the pushed files", Some(bytes))
}

async fn check(storage: &ModelStorage, model: &ModelName, steps: &mut Steps<'_>) -> Result<(), Error> {
    steps.begin("check");
    let mut names = Vec::new();
    for outcome in checks(storage, model, None, |_| {}).await {
        match outcome.found {
            Some(Ok(_)) => names.push(outcome.name),
            Some(Err(error)) => return Err(error),
            None => return Err(Error::Untrue(format!("`{}` could not be checked", outcome.name))),
        }
    }
    steps.done(&format!("{} of 7: {}", names.len(), names.join(", ")), None)
}

/// The damage done.
struct Damage {
    name: String,
}

/// Changes one byte on the server's disk.
async fn damage(
    server: &Server,
    storage: &ModelStorage,
    selector: &Selector,
    steps: &mut Steps<'_>,
) -> Result<Damage, Error> {
    steps.begin("damage");
    let found = storage.describe(selector).await?;
    let main = found.main()?;
    let blobs = server.stored_files(storage.bucket().as_str(), &found.manifest.model_file)?;
    let Some(blob) = blobs.get(blobs.len() / 2) else {
        return Err(Error::Untrue(format!("`{main}` is empty: there is no byte to damage")));
    };
    let flipped = flip_middle(blob).map_err(Error::io("damage", blob))?;
    let name = main.to_string();
    let what = format!("one byte of {name} on the server's disk: {:#04x} is now {:#04x}", flipped.0, flipped.1);
    steps.done(&what, None)?;
    Ok(Damage { name })
}

async fn refuse(
    storage: &ModelStorage,
    selector: &Selector,
    folder: &Path,
    damage: &Damage,
    steps: &mut Steps<'_>,
) -> Result<(), Error> {
    let bar = steps.begin_transfer("pull");
    let refused = storage.pull(&whole(selector, folder), &bar.progress()).await;
    drop(bar);
    let (path, place, expected, found) = match refused {
        Err(Depot::Damaged { path, mismatch: Mismatch::Part { first, last, expected, found }, .. }) => {
            (path, format!(" between bytes {first} and {last}"), expected, found)
        }
        Err(Depot::Damaged { path, mismatch: Mismatch::Digest { expected, found, .. }, .. }) => {
            (path, String::new(), expected, found)
        }
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Error::Untrue("the pull did not detect the damage".to_owned())),
    };
    if folder.join(&damage.name).exists() {
        return Err(Error::Untrue(format!("the damaged `{path}` was put in place")));
    }
    steps.done(&format!("refused with exit status 7, no file written: {path} is damaged{place}"), None)?;
    steps.quote(&[format!("BLAKE3 published  {expected}"), format!("BLAKE3 found      {found}")])
}

/// Flips a bit of the byte in the middle of a file, and returns the old and new byte.
fn flip_middle(path: &Path) -> io::Result<(u8, u8)> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let middle = SeekFrom::Start(fs::metadata(path)?.len() / 2);
    let mut byte = [0];
    file.seek(middle)?;
    file.read_exact(&mut byte)?;
    let flipped = byte[0] ^ 1;
    file.seek(middle)?;
    file.write_all(&[flipped])?;
    Ok((byte[0], flipped))
}

/// Returns the length of two files if their bytes are equal.
fn same_bytes(ours: &Path, theirs: &Path) -> io::Result<Option<u64>> {
    let (mut ours, mut theirs) = (BufReader::new(File::open(ours)?), BufReader::new(File::open(theirs)?));
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut length = 0;
    loop {
        let (n, m) = (fill(&mut ours, &mut a)?, fill(&mut theirs, &mut b)?);
        if a[..n] != b[..m] {
            return Ok(None);
        }
        if n == 0 {
            return Ok(Some(length));
        }
        length += n as u64;
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
