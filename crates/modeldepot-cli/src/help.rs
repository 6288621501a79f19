//! The help texts: verbs in groups, global options once, examples at the end of each verb.
//!
//! The texts are the doc comments in [`crate::args`]; this module arranges them. The list of verbs is generated from
//! the [`Command`], and a test fails if a verb is in no group or has no examples.

mod examples;

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use self::examples::examples;
use crate::args::{Args, EXITS};

/// The verbs under their headings, in the order of the help.
pub(crate) const GROUPS: [(&str, &[&str]); 5] = [
    ("Publish and fetch", &["push", "pull", "url", "s3"]),
    ("Find and compare", &["models", "versions", "show", "compare"]),
    ("Maintain", &["verify", "fsck", "gc", "rm", "check", "doctor"]),
    ("Serve", &["up", "serve", "token", "key", "demo"]),
    ("Configure", &["init", "config", "completions", "man"]),
];

/// Refers from a verb's help to the global options.
const SEE: &str = "Connection and output options: see `modeldepot --help`";

/// The end of `modeldepot -h`.
const MORE: &str = "\
Examples:
  modeldepot push plant_classifier best_model.pth
  modeldepot pull plant_classifier

`modeldepot COMMAND --help` shows the options of a command with examples";

/// Returns the first example of a verb.
pub(crate) fn example(verb: &str) -> Option<&'static str> {
    examples(verb).first().copied()
}

/// Returns the command for parsing and help.
pub(crate) fn command() -> Command {
    let mut root = verbs();
    let template = template(&root);
    let names: Vec<String> = root.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    // The template lists them in groups; clap would list them again in one block.
    for name in names {
        root = root.mut_subcommand(name, |verb| verb.hide(true));
    }
    root.override_usage("modeldepot [OPTIONS] <COMMAND>")
        .help_template(template)
        .after_help(MORE)
        .after_long_help(format!("{EXITS}\n\n{MORE}"))
}

/// Returns the command with clap's plain list of verbs, for the manual page.
pub(crate) fn verbs() -> Command {
    let root = Args::command();
    let globals: Vec<Arg> = root.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    let names: Vec<String> = root.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    names.into_iter().fold(root, |root, name| {
        let path = name.clone();
        root.mut_subcommand(name, |verb| arranged(verb, &path, &globals))
    })
}

/// Hides the global options in a verb's help, and adds its examples.
fn arranged(verb: Command, path: &str, globals: &[Arg]) -> Command {
    let names: Vec<String> = verb.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let verb = globals.iter().fold(verb, |verb, arg| verb.arg(arg.clone().hide(true)));
    let lines: String = examples(path).iter().map(|line| format!("\n  {line}")).collect();
    let first = examples(path).first().map(|line| format!("\n\nExample:\n  {line}")).unwrap_or_default();
    let verb = verb.after_help(format!("{SEE}{first}")).after_long_help(format!("{SEE}\n\nExamples:{lines}"));
    names.into_iter().fold(verb, |verb, name| {
        let path = format!("{path} {name}");
        verb.mut_subcommand(name, |verb| arranged(verb, &path, globals))
    })
}

