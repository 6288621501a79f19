//! Options and arguments of other tools, and misplaced arguments: what to type instead.

use std::ffi::OsString;
use std::path::Path;

use clap::{ArgAction, Command};
use modeldepot::{ModelName, Selector, Version};

use crate::help;

/// An option that no verb, or not this one, has: the verbs, what people type, and the hint. In the hint, `{model}` is the
/// model that was typed, `{value}` the value of the option, `{arg}` the option itself.
type Row = (&'static [&'static str], &'static [&'static str], &'static str);

const ANY: &[&str] = &[];
const ONE_VERSION: &[&str] = &["pull", "show", "verify", "rm", "url", "check", "compare"];
const READ_ONLY: &[&str] = &["models", "versions"];

const OPTIONS: &[Row] = &[
    (
        ONE_VERSION,
        &["--version", "--ver", "--tag", "--rev", "--revision", "--release"],
        "a version follows `@`: `modeldepot {verb} {model}@{value}`",
    ),
    (
        &["pull"],
        &[
            "--output",
            "--out",
            "--dir",
            "--dest",
            "--destination",
            "--folder",
            "--to",
            "--local-dir",
            "--path",
            "-o",
            "-d",
        ],
        "the folder is the second argument: `modeldepot pull {model} {value}`",
    ),
    (
        &["pull"],
        &["--overwrite", "--replace", "-f"],
        "--force overwrites files that were changed or are not from a pull",
    ),
    (&["push"], &["--tag", "--tags", "--label", "--param", "--attr", "--set"], "`--meta {name}={value}` adds metadata"),
    (
        &["push"],
        &["--message", "--note", "--notes", "--description", "--comment", "--author"],
        "`--meta {name}={value}` adds metadata",
    ),
    (
        &["push"],
        &["--name", "--model", "--model-name", "-m", "-n"],
        "MODEL is the first argument: `modeldepot push {value} PATH`",
    ),
    (
        &["push"],
        &["--file", "--path", "--folder", "--dir", "--model-file", "--model-path", "-f"],
        "PATH is the second argument: `modeldepot push {model} {value}`",
    ),
    (&["push"], &["--add", "--include", "--extra", "--config"], "`--with {value}` adds a file"),
    (
        &["push"],
        &["--force", "--overwrite", "--replace"],
        "a published version never changes: choose another --version, or leave it out",
    ),
    (&["push"], &["--ver", "--release"], "`--version {value}` names the version"),
    (&["gc"], &["--dry-run", "--dryrun", "--list", "-n"], "`modeldepot gc` only lists; --delete deletes"),
    (&["gc"], &["--force", "--yes", "--prune", "--apply", "-y", "-f"], "--delete deletes the objects that gc lists"),
    (&["gc"], &["--older-than", "--age", "--keep", "--min-age"], "`--grace {value}` keeps objects younger than this"),
    (
        &["fsck"],
        &["--repair", "--fix", "--delete", "-y"],
        "`modeldepot fsck` only checks; publish a damaged version again, and delete it with `modeldepot rm`",
    ),
    (&["fsck"], &["--full", "--all", "--read", "--digests"], "--deep reads every file"),
    (&["verify"], &["--deep", "--full"], "`modeldepot verify` reads every file; leave {arg} out"),
    (&["rm"], &["--force", "-f"], "--yes deletes without confirmation"),
    (&["rm"], &["--dry-run", "-n"], "without --yes it asks first; `modeldepot show {model}` shows the version"),
    (
        &["rm", "s3 rm", "s3 cp"],
        &["--recursive", "-r", "-R", "-rf"],
        "name each version or object; `modeldepot push` and `modeldepot pull` transfer whole folders",
    ),
    (
        READ_ONLY,
        &["--limit", "--max", "--count", "--sort", "--filter", "--search", "--all", "-n", "-a", "-l"],
        "it lists everything; --json prints the list for other programs",
    ),
    (&["url"], &["--ttl", "--expiry", "--duration", "--for"], "`--expires {value}` sets the lifetime"),
    (&["url"], &["--upload", "--write"], "--put signs an upload"),
    (&["up", "serve"], &["--port", "-p"], "`--listen {value}` sets the port"),
    (&["up", "serve"], &["--host", "--bind", "--address", "--addr"], "`--listen ADDRESS:PORT` sets the address"),
    (&["up"], &["--data-dir", "--dir", "--folder", "--storage", "--root", "-d"], "`--data {value}` chooses the folder"),
    (&["doctor"], &["--fix"], "`modeldepot doctor` only diagnoses, and says what to change"),
    (
        ANY,
        &["--access-key", "--secret-key", "--access-key-id", "--secret-access-key", "--password", "--user", "--key"],
        "secrets cannot be passed as options: set S3_ACCESS_KEY and S3_SECRET_KEY in the environment or in `.env`",
    ),
    (
        ANY,
        &["--no-verify-ssl", "--insecure", "--no-verify", "--no-check-certificate", "-k"],
        "certificates are always checked; `--ca-bundle FILE` trusts another authority",
    ),
    (ANY, &["--debug", "--trace", "--log-level"], "-v shows what is done, -vv the requests"),
    (ANY, &["--silent", "-s"], "--quiet prints only results and errors"),
    (ANY, &["--format", "--output-format", "-j"], "--json prints the result as JSON"),
    (ANY, &["--version", "-V"], "`modeldepot --version` prints the version of modeldepot"),
];

