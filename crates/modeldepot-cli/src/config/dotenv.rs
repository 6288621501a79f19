//! The `.env` file: finding, reading and parsing it.
//!
//! It is often shared with other programs, whose lines may not be of the form `NAME=value`. Such a line is ignored
//! unless it concerns one of our settings.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::trust::{self, Ignored};
use crate::error::Error;

/// A parsed `.env` file.
#[derive(Debug, Default)]
pub(super) struct DotEnv {
    pub(super) path: PathBuf,
    pub(super) variables: BTreeMap<String, Variable>,
}

/// A variable in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) value: String,
    pub(super) line: usize,
}

/// The result of searching for a `.env` file.
pub(super) enum Found {
    Read(DotEnv),
    Ignored(Ignored),
    Nothing,
}

/// Reads the first `.env` file from `folder` upwards, or the one named by the environment. A folder called `.env` is
/// someone's virtual environment and is skipped.
pub(super) fn dotenv(folder: &Path) -> Result<Found, Error> {
    let named = std::env::var_os(trust::VARIABLE).map(PathBuf::from);
    let trusted = named.is_some();
    let path = match named {
        Some(path) if path.as_os_str().is_empty() => return Ok(Found::Nothing),
        Some(path) => path,
        None => match folder.ancestors().map(|folder| folder.join(".env")).find(|path| path.is_file()) {
            Some(path) => path,
            None => return Ok(Found::Nothing),
        },
    };
    let unread = |source| Error::DotEnvRead { path: path.clone(), source };
    // Do not fall back to a file further up: nobody wants settings from two folders.
    let file = match trust::open(&path, trusted).map_err(unread)? {
        Ok(file) => file,
        Err(ignored) => return Ok(Found::Ignored(ignored)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unread(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB")));
    }
    let Some(text) = decoded(&bytes) else { return Err(Error::DotEnvEncoding { path }) };
    match parse(&text) {
        Ok(variables) => Ok(Found::Read(DotEnv { path, variables })),
        Err(line) => Err(Error::DotEnv { path, line }),
    }
}

/// The largest `.env` file, and the longest value in it, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;
const LONGEST: usize = 64 << 10;

/// The most references to variables in the values of a `.env` file.
const REFERENCES: usize = 256;

/// A prefix for all names of the file during parsing. The parser looks for `$NAME` among the variables of this process
/// first, and secrets there must not end up in a URL that a file chooses.
const OWN: &str = "ownOfThisFile";

/// Prefixes of names that concern us. A malformed line with such a name is an error; others belong to other programs.
const OURS: [&str; 3] = ["S3_", "AWS_", "MODELDEPOT_"];

/// Returns the text without a byte order mark; `None` if it is UTF-16, as written by PowerShell's `>`. Other invalid
/// UTF-8 can only be in lines of other programs, because names and values of settings are ASCII.
fn decoded(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0);
    (!utf16).then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// Returns the variables, or the number of the first malformed line. The line itself may contain a secret and is not
/// included.
///
/// A value may refer to earlier lines (`$A$A`), but never to the environment. Each line could double the length of the
/// one before, so the lengths of values are limited.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Variable>, usize> {
    if let Some((index, _)) = text.match_indices('$').nth(REFERENCES) {
        return Err(text[..index].lines().count().max(1));
    }
    let (kept, numbers) = readable(text)?;
    let number = |name: &str| numbers.get(name).copied().unwrap_or(1);
    let mut variables = BTreeMap::new();
    // Each assignment was parsed on its own before, and all of ours are valid.
    for (name, value) in dotenvy::from_read_iter(io::Cursor::new(kept)).flatten() {
        let (name, value) = (name.replace(OWN, ""), value.replace(OWN, ""));
        let line = number(&name);
        if value.len() > LONGEST {
            return Err(line);
        }
        variables.insert(name, Variable { value, line });
    }
    Ok(variables)
}

/// Returns the readable assignments, and the line number of the last one of each name.
fn readable(text: &str) -> Result<(String, BTreeMap<String, usize>), usize> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut kept, mut numbers) = (String::new(), BTreeMap::new());
    // Per kind of quote: the line from which on there is no closing quote.
    let mut unclosed: [Option<usize>; 2] = [None, None];
    let mut at = 0;
    while at < lines.len() {
        let begun = at;
        let line = lines[begun];
        at += 1;
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (name, value) = assignment(content);
        let ours = OURS.iter().any(|prefix| name.starts_with(prefix));
        let end = value.and_then(|value| last_line(&lines, begun, value, &mut unclosed));
        // Trailing spaces are invisible and not meant.
        let piece = end.map(|end| lines[begun..=end].join("\n").trim_end().to_owned());
        let read = piece.filter(|piece| {
            let mut pairs = dotenvy::from_read_iter(io::Cursor::new(piece));
            let one = matches!(pairs.next(), Some(Ok((found, _))) if found == name);
            let lossy = ours && piece.contains(char::REPLACEMENT_CHARACTER);
            one && pairs.next().is_none() && !lossy
        });
        match (read, end) {
            (Some(piece), Some(end)) => {
                kept.push_str(&among_themselves(&piece, name));
                kept.push('\n');
                numbers.insert(name.to_owned(), begun + 1);
                at = end + 1;
            }
            _ if ours => return Err(begun + 1),
            _ => {}
        }
    }
    Ok((kept, numbers))
}

