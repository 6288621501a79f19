//! Verbs and versions as written in other tools, and the command that is probably meant.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use modeldepot::Selector;
use modeldepot::advice::misspelled;

use crate::help;

/// Names in other tools, and the hint for them.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &["ls", "list", "ll", "dir", "search", "find", "images", "lsit", "du"],
        "`modeldepot models` lists the models, `modeldepot versions MODEL` the versions of one",
    ),
    (
        &["download", "get", "fetch", "clone", "checkout", "restore", "load"],
        "`modeldepot pull MODEL` fetches the latest version, `modeldepot s3 cp` a single object",
    ),
    (
        &["upload", "publish", "put", "add", "save", "release", "register", "store", "commit"],
        "`modeldepot push MODEL PATH` publishes a version, `modeldepot s3 cp` stores a single object",
    ),
    (&["cp", "copy", "mv", "move", "cat"], "`modeldepot s3 cp` copies objects; `push` and `pull` transfer versions"),
    (
        &["sync", "mirror"],
        "`modeldepot pull MODEL DIR` fetches only what changed; `modeldepot push MODEL DIR` publishes",
    ),
    (
        &["tag"],
        "`modeldepot push MODEL PATH --version NAME` names a version when it is published; the name cannot change later",
    ),
    (&["diff", "cmp"], "`modeldepot compare MODEL@A B` compares two versions"),
    (
        &["repair", "fix"],
        "`modeldepot fsck` finds damage; nothing repairs it: publish the model again under a new version",
    ),
    (
        &["delete", "remove", "del", "unpublish", "prune", "purge", "clean", "rmi"],
        "`modeldepot rm MODEL@VERSION` deletes a version, `modeldepot gc` finds orphaned objects",
    ),
    (
        &["info", "inspect", "describe", "cat-manifest", "view", "stat"],
        "`modeldepot show MODEL` describes a version, `modeldepot s3 stat` an object",
    ),
    (
        &["login", "auth", "configure", "credentials", "account", "whoami"],
        "set S3_ACCESS_KEY and S3_SECRET_KEY in the environment or in `.env`; `modeldepot config` shows the settings in use",
    ),
    (
        &["logout"],
        "there is no session to end: unset S3_ACCESS_KEY and S3_SECRET_KEY; `modeldepot config` shows where they are set",
    ),
    (&["settings", "env", "set"], "`modeldepot config` shows the settings in use, and where each comes from"),
    (&["status", "ping", "health", "test", "diagnose", "debug"], "`modeldepot doctor` diagnoses the connection"),
    (
        &["start", "server", "run", "daemon", "ui", "web", "console", "standalone"],
        "`modeldepot up` starts an S3 server with the console, `modeldepot serve` the console for another server",
    ),
    (&["stop", "down"], "press Ctrl-C where `modeldepot up` runs"),
    (
        &["versions-list", "list-versions", "history", "log", "tags", "releases", "revisions"],
        "`modeldepot versions MODEL` lists the versions of a model",
    ),
    (&["list-models", "models-list", "model"], "`modeldepot models` lists the models"),
    (&["share", "presign", "sign", "link", "signurl", "open"], "`modeldepot url MODEL` prints a presigned URL"),
    (
        &["mb", "rb", "bucket", "buckets", "mkdir"],
        "`modeldepot init` creates the project's buckets, `modeldepot s3 mb` one",
    ),
    (&["tokens"], "`modeldepot token list` lists the tokens"),
    (&["keys"], "`modeldepot key list` lists the key pairs"),
    (&["completion"], "`modeldepot completions SHELL` prints a completion script"),
    (&["version"], "`modeldepot --version` prints the version, `modeldepot versions MODEL` the versions of a model"),
];

/// Names below a verb that mean what no verb does, and the hint for them.
const NOWHERE: &[(&str, &[&str], &str)] = &[
    (
        "s3",
        &["sync", "mirror"],
        "`modeldepot s3 cp` copies one file at a time; `modeldepot push` and `modeldepot pull` transfer whole folders",
    ),
    (
        "s3",
        &["mv", "move", "rename"],
        "objects are not moved: copy one through a file with `modeldepot s3 cp`, then delete it with `modeldepot s3 rm`",
    ),
    (
        "s3",
        &["rb", "delete-bucket", "remove-bucket"],
        "modeldepot does not delete buckets: use your S3 server's own tools",
    ),
];

/// The same for verbs below another verb.
const BELOW: &[(&str, &[&str], &str)] = &[
    ("s3", &["list", "dir", "buckets"], "s3 ls"),
    ("s3", &["copy", "put", "get", "upload", "download", "cat"], "s3 cp"),
    ("s3", &["delete", "remove", "del"], "s3 rm"),
    ("s3", &["head", "info", "head-object"], "s3 stat"),
    ("s3", &["presign", "sign", "share"], "s3 url"),
    ("s3", &["make", "create", "mkdir", "create-bucket"], "s3 mb"),
    ("token", &["create", "new", "make"], "token add"),
    ("token", &["ls", "show"], "token list"),
    ("token", &["delete", "remove", "revoke"], "token rm"),
    ("token", &["renew", "refresh"], "token rotate"),
    ("key", &["create", "new", "make"], "key add"),
    ("key", &["ls", "show"], "key list"),
    ("key", &["delete", "remove", "revoke"], "key rm"),
];

