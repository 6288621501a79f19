//! `docs/cli.md`: the long help of every verb, generated from the arguments.

use std::fmt::Write as _;

use clap::Command;

use crate::help;

#[test]
fn generated_cli_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let current = reference();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == current, "docs/cli.md is out of date: run `cargo xtask generate`");
}

#[test]
fn arguments_are_consistent() {
    help::command().debug_assert();
}

fn reference() -> String {
    let mut text = String::from(
        "# The command line\n\n\
         Generated from the help texts by `cargo xtask generate`. Every verb also takes the options of `modeldepot` itself.\n",
    );
    section(&help::command(), "modeldepot", 2, &mut text);
    text
}

fn section(command: &Command, name: &str, level: usize, text: &mut String) {
    // As it is printed: rendered alone, a verb lacks the options of the verbs above it.
    let typed = name.split(' ').chain(["--help"]);
    let help = help::command().term_width(100).try_get_matches_from(typed).unwrap_err().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "\n{} {name}\n\n```text\n{}\n```\n", "#".repeat(level), lines.join("\n").trim_end());
    let by_group = help::GROUPS.iter().flat_map(|(_, verbs)| verbs.iter());
    let place = |verb: &&Command| by_group.clone().position(|name| *name == verb.get_name());
    let mut verbs: Vec<&Command> = command.get_subcommands().collect();
    if level == 2 {
        verbs.sort_by_key(place);
    }
    for verb in verbs {
        section(verb, &format!("{name} {}", verb.get_name()), level + usize::from(level == 2), text);
    }
}
