//! Finds circles of files: `use` lines that lead from a file back to itself. A module and its children may use each
//! other; beyond that, dependencies only point down.
//!
//! The same files have size limits: few are long, and none too long to read.

mod graph;
mod paths;

use std::fs;
use std::path::{Path, PathBuf};

use self::graph::{Crate, circles};
use crate::root;

/// Half of all source files have fewer lines than this.
const MEDIAN: usize = 200;
/// The most lines in a source file.
const LONGEST: usize = 600;

pub(crate) fn check() -> Result<(), String> {
    let (mut wrong, mut lengths) = (Vec::new(), Vec::new());
    for folder in sources().map_err(|error| format!("cannot list the crates: {error}"))? {
        let shown = folder.strip_prefix(root()).unwrap_or(&folder).display().to_string();
        let files = read(&folder).map_err(|error| format!("cannot read {shown}: {error}"))?;
        lengths.extend(files.iter().map(|(file, text)| (text.lines().count(), format!("{shown}/{file}"))));
        for circle in circles(&Crate::new(files)) {
            let list: String = circle.iter().map(|file| format!("\n  {shown}/{file}")).collect();
            wrong.push(format!("files use each other in a circle:{list}"));
        }
    }
    wrong.extend(oversized(lengths));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Returns what is wrong with the lengths of files, in lines.
fn oversized(mut files: Vec<(usize, String)>) -> Vec<String> {
    files.sort();
    let median = files.get(files.len() / 2).filter(|(lines, _)| *lines >= MEDIAN);
    let median = median.map(|(lines, _)| format!("the median source file has {lines} lines; split the longest ones"));
    let long = files.iter().filter(|(lines, _)| *lines > LONGEST);
    let long = long.map(|(lines, file)| format!("{file} has {lines} lines, more than {LONGEST}: split it"));
    median.into_iter().chain(long).collect()
}

/// Returns the source folders of the crates.
fn sources() -> std::io::Result<Vec<PathBuf>> {
    let mut found = vec![root().join("xtask/src"), root().join("benchsuite/src"), root().join("bindings/python/src")];
    for entry in fs::read_dir(root().join("crates"))? {
        found.push(entry?.path().join("src"));
    }
    found.retain(|folder| folder.is_dir());
    found.sort();
    Ok(found)
}

/// Returns the Rust files below a folder: relative paths and contents.
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
    use std::collections::BTreeSet;

    use super::*;

    type Circle = BTreeSet<String>;

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
    fn long_files_are_refused_one_by_one_and_as_a_whole() {
        let files = |lengths: &[usize]| lengths.iter().map(|lines| (*lines, format!("{lines}.rs"))).collect();
        assert!(oversized(files(&[10, 199, 600])).is_empty());
        assert_eq!(oversized(files(&[601, 10, 199])), ["601.rs has 601 lines, more than 600: split it"]);
        assert_eq!(oversized(files(&[10, 200, 300])), ["the median source file has 200 lines; split the longest ones"]);
    }
}
