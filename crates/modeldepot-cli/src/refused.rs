//! Arguments that cannot be parsed, in the words of the command: an error with its hint instead of clap's report.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use modeldepot::advice::misspelled;

use crate::error::Error;
use crate::help;
use crate::mistakes::{self, Typed};
use crate::unknown;

/// Returns what is wrong with the arguments, and what to type instead.
pub(crate) fn error(refusal: &clap::Error, typed: &[OsString]) -> Error {
    // Not every refusal names its verb.
    let verb = match usage(refusal) {
        usage if usage.is_empty() => mistakes::verb(typed),
        usage => unknown::parent(&usage),
    };
    let typed = Typed::of(typed, &verb);
    let (message, hint) = explained(refusal, &typed);
    Error::Typed { message, hint }
}

fn explained(refusal: &clap::Error, typed: &Typed) -> (String, Option<String>) {
    if let Some((message, hint)) = unknown::explained(refusal) {
        return (message, Some(hint));
    }
    let name = typed.name();
    let help = || format!("`{name} --help` shows its arguments and options, with examples");
    let arg = text(refusal, ContextKind::InvalidArg).unwrap_or_default();
    let value = text(refusal, ContextKind::InvalidValue).unwrap_or_default();
    match refusal.kind() {
        ErrorKind::UnknownArgument if arg.starts_with('-') => {
            let hint = mistakes::option(typed, &arg).or_else(|| similar(typed, &arg));
            (format!("`{name}` has no option `{arg}`"), Some(hint.unwrap_or_else(help)))
        }
        ErrorKind::UnknownArgument => {
            let hint = mistakes::surplus(typed, &arg).unwrap_or_else(help);
            (format!("unexpected argument `{arg}`"), Some(hint))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<String> = texts(refusal, ContextKind::InvalidArg).iter().map(|arg| plain(arg)).collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            let shows = |example: &&str| {
                missing.iter().all(|arg| {
                    !arg.starts_with("`--")
                        || example.contains(arg.split(' ').next().unwrap_or_default().trim_start_matches('`'))
                })
            };
            let example = help::example(&typed.verb).filter(shows);
            let hint = example.map_or_else(help, |example| format!("for example: `{example}`"));
            (format!("{} {verb} missing", listed(&missing, "and")), Some(hint))
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(refusal).map(ToString::to_string).unwrap_or_default();
            let hint = mistakes::value(typed, &arg, &value);
            // Most reasons name the value already.
            let message = match why.starts_with('`') {
                true => why,
                false => format!("invalid value `{value}` for `{}`: {why}", option_name(&arg)),
            };
            (message, hint)
        }
        ErrorKind::InvalidValue => {
            let values = listed(&texts(refusal, ContextKind::ValidValue), "or");
            let rule = if values.is_empty() { String::new() } else { format!(": use {values}") };
            let message = match value.is_empty() {
                true => format!("`{}` needs a value{rule}", plain(&arg).trim_matches('`')),
                false => format!("invalid value `{value}` for `{}`{rule}", option_name(&arg)),
            };
            (message, values.is_empty().then(help))
        }
        ErrorKind::ArgumentConflict => {
            let others: Vec<String> =
                texts(refusal, ContextKind::PriorArg).iter().map(|arg| format!("`{}`", option_name(arg))).collect();
            let arg = option_name(&arg);
            match others.contains(&format!("`{arg}`")) {
                true => (format!("`{arg}` is given more than once"), Some("give it once".to_owned())),
                false => (
                    format!("`{arg}` cannot be used with {}", listed(&others, "or")),
                    Some("leave one of them out".to_owned()),
                ),
            }
        }
        ErrorKind::TooManyValues => {
            let hint = match option_name(&arg) {
                "--verbose" => "repeat it for more, as in -vv",
                _ => "leave the value out",
            };
            (format!("`{}` takes no value", option_name(&arg)), Some(hint.to_owned()))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            ("a command is missing".to_owned(), Some(format!("`{name} --help` lists the commands")))
        }
        ErrorKind::InvalidUtf8 => ("an argument is not valid UTF-8".to_owned(), Some(help())),
        _ => {
            let text = refusal.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ").replace('\'', "`");
            (line, Some(help()))
        }
    }
}

fn usage(refusal: &clap::Error) -> String {
    refusal.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default()
}

fn text(refusal: &clap::Error, kind: ContextKind) -> Option<String> {
    texts(refusal, kind).into_iter().next()
}

fn texts(refusal: &clap::Error, kind: ContextKind) -> Vec<String> {
    match refusal.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) if kind == ContextKind::ValidValue => {
            texts.iter().map(|text| format!("`{text}`")).collect()
        }
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// Returns an argument as it is typed: `MODEL` for `<MODEL>`, `--scope SCOPE` for `--scope <SCOPE>`.
fn plain(arg: &str) -> String {
    let arg = arg.trim_end_matches("...");
    match arg.split_once(" <") {
        Some((option, value)) => format!("`{option} {}`", value.trim_end_matches('>')),
        None => format!("`{}`", placeholder(arg)),
    }
}

/// Returns the name of an option without its value, or of an argument.
fn option_name(arg: &str) -> &str {
    placeholder(arg.trim_end_matches("...").split(" <").next().unwrap_or(arg))
}

fn placeholder(arg: &str) -> &str {
    // `[FILE]` is one; `<MODEL[@VERSION]>` ends in a bracket of its own.
    if let Some(inner) = arg.strip_prefix('<') {
        return inner.strip_suffix('>').unwrap_or(inner);
    }
    match arg.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner,
        None => arg,
    }
}

fn listed(names: &[String], word: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// Returns the option of the verb that is spelled nearly the same.
fn similar(typed: &Typed, arg: &str) -> Option<String> {
    let arg = arg.strip_prefix("--")?;
    let root = help::command();
    let verb =
        typed.verb.split(' ').filter(|name| !name.is_empty()).try_fold(&root, |at, name| at.find_subcommand(name))?;
    let names: Vec<&str> = verb.get_arguments().chain(root.get_arguments()).filter_map(|arg| arg.get_long()).collect();
    // Of `--history-file` and `--meta-data`, the first word counts too.
    let first = arg.split('-').next().filter(|first| names.contains(first));
    let best = misspelled(arg, names.iter().copied()).or(first)?;
    Some(format!("did you mean `--{best}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_named_as_they_are_typed() {
        assert_eq!(plain("<MODEL[@VERSION]>"), "`MODEL[@VERSION]`");
        assert_eq!(plain("[DIR]"), "`DIR`");
        assert_eq!(plain("--scope <SCOPE[:MODELS]>"), "`--scope SCOPE[:MODELS]`");
        assert_eq!(plain("--with <FILE>..."), "`--with FILE`");
        assert_eq!(option_name("--meta <KEY=VALUE>"), "--meta");
        assert_eq!(option_name("--quiet"), "--quiet");
        assert_eq!(option_name("<s3://BUCKET[/KEY]>"), "s3://BUCKET[/KEY]");
    }

    #[test]
    fn lists() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(listed(&names(&["a"]), "and"), "a");
        assert_eq!(listed(&names(&["a", "b"]), "and"), "a and b");
        assert_eq!(listed(&names(&["a", "b", "c"]), "or"), "a, b or c");
    }
}