/// Arguments after the last that a verb takes: the verbs, and the hint. `{arg}` is the argument.
const SURPLUS: &[(&[&str], &str)] = &[
    (&["push"], "`--with {arg}` adds a file; or push the folder that holds them all"),
    (&["models"], "`modeldepot versions {arg}` lists the versions of a model"),
    (&["versions"], "`modeldepot show {model}@{arg}` describes a version"),
    (&["pull"], "pull one version at a time: `modeldepot pull MODEL[@VERSION] [DIR]`"),
    (&["rm"], "delete one version at a time: `modeldepot rm MODEL@VERSION`"),
    (&["compare"], "it compares two versions: `modeldepot compare MODEL@A MODEL@B`"),
    (&["s3 cp"], "it copies one object: `modeldepot s3 cp FROM TO`"),
];

/// The arguments as typed: the verb, what follows it, and the options with their values.
pub(crate) struct Typed {
    /// The verb with those above it: `s3 cp`.
    pub(crate) verb: String,
    arguments: Vec<String>,
    options: Vec<(String, Option<String>)>,
}

impl Typed {
    /// Splits the arguments, the program name first, below this verb. A word after an unknown option is its value.
    pub(crate) fn of(typed: &[OsString], verb: &str) -> Typed {
        let root = help::command();
        let depth = verb.split(' ').filter(|name| !name.is_empty()).count();
        let below =
            verb.split(' ').filter(|name| !name.is_empty()).try_fold(&root, |at, name| at.find_subcommand(name));
        let below = below.unwrap_or(&root);
        let (mut arguments, mut options) = (Vec::new(), Vec::new());
        let mut words = typed.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).peekable();
        while let Some(word) = words.next() {
            if word == "--" {
                arguments.extend(words.by_ref());
            } else if word.starts_with('-') && word.len() > 1 {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None if is_flag(below, &root, &word) => (word, None),
                    None => (word, words.next_if(|next| !next.starts_with('-'))),
                };
                options.push((name, value));
            } else {
                arguments.push(word);
            }
        }
        arguments.drain(..depth.min(arguments.len()));
        Typed { verb: verb.to_owned(), arguments, options }
    }

    /// Returns the command: `modeldepot s3 cp`.
    pub(crate) fn name(&self) -> String {
        format!("modeldepot {}", self.verb).trim_end().to_owned()
    }

    /// Returns a hint with the words that were typed in the places of `{model}` and the like.
    fn filled(&self, hint: &str, arg: &str) -> String {
        let value = self.options.iter().find(|(name, _)| name == arg).and_then(|(_, value)| value.as_deref());
        // The model, without a version that follows it.
        let model = self.arguments.first().map(|text| text.split('@').next().unwrap_or(text));
        let model = model.filter(|text| text.parse::<ModelName>().is_ok());
        let unnamed = if hint.contains("@{value}") { "VERSION" } else { "VALUE" };
        hint.replace("{verb}", &self.verb)
            .replace("{model}", model.unwrap_or("MODEL"))
            .replace("{name}", arg.trim_start_matches('-'))
            .replace("{value}", value.unwrap_or(unnamed))
            .replace("{arg}", arg)
    }
}

/// Returns the verb that was typed, with those above it.
pub(crate) fn verb(typed: &[OsString]) -> String {
    let root = help::command();
    let (mut at, mut path) = (&root, Vec::new());
    let mut words = typed.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word.starts_with('-') && word.len() > 1 {
            // The value of an option is not a verb.
            if !word.contains('=') && !is_flag(at, &root, &word) {
                words.next();
            }
        } else if let Some(below) = at.find_subcommand(&*word) {
            path.push(word.into_owned());
            at = below;
        } else {
            break;
        }
    }
    path.join(" ")
}

/// Returns true for an option that takes no value.
fn is_flag(below: &Command, root: &Command, word: &str) -> bool {
    let known = below.get_arguments().chain(root.get_arguments()).find(|arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| word[1..].starts_with(short)),
    });
    known.is_some_and(|arg| !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append))
}

