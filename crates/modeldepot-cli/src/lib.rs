//! The `modeldepot` command: parses arguments, resolves settings, calls the library and prints results.
//!
//! It is a library so that the Python package can include the command ([`run`]), read the same settings ([`settings`])
//! and describe failures in the same way ([`Failure`]).

mod advice;
mod args;
mod commands;
mod config;
mod error;
mod failure;
mod help;
mod hint;
mod interrupt;
mod mistakes;
mod new_version;
mod origin;
#[cfg(test)]
mod reference;
mod refused;
mod swapped;
mod ui;
mod unknown;

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use clap::FromArgMatches as _;
use clap::error::ErrorKind as Refusal;
use modeldepot::Settings;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::args::{Args, Command, Globals};
use crate::error::Error;
use crate::ui::{BAD, Fitted, HINT, Ui, WARN, styled};

pub use crate::config::{publisher as published_by, settings_of as settings, state_folder, warnings};
pub use crate::failure::Failure;
pub use crate::new_version::new_version;
pub use crate::swapped::{Swapped, swapped};

/// Runs the command with these arguments, the program name first, and returns the exit status. Signal handlers and the
/// logger belong to the process, so run it once per process.
pub fn run(typed: impl IntoIterator<Item = OsString>) -> u8 {
    let typed: Vec<OsString> = typed.into_iter().collect();
    let mut command = help::command();
    let matches = command.try_get_matches_from_mut(&typed);
    let args = match matches.and_then(|matches| Args::from_arg_matches(&matches).map_err(|it| it.format(&mut command)))
    {
        Ok(args) => args,
        Err(refusal) => return refused(&refusal, &typed),
    };
    let ui = Ui::new(&args.globals);
    let (settings, done) = obey(args, &ui);
    match done {
        Ok(()) => 0,
        Err(error) => {
            ui.failure(&error, settings.as_ref());
            error.exit()
        }
    }
}

/// Runs the verb, and also returns the settings, for hints.
fn obey(args: Args, ui: &Ui) -> (Option<Settings>, Result<(), Error>) {
    let Args { globals, command } = args;
    let command = match commands::run_offline(command, ui) {
        Ok(command) => command,
        Err(done) => return (None, done),
    };
    log(&globals, matches!(command, Command::Up(_) | Command::Serve(_)));
    // The demo needs no settings and must run despite a broken `.env`.
    let settings = match &command {
        Command::Demo(_) => config::defaults(),
        _ => {
            for (warning, hint) in config::warnings() {
                ui.warning(format_args!("{} {warning}", styled(WARN, "warning:")));
                ui.warning(format_args!("{} {hint}", styled(HINT, "hint:")));
            }
            config::settings(&globals)
        }
    };
    // These show the endpoint themselves, or use none.
    let tells = !matches!(
        &command,
        Command::Demo(_) | Command::Up(_) | Command::Token(_) | Command::Key(_) | Command::Config | Command::Doctor(_)
    );
    if tells
        && let Ok(settings) = &settings
        && let Ok(Some((note, hint))) = config::aws_by_default(&globals, settings)
    {
        ui.note(format_args!("{} {note}", styled(HINT, "note:")));
        ui.note(format_args!("{} {hint}", styled(HINT, "hint:")));
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return (None, Err(error)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => return (Some(settings), Err(Error::Runtime { source })),
    };
    let done = runtime.block_on(async {
        let done = commands::run(command, &globals, &settings, ui).await;
        settled().await;
        done
    });
    // Threads that write temporary files end soon.
    runtime.shutdown_timeout(Duration::from_secs(2));
    (Some(settings), done)
}

/// Waits briefly for the tasks of cancelled work to end. A task that is still running when the runtime shuts down can
/// panic.
async fn settled() {
    // Releases the lease of an interrupted push, unless the server does not answer.
    let _ = tokio::time::timeout(Duration::from_secs(3), modeldepot::settled()).await;
    let tasks = tokio::runtime::Handle::current().metrics();
    for _ in 0..100 {
        if tasks.num_alive_tasks() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tracing::debug!(tasks = tasks.num_alive_tasks(), "ending while tasks are running");
}

/// Prints the help or version, or why the arguments cannot be parsed.
fn refused(refusal: &clap::Error, typed: &[OsString]) -> u8 {
    // The arguments were not parsed, but a program that reads JSON should still get it.
    let json = typed.iter().any(|arg| arg == "--json");
    let printed = match refusal.kind() {
        Refusal::DisplayHelp | Refusal::DisplayVersion => true,
        Refusal::DisplayHelpOnMissingArgumentOrSubcommand => !json,
        _ => false,
    };
    if printed {
        // A closed pipe is not an error.
        let _ = refusal.print();
        return u8::try_from(refusal.exit_code()).unwrap_or(2);
    }
    let error = refused::error(refusal, typed);
    Ui::new(&Globals { json, ..Globals::default() }).failure(&error, None);
    error.exit()
}

/// Formats log events like the messages of the command.
struct Warnings;

impl<S, N> FormatEvent<S, N> for Warnings
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &tracing::Event<'_>) -> fmt::Result {
        let (style, word) = match *event.metadata().level() {
            tracing::Level::ERROR => (BAD, "error:"),
            _ => (WARN, "warning:"),
        };
        match to.has_ansi_escapes() {
            true => write!(to, "{} ", styled(style, word))?,
            false => write!(to, "{word} ")?,
        }
        cx.format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}

/// Logs to stderr: our own events with -v, requests with -vv, SDK events with -vvv. Never the SDK's traces, which
/// contain headers. Servers always log warnings.
fn log(globals: &Globals, serves: bool) {
    let filter = match globals.verbose {
        0 if serves => "modeldepot_listen=warn,modeldepot_server=warn,modeldepot_embedded=warn",
        0 => return,
        1 => "modeldepot=debug,modeldepot_embedded=info",
        2 => "modeldepot=trace,modeldepot_embedded=debug",
        _ => "modeldepot=trace,modeldepot_embedded=debug,aws_smithy_runtime=debug,aws_sdk_s3=debug,aws_config=info",
    };
    let stderr = || Fitted(anstream::AutoStream::new(std::io::stderr(), anstream::ColorChoice::global()));
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_ansi(colours).with_writer(stderr);
    match globals.verbose {
        0 => log.event_format(Warnings).init(),
        1 => log.without_time().init(),
        _ => log.with_timer(tracing_subscriber::fmt::time::uptime()).init(),
    }
}
