//! `modeldepot serve`.

use modeldepot_server::{Config, Server};
use serde_json::json;

use super::Context;
use crate::args::{Globals, ServeArgs};
use crate::doctor;
use crate::error::Error;
use crate::interrupt::Signals;
use crate::ui::{BOLD, DIM, styled};

pub(crate) async fn run(args: ServeArgs, globals: &Globals, cx: &Context<'_>) -> Result<(), Error> {
    let mut signals = Signals::listen();
    let server = Server::start(Config { listen: args.listen, settings: cx.settings.clone(), doctor: Some(doctor::for_the_console(globals, cx.settings)?) }).await?;
    let url = server.url();
    let endpoint = cx.storage().await?.client().endpoint().to_owned();
    if cx.ui.json {
        cx.ui.answer_json(&json!({"console": url, "endpoint": endpoint}))?;
    } else {
        let field = |name: &str| styled(DIM, format_args!("{name:<9}"));
        cx.ui.answer(styled(BOLD, "modeldepot serves"))?;
        cx.ui.answer(format_args!("  {} {url}", field("console")))?;
        cx.ui.answer(format_args!("  {} {url}/api/v1, described at {url}/docs", field("api")))?;
        cx.ui.answer(format_args!("  {} {endpoint}", field("endpoint")))?;
        cx.ui.answer(format_args!("  {} {}", field("bucket"), cx.settings.buckets.models))?;
        cx.ui.answer("")?;
        cx.ui.answer(styled(DIM, "Ctrl-C stops it."))?;
    }
    signals.next().await;
    cx.ui.note("stopping");
    // Running requests may finish, unless the user has no patience with them.
    tokio::select! {
        biased;
        signal = signals.next() => Err(signal.into()),
        () = server.stop() => Ok(()),
    }
}