/// Returns the help template of `modeldepot` itself.
fn template(root: &Command) -> String {
    let header = *root.get_styles().get_header();
    let literal = *root.get_styles().get_literal();
    let width = root.get_subcommands().map(|verb| verb.get_name().len()).max().unwrap_or(0);
    let mut list = String::new();
    for (heading, verbs) in GROUPS {
        let _ = writeln!(list, "{header}{heading}:{header:#}");
        for verb in verbs.iter().filter_map(|name| root.find_subcommand(name)) {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(list, "  {literal}{:<width$}{literal:#}  {about}", verb.get_name());
        }
        list.push('\n');
    }
    format!("{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}{{all-args}}{{after-help}}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Calls `call` with every verb and its path, including the verbs below it.
    fn each(command: &Command, path: &str, call: &mut impl FnMut(&Command, &str)) {
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let path = format!("{path} {}", verb.get_name()).trim().to_owned();
            call(verb, &path);
            each(verb, &path, call);
        }
    }

    /// Splits a line as a shell does, up to a pipe or a redirection.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote, mut word) = (Vec::new(), None, None::<String>);
        for c in line.chars() {
            match (c, quote) {
                ('|' | '>' | '<', None) => break,
                ('\'' | '"', None) => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (c, Some(open)) if c == open => quote = None,
                (' ', None) => words.extend(word.take()),
                (c, _) => word.get_or_insert_default().push(c),
            }
        }
        assert_eq!(quote, None, "a quote stays open in `{line}`");
        words.extend(word);
        words
    }

    #[test]
    fn every_verb_is_in_one_group() {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for name in GROUPS.iter().flat_map(|(_, verbs)| verbs.iter()) {
            *found.entry(*name).or_default() += 1;
        }
        let root = Args::command();
        let verbs: BTreeMap<&str, usize> = root.get_subcommands().map(|verb| (verb.get_name(), 1)).collect();
        assert_eq!(found, verbs, "GROUPS lists every verb once");
    }

    #[test]
    fn every_verb_ends_with_examples_that_parse() {
        each(&Args::command(), "", &mut |_, path| {
            let examples = examples(path);
            assert!((2..=3).contains(&examples.len()), "`{path}` has {} examples", examples.len());
            let prefix = format!("modeldepot {path}");
            assert!(examples.iter().any(|line| line.starts_with(&prefix)), "no example of `{path}` shows it");
            for line in examples {
                let line = line.split("  #").next().unwrap_or(line).trim_end();
                let typed = words(line);
                assert_eq!(typed.first().map(String::as_str), Some("modeldepot"), "{line}");
                if let Err(refusal) = command().try_get_matches_from(&typed) {
                    panic!("`{line}`, an example of `{path}`: {refusal}");
                }
            }
            let help = verb_help(path, true);
            let last = examples.last().unwrap();
            assert!(help.trim_end().ends_with(last), "the help of `{path}` ends with its examples:\n{help}");
        });
    }

    #[test]
    fn no_examples_are_of_verbs_that_do_not_exist() {
        let mut paths = Vec::new();
        each(&Args::command(), "", &mut |_, path| paths.push(path.to_owned()));
        for path in examples::paths() {
            assert!(paths.iter().any(|known| known == path), "{path}");
        }
    }

    fn verb_help(path: &str, long: bool) -> String {
        let flag = if long { "--help" } else { "-h" };
        let typed = ["modeldepot"].into_iter().chain(path.split(' ')).chain([flag]);
        command().term_width(100).try_get_matches_from(typed).unwrap_err().to_string()
    }

    #[test]
    fn global_options_are_shown_once() {
        let root = Args::command();
        let globals: Vec<String> =
            root.get_arguments().filter_map(|arg| Some(format!("--{} ", arg.get_long()?))).collect();
        assert!(globals.len() > 15);
        let long = format!("{} ", command().render_long_help().to_string().replace('\n', " \n"));
        for flag in &globals {
            assert!(long.replace("...", " ").contains(flag), "{flag} is missing in `modeldepot --help`");
        }
        each(&Args::command(), "", &mut |verb, path| {
            let own: Vec<String> =
                verb.get_arguments().filter_map(|arg| Some(format!("--{} ", arg.get_long()?))).collect();
            for long in [false, true] {
                let help = verb_help(path, long);
                assert!(help.contains(SEE), "{path}: {help}");
                for flag in globals.iter().filter(|flag| !own.contains(flag)) {
                    let listed = help.lines().filter(|line| line.trim_start().starts_with('-'));
                    let listed = listed.map(|line| format!("{line} ")).any(|line| line.contains(flag.as_str()));
                    assert!(!listed, "`{path}` lists {flag}:\n{help}");
                }
            }
            let (short, long) = (verb_help(path, false), verb_help(path, true));
            assert!(short.lines().count() < long.lines().count(), "-h of `{path}` is shorter than --help");
            let (first, _) = short.split_once('\n').unwrap();
            assert!(
                first.len() <= 80 && !first.ends_with('.'),
                "`{path}` says what it does in one short line: {first}"
            );
        });
    }
}
