//! What to do next, in Python's terms.
//!
//! The library's hints speak the terms of the command: `--version` is the argument `version` here.

/// Flags whose arguments have another name in Python, or that have none there: those are set by a variable.
const TERMS: &[(&str, &str)] = &[
    ("--expires takes 1s to 7d", "`expiration` takes 1 to 604800 seconds"),
    ("--with takes any file", "`additional_files` takes any file"),
    ("S3_KMS_KEY or --kms-key", "S3_KMS_KEY"),
    ("leave out --sse and --kms-key (S3_SSE, S3_KMS_KEY)", "leave out S3_SSE and S3_KMS_KEY"),
    ("S3_STORAGE_CLASS or --storage-class", "S3_STORAGE_CLASS"),
    ("-vv shows the requests and what the server answered", "`modeldepot doctor` checks the server"),
    ("; -vv shows the requests", ""),
    ("-vv shows what the server answered: its message", "the server's message"),
];

/// Returns a hint of the library without flags.
pub(crate) fn translated(hint: &str) -> String {
    let hint = TERMS.iter().fold(hint.to_owned(), |hint, (command, python)| hint.replace(command, python));
    let mut found = String::with_capacity(hint.len());
    let mut rest = hint.as_str();
    while let Some(at) = rest.find("--") {
        let (before, flag) = rest.split_at(at);
        let name = &flag[2..];
        let len = name.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-').unwrap_or(name.len());
        found += before;
        // A flag begins a word: `plant--1` is a name.
        let begins = before.chars().next_back().is_none_or(|last| last == ' ' || last == '(' || last == '`');
        if !begins || len == 0 {
            found += &flag[..2 + len];
        } else {
            let argument = name[..len].replace('-', "_");
            match before.ends_with('`') {
                // Code already: what follows is the value.
                true if name[len..].starts_with(' ') => {
                    found += &format!("{argument}=");
                    rest = &name[len + 1..];
                    continue;
                }
                true => found += &argument,
                false => found += &format!("`{argument}`"),
            }
        }
        rest = &name[len..];
    }
    found + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_arguments() {
        for (command, python) in [
            ("choose another --version, or leave it out", "choose another `version`, or leave it out"),
            ("is S3_ENDPOINT or --endpoint right?", "is S3_ENDPOINT or `endpoint` right?"),
            ("with --ca-bundle or AWS_CA_BUNDLE", "with `ca_bundle` or AWS_CA_BUNDLE"),
            ("--main takes a path", "`main` takes a path"),
            ("--expires takes 1s to 7d", "`expiration` takes 1 to 604800 seconds"),
            (
                "`modeldepot rm m@1` with `--prefix team/ml` deletes",
                "`modeldepot rm m@1` with `prefix=team/ml` deletes",
            ),
            ("did you mean `plant--one`?", "did you mean `plant--one`?"),
            ("a -- b", "a -- b"),
            ("", ""),
        ] {
            assert_eq!(translated(command), python);
        }
    }
}
