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
        &["--version", "--ver", "--tag", "--rev", "--revision", "--release", "-t"],
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
    (&["push"], &["--tag", "--tags"], "`--meta {name}={value}` adds metadata; `--version {value}` names the version"),
    (
        &["push"],
        &["--param", "--attr", "--set", "--metadata", "--metric", "--metrics", "--params", "--property", "-p"],
        "`--meta {pair}` adds metadata",
    ),
    (
        &["push"],
        &["--label", "--message", "--note", "--notes", "--description", "--comment", "--author"],
        "`--meta {name}={value}` adds metadata",
    ),
    (&["push"], &["-m"], "`--meta message={value}` adds metadata"),
    (&["push"], &["-n"], "--dry-run lists what would be published"),
    (&["push"], &["--name", "--model", "--model-name"], "MODEL is the first argument: `modeldepot push {value} PATH`"),
    (
        &["push"],
        &["--file", "--path", "--folder", "--dir", "--model-file", "--model-path", "-f"],
        "PATH is the second argument: `modeldepot push {model} {value}`",
    ),
    (&["push"], &["--add", "--extra", "--config"], "`--with {value}` adds a file"),
    (
        &["push"],
        &["--include", "--only", "--pattern", "--glob", "-i"],
        "to publish only some files of a folder: `--exclude '*' --exclude '!{value}'`; `--with` adds a single file",
    ),
    (
        &["push", "s3 cp"],
        &["--acl", "--public", "--grants"],
        "access is up to the bucket's own policy; `modeldepot url` gives others a link to one file",
    ),
    (&["push", "pull"], &["--recursive", "-r", "-R"], "leave {arg} out: whole folders are transferred"),
    (
        &["pull"],
        &["--file", "--files", "--include", "--exclude", "--only"],
        "a pull fetches the whole version; `modeldepot url {model}` prints a link to one file",
    ),
    (
        &["push"],
        &["--force", "--overwrite", "--replace"],
        "a published version never changes: choose another --version, or leave it out",
    ),
    (&["push"], &["--ver", "--release", "--rev", "--revision", "-t"], "`--version {value}` names the version"),
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
        &["rm"],
        &["--recursive", "--all", "-r", "-R", "-rf", "-a"],
        "delete one version at a time: `modeldepot rm {model}@VERSION`; `modeldepot versions {model}` lists them",
    ),
    (
        &["s3 rm"],
        &["--recursive", "-r", "-R", "-rf"],
        "delete one object at a time; `modeldepot s3 ls` lists them, and `modeldepot rm` deletes a version with its files",
    ),
    (
        &["s3 cp"],
        &["--recursive", "-r", "-R"],
        "copy one file at a time; `modeldepot push` and `modeldepot pull` transfer whole folders",
    ),
    (
        READ_ONLY,
        &["--limit", "--max", "--count", "--sort", "--filter", "--search", "--all", "-n", "-a", "-l"],
        "it lists everything; --json prints the list for other programs",
    ),
    (&["url"], &["--ttl", "--expiry", "--duration", "--for"], "`--expires {value}` sets the lifetime"),
    (&["url"], &["--upload", "--write"], "--put signs an upload"),
    (&["url"], &["--path", "--name", "-f"], "`--file {value}` chooses the file"),
    (&["up", "serve"], &["--port", "-p"], "`--listen {value}` sets the port"),
    (&["up", "serve"], &["--host", "--bind", "--address", "--addr"], "`--listen ADDRESS:PORT` sets the address"),
    (&["up"], &["--data-dir", "--dir", "--folder", "--storage", "--root"], "`--data {value}` chooses the folder"),
    (
        &["up", "serve"],
        &["--daemon", "--detach", "--background", "-d", "-D"],
        "it runs in the foreground: add `&` to run it in the background",
    ),
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
    (&["versions"], "it lists one model: `modeldepot versions MODEL`"),
    (&["up"], "`--data {arg}` chooses the folder"),
    (&["serve"], "it serves a bucket, not a folder: `modeldepot up --data {arg}` serves one"),
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
        // `--param lr=0.1` has a name of its own.
        let pair = match value {
            Some(value) if value.contains('=') => value.to_owned(),
            _ => "KEY=VALUE".to_owned(),
        };
        // The model, without a version that follows it.
        let model = self.arguments.first().map(|text| text.split('@').next().unwrap_or(text));
        let model = model.filter(|text| text.parse::<ModelName>().is_ok());
        let unnamed = if hint.contains("@{value}") { "VERSION" } else { "VALUE" };
        hint.replace("{pair}", &pair)
            .replace("{verb}", &self.verb)
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
    if arg[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return Some(
            "no value begins with `-` and a digit: versions begin with a letter or digit, and no time is negative"
                .to_owned(),
        );
    }
    let applies = |verbs: &[&str]| verbs.is_empty() || verbs.contains(&typed.verb.as_str());
    let (.., hint) = OPTIONS.iter().find(|(verbs, spelled, _)| applies(verbs) && spelled.contains(&arg))?;
    Some(typed.filled(hint, arg))
}

