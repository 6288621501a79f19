//! The verbs, one file each: they call the library and print the result.

mod check;
mod compare;
mod completions;
mod config;
mod demo;
mod doctor;
mod fsck;
mod gc;
mod init;
mod key;
mod listening;
mod man;
mod models;
mod neighbours;
mod pull;
mod push;
mod rm;
mod s3;
mod s3_logs;
mod serve;
mod show;
mod token;
mod up;
mod url;
mod verify;
mod versions;

use modeldepot::{ModelStorage, Settings};
use time::OffsetDateTime;

use crate::args::{Command, Globals};
use crate::error::Error;
use crate::interrupt::unless_interrupted;
use crate::ui::Ui;

/// What every verb has access to.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) ui: &'a Ui,
}

impl Context<'_> {
    /// Opens the storage. No request is sent yet.
    async fn storage(&self) -> Result<ModelStorage, Error> {
        Ok(ModelStorage::open(self.settings).await?)
    }
}

/// Runs verbs that need neither settings nor a runtime; returns all others.
pub(crate) fn run_offline(command: Command, ui: &Ui) -> Result<Command, Result<(), Error>> {
    match command {
        Command::Completions(args) => Err(completions::run(&args, ui)),
        Command::Man => Err(man::run(ui)),
        command => Ok(command),
    }
}

/// Runs a verb, unless a signal comes first.
pub(crate) async fn run(command: Command, globals: &Globals, settings: &Settings, ui: &Ui) -> Result<(), Error> {
    let cx = Context { settings, ui };
    match command {
        // These clean up after a signal, so they handle signals themselves.
        Command::Up(args) => up::run(args, globals, &cx).await,
        Command::Serve(args) => serve::run(args, globals, &cx).await,
        Command::Check(args) => check::run(args, &cx).await,
        Command::Demo(args) => demo::run(args, ui).await,
        Command::Doctor(args) => doctor::run(args, globals, &cx).await,
        Command::Config => config::run(globals, &cx),
        command => {
            let resumes = match &command {
                Command::Push(push) => !push.no_resume && !push.dry_run,
                Command::Pull(pull) => !pull.no_resume,
                _ => false,
            };
            let done = unless_interrupted(verb(command, &cx)).await;
            done.map_err(|signal| Error::Signal { signal, kept: resumes.then(|| ui.kept().bytes()) })?
        }
    }
}

async fn verb(command: Command, cx: &Context<'_>) -> Result<(), Error> {
    match command {
        Command::Init => init::run(cx).await,
        Command::Push(args) => push::run(*args, cx).await,
        Command::Pull(args) => pull::run(args, cx).await,
        Command::Token(args) => token::run(args, cx),
        Command::Key(args) => key::run(args, cx),
        Command::Models => models::run(cx).await,
        Command::Versions(args) => versions::run(args, cx).await,
        Command::Show(args) => show::run(args, cx).await,
        Command::Compare(args) => compare::run(args, cx).await,
        Command::Verify(args) => verify::run(args, cx).await,
        Command::Rm(args) => rm::run(args, cx).await,
        Command::Url(args) => url::run(args, cx).await,
        Command::S3(command) => s3::run(command, cx).await,
        Command::Fsck(args) => fsck::run(args, cx).await,
        Command::Gc(args) => gc::run(args, cx).await,
        Command::Up(_) | Command::Serve(_) | Command::Check(_) | Command::Doctor(_) | Command::Demo(_) => Ok(()),
        Command::Completions(_) | Command::Man | Command::Config => Ok(()),
    }
}

/// Formats a time for JSON.
fn rfc3339(time: Option<OffsetDateTime>) -> Option<String> {
    time?.to_offset(time::UtcOffset::UTC).format(&time::format_description::well_known::Rfc3339).ok()
}

/// Returns, as JSON, the objects that are not part of a version and were left in place.
pub(crate) fn foreign_json(foreign: &modeldepot::Foreign) -> serde_json::Value {
    serde_json::json!({"objects": foreign.objects, "bytes": foreign.bytes, "paths": foreign.paths})
}

/// Warns of damaged versions in a listing.
fn tell_damaged(damaged: usize, of: &str, cx: &Context<'_>) {
    if damaged > 0 {
        let versions = crate::ui::plural(damaged, "version");
        let warning = crate::ui::styled(crate::ui::HINT, "warning:");
        cx.ui.note(format_args!("{warning} {versions} damaged; `modeldepot fsck{of}` shows the damage"));
    }
}

/// Returns true if the bucket keeps deleted objects as noncurrent versions. If the server does not say, assumes the
/// default, which is that it does not.
async fn kept_as_versions(storage: &modeldepot::ModelStorage) -> bool {
    matches!(storage.client().keeps_versions(storage.bucket()).await, Ok(Some(true)))
}

/// Notes that the deleted data still uses space.
fn note_kept(storage: &modeldepot::ModelStorage, cx: &Context<'_>) {
    cx.ui.note(format_args!(
        "bucket `{}` keeps versions: the bytes stay on the server as noncurrent versions until a lifecycle rule or an \
         administrator deletes them",
        storage.bucket()
    ));
}
