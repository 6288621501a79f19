//! `modeldepot completions`.

use clap::CommandFactory as _;

use crate::args::{Args, CompletionsArgs};
use crate::error::Error;
use crate::ui::Ui;

pub(crate) fn run(args: &CompletionsArgs, ui: &Ui) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "modeldepot", &mut script);
    ui.answer_bytes(&script)
}