/// Returns the hint for an option that the verb does not have.
pub(crate) fn option(typed: &Typed, arg: &str) -> Option<String> {
    // A short option is reported by its first letter: `-dash.pth` as `-d`.
    let whole = typed.options.iter().map(|(name, _)| name.as_str());
    let file =
        whole.filter(|name| name.starts_with(arg) && !name.starts_with("--")).find(|name| Path::new(name).exists());
    if let Some(file) = file {
        return Some(format!("for a file whose name begins with `-`, type `./{file}`"));
    }
    let applies = |verbs: &[&str]| verbs.is_empty() || verbs.contains(&typed.verb.as_str());
    let (.., hint) = OPTIONS.iter().find(|(verbs, spelled, _)| applies(verbs) && spelled.contains(&arg))?;
    Some(typed.filled(hint, arg))
}

/// Returns the hint for an argument after the last that the verb takes.
pub(crate) fn surplus(typed: &Typed, arg: &str) -> Option<String> {
    let verb = typed.verb.as_str();
    let model = typed.arguments.first().filter(|text| text.parse::<ModelName>().is_ok());
    if let Some(model) = model
        && ["show", "verify", "rm", "url", "check"].contains(&verb)
        && arg.parse::<Version>().is_ok()
    {
        return Some(format!("a version follows `@`: `modeldepot {verb} {model}@{arg}`"));
    }
    let (_, hint) = SURPLUS.iter().find(|(verbs, _)| verbs.contains(&verb))?;
    Some(typed.filled(hint, arg))
}

/// Returns the hint for a value that is right in another place: a version after the model of a verb that takes none.
pub(crate) fn value(typed: &Typed, arg: &str, value: &str) -> Option<String> {
    if !["<MODEL>", "[MODEL]"].contains(&arg) {
        return None;
    }
    let Selector { model, version, .. } = value.parse().ok()?;
    let version = version.map_or_else(|| "latest".to_owned(), |version| version.to_string());
    Some(match typed.verb.as_str() {
        "push" => {
            let path = typed.arguments.get(1).map_or("PATH", String::as_str);
            match version.as_str() {
                "latest" => format!("leave `@latest` out: `modeldepot push {model} {path}`"),
                _ => format!("`--version` names it: `modeldepot push {model} {path} --version {version}`"),
            }
        }
        "versions" => format!("`modeldepot show {model}@{version}` describes one version"),
        "fsck" => format!("`modeldepot verify {model}@{version}` checks one version"),
        verb => format!("name the model alone: `modeldepot {verb} {model}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_the_table_are_unknown_and_those_in_hints_are_known() {
        let root = help::command();
        let find = |verb: &str| {
            verb.split(' ').try_fold(&root, |at, name| at.find_subcommand(name)).unwrap_or_else(|| panic!("{verb}"))
        };
        let has = |verb: &Command, option: &str| {
            verb.get_arguments().chain(root.get_arguments()).any(|arg| {
                arg.get_long().is_some_and(|long| option == format!("--{long}"))
                    || arg.get_short().is_some_and(|short| option == format!("-{short}"))
            })
        };
        for (verbs, spelled, hint) in OPTIONS {
            for verb in *verbs {
                for option in *spelled {
                    assert!(!has(find(verb), option), "`{verb}` has `{option}`");
                }
                let named = hint.split([' ', '`', ';', ':', ',']).filter(|word| word.starts_with("--"));
                for option in named.filter(|option| *option != "--version") {
                    assert!(has(find(verb), option), "`{verb}` has no `{option}`: {hint}");
                }
            }
            for other in hint.split("`modeldepot ").skip(1).filter(|other| !other.starts_with(['{', '-'])) {
                find(other.split([' ', '`']).next().unwrap());
            }
        }
        for (verbs, _) in SURPLUS {
            verbs.iter().for_each(|verb| assert!(!find(verb).get_name().is_empty()));
        }
    }

    #[test]
    fn what_is_typed_is_taken_apart() {
        let typed: Vec<OsString> = ["modeldepot", "-q", "--region", "pull", "pull", "m", "--dir", "x", "--tag=1", "-v"]
            .map(OsString::from)
            .into();
        let typed = Typed::of(&typed, "pull");
        assert_eq!(typed.arguments, ["m"]);
        let option = |name: &str| typed.options.iter().find(|it| it.0 == name).map(|it| it.1.as_deref());
        assert_eq!(option("--dir"), Some(Some("x")));
        assert_eq!(option("--tag"), Some(Some("1")));
        assert_eq!((option("-q"), option("-v"), option("-x")), (Some(None), Some(None), None));
    }
}
