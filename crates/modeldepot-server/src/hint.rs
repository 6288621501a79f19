//! What to do next, for callers of the REST API and visitors of the console, who have no command line.
//!
//! The library's hints speak the terms of the command. What they say about its flags and verbs is translated here.

use modeldepot::{Error, hint};

/// Phrases of the library's hints, and what a caller of the service is told instead. They are replaced in this order, so
/// longer phrases come first.
const TERMS: &[(&str, &str)] = &[
    ("choose another --version", "choose another version"),
    ("pass the server's own region with --region, or set S3_REGION", "set S3_REGION to the server's own region"),
    ("S3_REGION or --region", "S3_REGION"),
    ("S3_ENDPOINT or --endpoint", "S3_ENDPOINT"),
    ("--ca-bundle or AWS_CA_BUNDLE", "AWS_CA_BUNDLE"),
    ("S3_KMS_KEY or --kms-key", "S3_KMS_KEY"),
    ("leave out --sse and --kms-key (S3_SSE, S3_KMS_KEY)", "leave out S3_SSE and S3_KMS_KEY"),
    ("S3_STORAGE_CLASS or --storage-class", "S3_STORAGE_CLASS"),
    ("pass --addressing path, or set S3_ADDRESSING=path", "set S3_ADDRESSING=path"),
    ("or leave it out with --exclude", "or leave it out"),
    (
        "--with takes any file; --history only a training history",
        "send it as a file without naming it as the training history",
    ),
    ("--expires takes 1s to 7d", "`expires` takes 1 to 604800 seconds"),
    ("--main takes a path inside the folder", "`main` takes the path of one of the files"),
    ("-vv shows the requests and what the server answered", "the log of the service has the server's response"),
    (
        "`modeldepot up` starts a server; or is the port in S3_ENDPOINT another one?",
        "is the S3 server running, and is the port in S3_ENDPOINT right?",
    ),
    ("; -vv shows the requests", ""),
    ("-vv shows what the server answered: its message", "the server's message"),
    ("`modeldepot models`", "`GET /api/v1/models`"),
    ("`modeldepot init` makes the buckets", "the operator of this service must create the bucket"),
    (
        "have the files sent by `modeldepot push` or through the service instead",
        "send the files in a form with `POST …/versions` instead",
    ),
];

/// Returns what to do next about a failure of the library, in terms of the REST API.
pub(crate) fn hint(error: &Error) -> Option<String> {
    match error {
        Error::WrongRegion { expected: Some(region), .. } => {
            Some(format!("the operator of this service must set S3_REGION={region}"))
        }
        Error::ObjectNotFound { .. } => None,
        Error::PublishedObject { model, version, prefix: None, .. } => {
            Some(format!("`DELETE /api/v1/models/{model}/versions/{version}` deletes the whole version"))
        }
        Error::PublishedObject { prefix: Some(_), .. } => {
            Some("it belongs to a version of another depot in this bucket: delete the whole version there".to_owned())
        }
        Error::VersionNotFound { model, .. } => {
            let command = format!("`modeldepot versions {model}`");
            let route = format!("`GET /api/v1/models/{model}/versions`");
            hint::hint(error, None).and_then(|text| translated(&text.replace(&command, &route)))
        }
        _ => hint::hint(error, None).and_then(|text| translated(&text)),
    }
}

/// Returns a hint without the terms of the command line. One that still has a flag is left out: it helps nobody here.
fn translated(text: &str) -> Option<String> {
    let text = TERMS.iter().fold(text.to_owned(), |text, (command, service)| text.replace(command, service));
    (!names_a_flag(&text)).then_some(text)
}

/// Returns true for a text that names a flag of a command line: `--version`, `-v`.
fn names_a_flag(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').any(|word| {
        let name = word.trim_start_matches('-');
        let dashes = word.len() - name.len();
        // One dash is for one letter, which may be repeated: `-Infinity` is a number.
        let short = name.len() <= 3 && name.bytes().all(|letter| Some(letter) == name.bytes().next());
        (dashes == 2 || dashes == 1 && short) && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn flags_are_recognised() {
        for flag in ["choose another --version", "`--main` takes", "-vv shows", "(--sse)"] {
            assert!(names_a_flag(flag), "{flag}");
        }
        for plain in
            ["choose another version", "a - b", "read-only", "plant--1", "from 1 -- 2", "us-east-1", "-Infinity"]
        {
            assert!(!names_a_flag(plain), "{plain}");
        }
    }

    /// Returns the string literals of a Rust source, up to its tests. Good enough for texts, not for a compiler.
    fn literals(source: &str) -> Vec<String> {
        let source = source.split("#[cfg(test)]\nmod ").next().unwrap();
        let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let mut found = Vec::new();
        let code = code.join("\n").replace("'\"'", "");
        let mut rest = code.as_str();
        while let Some(start) = rest.find('"') {
            let mut text = String::new();
            let mut letters = rest[start + 1..].char_indices();
            let mut end = rest.len();
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '"' => {
                        end = start + 1 + at + 1;
                        break;
                    }
                    '\\' => match letters.next() {
                        // A continued line: its indentation is no part of the text.
                        Some((_, '\n')) => {
                            let skipped = letters.as_str().len() - letters.as_str().trim_start().len();
                            (0..skipped).for_each(|_| {
                                letters.next();
                            });
                        }
                        Some((_, escaped)) => text.push(escaped),
                        None => {}
                    },
                    letter => text.push(letter),
                }
            }
            found.push(text);
            rest = &rest[end.min(rest.len())..];
        }
        found
    }

    fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") && path.file_stem().unwrap() != "tests" {
                found.push(path);
            }
        }
    }

    /// A hint that the library gains must be translated as well, or callers would get none.
    #[test]
    fn every_hint_of_the_library_has_words_for_callers() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../modeldepot/src"), &mut files);
        let mut seen = 0;
        for file in files {
            for text in literals(&std::fs::read_to_string(&file).unwrap()) {
                // Hints are sentences; other literals, such as arguments of tests, are single words.
                // Those of `PublishedObject` and `WrongRegion` are replaced as a whole, and `PutNeedsAName` is an error of a
                // verb that the service does not have.
                let elsewhere = ["--prefix {}", "--put`", "--region {region}"].iter().any(|part| text.contains(part));
                if text.contains(' ') && names_a_flag(&text) && !elsewhere {
                    seen += 1;
                    assert!(translated(&text).is_some(), "{}: {text}", file.display());
                }
            }
        }
        assert!(seen > 10, "only {seen} hints with flags were found: does this test still read the library?");
    }
}