/// Returns the message and the hint for an unknown verb, or for a version written as other tools write it.
pub(crate) fn explained(refusal: &clap::Error) -> Option<(String, String)> {
    let text = |kind| match refusal.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match refusal.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = text(ContextKind::InvalidSubcommand)?;
            let usage = refusal.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
            Some(verb(typed, &parent(&usage)))
        }
        ErrorKind::ValueValidation => {
            let (value, arg) = (text(ContextKind::InvalidValue)?, text(ContextKind::InvalidArg)?);
            let meant = at(value).filter(|_| arg.contains("MODEL"))?;
            let message = format!("`{value}` is not a model or one of its versions");
            Some((message, format!("a version follows `@`: `{meant}`")))
        }
        _ => None,
    }
}

/// Returns the verbs before an unknown one, from the usage line `Usage: modeldepot s3 [OPTIONS] <COMMAND>`.
pub(crate) fn parent(usage: &str) -> String {
    let words = usage.split_whitespace().skip_while(|word| *word != "modeldepot").skip(1);
    words.take_while(|word| word.starts_with(|c: char| c.is_ascii_alphanumeric())).collect::<Vec<_>>().join(" ")
}

fn verb(typed: &str, parent: &str) -> (String, String) {
    let name = format!("modeldepot {parent}");
    let name = name.trim_end();
    let hint = known(typed, parent).or_else(|| version(typed, parent)).or_else(|| similar(typed, parent));
    let hint = hint.unwrap_or_else(|| format!("`{name} --help` lists the commands"));
    (format!("unknown command `{typed}`"), hint)
}

fn known(typed: &str, parent: &str) -> Option<String> {
    let typed = typed.to_lowercase();
    if parent.is_empty() {
        let (_, hint) = ELSEWHERE.iter().find(|(words, _)| words.contains(&typed.as_str()))?;
        return Some((*hint).to_owned());
    }
    if let Some((.., hint)) =
        NOWHERE.iter().find(|(above, words, _)| *above == parent && words.contains(&typed.as_str()))
    {
        return Some((*hint).to_owned());
    }
    let (_, _, verb) = BELOW.iter().find(|(above, words, _)| *above == parent && words.contains(&typed.as_str()))?;
    Some(did_you_mean(verb))
}

/// Recognizes `model:latest` and `model@1.0.0` as something to pull.
fn version(typed: &str, parent: &str) -> Option<String> {
    let meant = at(typed).or_else(|| Some(typed.to_owned()).filter(|text| text.contains('@')))?;
    let is_one = parent.is_empty() && meant.parse::<Selector>().is_ok();
    is_one.then(|| format!("`modeldepot pull {meant}` fetches this version, `modeldepot show {meant}` describes it"))
}

/// Returns `model@version` for `model:version`.
fn at(text: &str) -> Option<String> {
    let (model, version) = text.split_once(':')?;
    let meant = format!("{model}@{version}");
    meant.parse::<Selector>().is_ok().then_some(meant)
}

fn similar(typed: &str, parent: &str) -> Option<String> {
    let root = help::command();
    let above =
        parent.split(' ').filter(|name| !name.is_empty()).try_fold(&root, |at, name| at.find_subcommand(name))?;
    let best = misspelled(typed, above.get_subcommands().map(clap::Command::get_name))?;
    Some(did_you_mean(format!("{parent} {best}").trim_start()))
}

fn did_you_mean(verb: &str) -> String {
    format!("did you mean `modeldepot {verb}`?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(hint: &str) -> impl Iterator<Item = &str> {
        // Every second piece is in backticks.
        hint.split('`').skip(1).step_by(2)
    }

    #[test]
    fn no_verb_of_ours_is_unknown_and_every_hint_names_verbs_that_exist() {
        let root = help::command();
        let ours = |name: &str| root.find_subcommand(name).is_some();
        for (names, hint) in ELSEWHERE {
            for name in *names {
                assert!(!ours(name), "`{name}` is a verb");
            }
            for quoted in words(hint).filter_map(|quoted| quoted.strip_prefix("modeldepot ")) {
                let first = quoted.split(' ').next().unwrap();
                assert!(ours(first) || first.starts_with("--"), "{hint}");
            }
        }
        for (above, names, verb) in BELOW {
            let (parent, child) = verb.split_once(' ').unwrap();
            let parent = root.find_subcommand(parent).unwrap();
            assert!(*above == parent.get_name() && parent.find_subcommand(child).is_some(), "{verb}");
            assert!(names.iter().all(|name| parent.find_subcommand(name).is_none()), "{names:?}");
        }
        for (above, names, hint) in NOWHERE {
            let parent = root.find_subcommand(above).unwrap();
            assert!(names.iter().all(|name| parent.find_subcommand(name).is_none()), "{names:?}");
            for quoted in words(hint).filter_map(|quoted| quoted.strip_prefix("modeldepot ")) {
                assert!(ours(quoted.split(' ').next().unwrap()), "{hint}");
            }
        }
        let all: Vec<_> = ELSEWHERE.iter().flat_map(|(names, _)| names.iter()).collect();
        let once: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), once.len(), "a word has one hint");
    }
}