/// Renames all variables in an assignment so that they can only refer to the file itself.
fn among_themselves(piece: &str, name: &str) -> String {
    let value = piece.find('=').unwrap_or(piece.len());
    let (head, value) = piece.split_at(value);
    let at = head.rfind(name).unwrap_or(0);
    // Where `$` is literal, the prefix is removed again after parsing.
    let value = value.replace('$', &format!("${OWN}")).replace(&format!("${OWN}{{"), &format!("${{{OWN}"));
    format!("{}{OWN}{}{value}", &head[..at], &head[at..])
}

/// Returns the name in a line, and its value if there is a `=`.
fn assignment(content: &str) -> (&str, Option<&str>) {
    let exported = content.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace));
    let content = exported.map_or(content, str::trim_start);
    let end = content.find(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c))).unwrap_or(content.len());
    let (name, rest) = content.split_at(end);
    (name, rest.trim_start().strip_prefix('=').map(str::trim_start))
}

/// Returns the line in which a value ends: quoted values may span several lines. `None` if the quote is not closed, or
/// contains what is clearly another setting.
fn last_line(lines: &[&str], begun: usize, value: &str, unclosed: &mut [Option<usize>; 2]) -> Option<usize> {
    let (index, quote) = match value.chars().next() {
        Some('\'') => (0, '\''),
        Some('"') => (1, '"'),
        _ => return Some(begun),
    };
    let closes = |text: &str| {
        let mut escaped = false;
        text.chars().any(|c| {
            let closed = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            closed
        })
    };
    if closes(&value[1..]) {
        return Some(begun);
    }
    if unclosed[index].is_some_and(|from| begun >= from) {
        return None;
    }
    let mut length = value.len();
    for (end, line) in lines.iter().enumerate().skip(begun + 1) {
        length += line.len() + 1;
        let (name, value) = assignment(line.trim_start());
        if length > LONGEST || value.is_some() && OURS.iter().any(|prefix| name.starts_with(prefix)) {
            return None;
        }
        if closes(line) {
            return Some(end);
        }
    }
    unclosed[index] = Some(begun);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<(String, String, usize)>, usize> {
        let variables = parse(text)?;
        Ok(variables.into_iter().map(|(name, found)| (name, found.value, found.line)).collect())
    }

    fn one(name: &str, value: &str, line: usize) -> (String, String, usize) {
        (name.to_owned(), value.to_owned(), line)
    }

    #[test]
    fn values_that_hold_each_other_stay_small() {
        let doubling: String = (1..40).map(|n| format!("V{n}=$V{}$V{}\n", n - 1, n - 1)).collect();
        assert_eq!(parse(&format!("V0=0123456789\n{doubling}")), Err(14));
        let many = format!("A={}\nB={}\n", "x".repeat(LONGEST), "$A".repeat(REFERENCES + 1));
        assert_eq!(parse(&many), Err(2));
        assert_eq!(values("A=1\nB=$A$A\n").unwrap()[1], one("B", "11", 2));
    }

    #[test]
    fn values_hold_others_of_the_file_and_none_of_the_environment() {
        // Set in every process, but not in the file.
        assert!(!std::env::var("PATH").unwrap().is_empty());
        let text = "S3_A=$PATH\nS3_B=x${PATH}y$PATH-\nS3_C=\"${PATH}\"\nS3_D='$PATH${PATH}'\nS3_E=\\$PATH\n";
        let found: Vec<_> = values(text).unwrap().into_iter().map(|(_, value, _)| value).collect();
        assert_eq!(found, ["", "xy-", "", "$PATH${PATH}", "$PATH"]);
        let text = "HOST=h\nexport PATH=here\nS3_A=http://$HOST:9000\nS3_B=${HOST}$PATH$$\nexport e=$HOST\n";
        let found: Vec<_> = values(text).unwrap().into_iter().map(|(_, value, _)| value).collect();
        assert_eq!(found, ["h", "here", "http://h:9000", "hhere", "h"]);
    }

    #[test]
    fn env_files_as_people_write_them() {
        let text = "# S3/Minio Configuration\n\nexport S3_REGION = eu-west-1\nS3_SECRET_KEY='pa$$ #word'\r\nEMPTY=\n";
        let found = [one("EMPTY", "", 5), one("S3_REGION", "eu-west-1", 3), one("S3_SECRET_KEY", "pa$$ #word", 4)];
        assert_eq!(values(text).unwrap(), found);
        let found = [one("S3_BUCKET_MODELS", "models", 1), one("S3_REGION", "r", 2)];
        assert_eq!(values("S3_BUCKET_MODELS=models  \t\nS3_REGION='r' \n").unwrap(), found);
    }

    #[test]
    fn a_malformed_line_of_ours_is_named_by_its_number() {
        assert_eq!(parse("A=1\n\nS3_REGION\n"), Err(3));
        assert_eq!(parse("A=1\nS3_REGION='unclosed\nC=2\n"), Err(2));
        assert_eq!(parse("export AWS_PROFILE x\n"), Err(1));
        assert_eq!(parse("\nMODELDEPOT_KEYS=it's\n"), Err(2));
    }

    #[test]
    fn lines_of_other_programs_are_passed_over() {
        for foreign in [
            "not a variable",
            "GREETING=it's me",
            "PEM='-----BEGIN",
            "JSON={\"a\": \"b",
            "name: value",
            "FOO-BAR=1",
            "set -euo pipefail",
            "if [ -f x ]; then",
            "PASSWORD=a\"b",
            "TITLE=a b c",
            "\u{fffd}=\u{fffd}",
            "[section]",
            "export",
        ] {
            let text = format!("{foreign}\nS3_REGION=eu-west-1\n{foreign}\nS3_ENDPOINT='http://a'\n");
            let found = values(&text).unwrap_or_else(|line| panic!("{foreign}: line {line}"));
            let ours: Vec<_> = found.into_iter().filter(|(name, ..)| name.starts_with("S3_")).collect();
            assert_eq!(ours, [one("S3_ENDPOINT", "http://a", 4), one("S3_REGION", "eu-west-1", 2)], "{foreign}");
        }
    }

    #[test]
    fn values_over_several_lines() {
        let text = "KEY=\"-----BEGIN\nabc\n-----END\"\nS3_REGION=r\nS3_SECRET_KEY='a\nb'\n";
        let found =
            [one("KEY", "-----BEGIN\nabc\n-----END", 1), one("S3_REGION", "r", 4), one("S3_SECRET_KEY", "a\nb", 5)];
        assert_eq!(values(text).unwrap(), found);
    }

    #[test]
    fn byte_order_marks() {
        assert_eq!(values(&decoded(b"\xef\xbb\xbfS3_REGION=r\n").unwrap()).unwrap(), [one("S3_REGION", "r", 1)]);
        assert_eq!(decoded(b"\xff\xfeS\x003\x00"), None);
        assert_eq!(decoded(b"\xfe\xff\x00S\x003"), None);
        assert_eq!(decoded(b"S\x003\x00_\x00"), None, "without a mark");
        assert_eq!(values(&decoded(b"# caf\xe9\nS3_REGION=r\n").unwrap()).unwrap(), [one("S3_REGION", "r", 2)]);
        assert_eq!(parse(&decoded(b"S3_SECRET_KEY=caf\xe9\n").unwrap()), Err(1));
    }

    #[test]
    fn many_open_quotes_take_no_longer() {
        let text = "A='x\nB=\"y\n".repeat(50_000);
        assert!(parse(&text).is_ok());
    }
}
