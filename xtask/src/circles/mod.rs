//! Circles of files: `use` lines that lead from a file back to itself. A module and the files below it may know each
//! other; beyond that, dependencies point down only.
//!
//! `known.txt` has the circles that exist today. A new one fails, and so does one that has gone and is still listed, so
//! that the list can only get shorter.

mod graph;
mod paths;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use self::graph::{Crate, circles};
use crate::root;

/// The circles of today, each a paragraph with one file a line.
const KNOWN: &str = "xtask/src/circles/known.txt";

type Circle = BTreeSet<String>;

pub(crate) fn check() -> Result<(), String> {
    let mut found = BTreeSet::new();
    for folder in sources().map_err(|error| format!("cannot list the crates: {error}"))? {
        let shown = folder.strip_prefix(root()).unwrap_or(&folder).display().to_string();
        let files = read(&folder).map_err(|error| format!("cannot read {shown}: {error}"))?;
        for circle in circles(&Crate::new(files)) {
            found.insert(circle.into_iter().map(|file| format!("{shown}/{file}")).collect::<Circle>());
        }
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return fs::write(root().join(KNOWN), written(&found)).map_err(|error| format!("{KNOWN}: {error}"));
    }
    let known = fs::read_to_string(root().join(KNOWN)).map_err(|error| format!("{KNOWN}: {error}"))?;
    compare(&found, &parse(&known))
}

fn compare(found: &BTreeSet<Circle>, known: &BTreeSet<Circle>) -> Result<(), String> {
    let list = |circle: &Circle| circle.iter().map(|file| format!("\n  {file}")).collect::<String>();
    let new = found.difference(known).map(|circle| format!("files use each other in a circle:{}", list(circle)));
    let gone = known.difference(found).map(|circle| format!("{KNOWN} lists a circle that is gone:{}", list(circle)));
    let wrong: Vec<String> = new.chain(gone).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Returns the list as it is committed.
fn written(found: &BTreeSet<Circle>) -> String {
    let paragraph = |circle: &Circle| circle.iter().map(|file| format!("{file}\n")).collect::<String>();
    let about = "# Circles of files that exist today: see mod.rs. Cut one, and take it off this list:\n\
                 # UPDATE_GENERATED=1 cargo xtask circles\n";
    std::iter::once(about.to_owned()).chain(found.iter().map(paragraph)).collect::<Vec<_>>().join("\n")
}

fn parse(known: &str) -> BTreeSet<Circle> {
    let lines = |paragraph: &str| {
        paragraph.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    };
    known.split("\n\n").map(lines).filter(|circle: &Circle| !circle.is_empty()).collect()
}

/// Returns the folders with the sources of a crate.
fn sources() -> std::io::Result<Vec<PathBuf>> {
    let mut found = vec![root().join("xtask/src"), root().join("bindings/python/src")];
    for entry in fs::read_dir(root().join("crates"))? {
        found.push(entry?.path().join("src"));
    }
    found.retain(|folder| folder.is_dir());
    found.sort();
    Ok(found)
}

/// Returns the Rust files below a folder, as paths relative to it, with their text.
fn read(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                files.push((name, fs::read_to_string(&path)?));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Circle> {
        circles(&Crate::new(files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()))
    }

    fn circle(files: &[&str]) -> Circle {
        files.iter().map(|file| file.to_string()).collect()
    }

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let files = [("lib.rs", "mod a;\nmod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "use super::a::{A, C};")];
        assert_eq!(found(&files), [circle(&["a.rs", "b.rs"])]);
        assert!(found(&files[..2]).is_empty());
    }

    #[test]
    fn a_path_in_the_code_counts_as_a_use() {
        let files = [("lib.rs", ""), ("a.rs", "fn f() { crate::b::g() }"), ("b.rs", "use crate::a;")];
        assert_eq!(found(&files), [circle(&["a.rs", "b.rs"])]);
    }

    #[test]
    fn a_name_is_followed_through_what_exports_it() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\npub use a::Thing as Other;"),
            ("a/mod.rs", "mod deep;\npub use deep::{\n    Thing,\n    More,\n};"),
            ("a/deep.rs", "use crate::b::B;"),
            ("b.rs", "use crate::Other;"),
        ];
        assert_eq!(found(&files), [circle(&["a/deep.rs", "b.rs"])]);
    }

    #[test]
    fn a_module_and_its_children_are_no_circle() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod x;\nuse self::x::X;\npub struct A;"),
            ("a/x.rs", "use super::A;"),
            ("a/y.rs", "use super::A;"),
        ];
        assert!(found(&files).is_empty());
    }

    #[test]
    fn a_circle_through_a_parent_is_one() {
        let files = [
            ("lib.rs", "mod a;\nmod b;"),
            ("a/mod.rs", "mod x;\nuse crate::b::B;\npub struct A;"),
            ("a/x.rs", "use super::A;"),
            ("b.rs", "use crate::a::x::X;"),
        ];
        assert_eq!(found(&files), [circle(&["a/mod.rs", "a/x.rs", "b.rs"])]);
    }

    #[test]
    fn comments_texts_and_tests_are_no_uses() {
        let b = "use crate::a;";
        for a in ["// use crate::b;", "/// [`crate::b::B`]", "const A: &str = \"crate::b::B\";"] {
            assert!(found(&[("lib.rs", ""), ("a.rs", a), ("b.rs", b)]).is_empty(), "{a}");
        }
        let tests = "#[cfg(test)]\nmod tests {\n    use crate::b::B;\n    fn f() { '{'; }\n}";
        assert!(found(&[("lib.rs", ""), ("a.rs", tests), ("b.rs", b)]).is_empty());
        let after = format!("{tests}\nuse crate::b::B;");
        assert_eq!(found(&[("lib.rs", ""), ("a.rs", &after), ("b.rs", b)]).len(), 1);
    }

    #[test]
    fn a_new_circle_fails_and_so_does_one_that_is_gone() {
        let (one, two) = (circle(&["a.rs", "b.rs"]), circle(&["c.rs", "d.rs"]));
        let known = parse("# Why.\n\na.rs\nb.rs\n");
        assert_eq!(known, [one.clone()].into());
        assert_eq!(parse(&written(&known)), known);
        assert_eq!(compare(&[one.clone()].into(), &known), Ok(()));
        assert!(compare(&[one, two].into(), &known).unwrap_err().contains("c.rs"));
        assert!(compare(&BTreeSet::new(), &known).unwrap_err().contains("gone"));
    }
}
