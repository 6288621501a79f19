//! `modeldepot man`.

use crate::error::Error;
use crate::help;
use crate::ui::Ui;

pub(crate) fn run(ui: &Ui) -> Result<(), Error> {
    let mut command = help::verbs();
    // Gives each verb its full name, such as `modeldepot push`.
    command.build();
    let mut page = Vec::new();
    pages(&command, &mut page)?;
    ui.answer_bytes(&page)
}

/// Writes the page of a command, followed by those of its verbs.
fn pages(command: &clap::Command, page: &mut Vec<u8>) -> Result<(), Error> {
    clap_mangen::Man::new(command.clone()).render(page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        pages(verb, page)?;
    }
    Ok(())
}