/// Returns the hint for an argument after the last that the verb takes.
pub(crate) fn surplus(typed: &Typed, arg: &str) -> Option<String> {
    let verb = typed.verb.as_str();
    let model = typed.arguments.first().filter(|text| text.parse::<ModelName>().is_ok());
    if verb == "url"
        && let Some(selector) = typed.arguments.first().filter(|text| text.parse::<Selector>().is_ok())
        && is_like_a_file(arg)
    {
        return Some(format!("`--file` chooses the file: `modeldepot url {selector} --file {arg}`"));
    }
    if let Some(model) = model
        && ["show", "verify", "rm", "url", "check"].contains(&verb)
        && arg.parse::<Version>().is_ok()
    {
        return Some(format!("a version follows `@`: `modeldepot {verb} {model}@{arg}`"));
    }
    if let Some(model) = model
        && verb == "versions"
        && is_like_a_version(arg)
    {
        return Some(format!("`modeldepot show {model}@{arg}` describes a version"));
    }
    // The value of an option, as in `--meta val_acc 0.9` and `-v 1.5`.
    if verb == "push"
        && let Some(hint) = value_alone(typed, arg)
    {
        return Some(hint);
    }
    let (_, hint) = SURPLUS.iter().find(|(verbs, _)| verbs.contains(&verb))?;
    Some(typed.filled(hint, arg))
}

/// Returns the hint for an argument of a push that is no file, but a version or the value of some metadata.
fn value_alone(typed: &Typed, arg: &str) -> Option<String> {
    if Path::new(arg).exists() {
        return None;
    }
    let key = typed
        .options
        .iter()
        .find_map(|(name, value)| value.as_deref().filter(|value| name == "--meta" && !value.contains('=')));
    match key {
        Some(key) => Some(format!("join them with `=`: `--meta {key}={arg}`")),
        None if is_like_a_version(arg) => Some(format!("`--version {arg}` names the version")),
        None => None,
    }
}

/// Returns true for `1`, `1.5`, `v1.5`, `20251028_181858`.
fn is_like_a_version(text: &str) -> bool {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<Version>().is_ok()
}

/// Returns true for a name with an extension that is no number: `best_model.pth`, not `1.5`.
fn is_like_a_file(text: &str) -> bool {
    !is_like_a_version(text) && Path::new(text).extension().is_some()
}

/// Returns the hint for a value that is right in another place: a version after the model of a verb that takes none, a
/// path or an address where a model is needed.
pub(crate) fn value(typed: &Typed, arg: &str, value: &str) -> Option<String> {
    let verb = typed.verb.as_str();
    let second = typed.arguments.get(1).map(String::as_str);
    if !arg.contains("MODEL") {
        return None;
    }
    if value.starts_with("s3:") {
        return Some(format!(
            "the models bucket is a setting: name the model alone, as in `modeldepot {verb} MODEL`; \
             `modeldepot s3 cp` copies single objects"
        ));
    }
    if value.contains('/') || Path::new(value).exists() {
        let is_name = |text: &&str| text.parse::<Selector>().is_ok() && !is_like_a_file(text);
        match (verb, second.filter(is_name)) {
            ("push" | "pull", Some(model)) => {
                return Some(format!("the model comes first: `modeldepot {verb} {model} {value}`"));
            }
            ("verify", _) => {
                return Some(
                    "it checks a version in the bucket, not a folder: `modeldepot verify MODEL[@VERSION]`; to check and \
                     mend a folder, pull the version into it again"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    if let Some((model, version)) = value.split_once('/')
        && arg.contains("MODEL[@VERSION]")
        && is_like_a_version(version)
        && let Ok(selector) = format!("{model}@{version}").parse::<Selector>()
    {
        return Some(format!("a version follows `@`: `modeldepot {verb} {selector}`"));
    }
    let spaced = value.trim().replace(' ', "_");
    if spaced != value && spaced.parse::<ModelName>().is_ok() {
        return Some(format!("did you mean `{spaced}`?"));
    }
    if !["<MODEL>", "[MODEL]"].contains(&arg) {
        return None;
    }
    let Selector { model, version, .. } = value.parse().ok()?;
    let version = version.map_or_else(|| "latest".to_owned(), |version| version.to_string());
    Some(match verb {
        "push" => {
            let path = second.unwrap_or("PATH");
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
