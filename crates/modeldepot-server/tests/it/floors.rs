//! Which part of the service may use which: `cargo xtask circles` finds circles, these tests find arrows that point up.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the source files below a folder, or the one file.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| sources(&path)).filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect()
}

/// Returns the files of a part that name one of these modules of the crate.
fn naming(part: &str, modules: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Unit tests, at the end of a file, may use anything.
    let own = |text: &str| text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
    let names = |text: &str| modules.iter().any(|module| text.contains(&format!("crate::{module}")));
    let files = sources(&root.join(part)).into_iter().filter(|file| names(&own(&fs::read_to_string(file).unwrap())));
    files.map(|file| file.strip_prefix(&root).unwrap().display().to_string()).collect()
}

#[test]
fn the_api_and_the_console_do_not_know_each_other() {
    assert_eq!(naming("api", &["console"]), <[&str; 0]>::default());
    assert_eq!(naming("console", &["api"]), <[&str; 0]>::default());
}

#[test]
fn what_handlers_share_knows_no_handler_and_no_layer() {
    let above = ["api", "console", "router", "middleware", "server::"];
    let below =
        ["state.rs", "auth", "catalog", "form", "jobs.rs", "log", "oidc", "problem.rs", "staging", "uploads.rs"];
    for part in below {
        assert_eq!(naming(part, &above), <[&str; 0]>::default(), "{part}");
    }
    let state = ["auth", "catalog", "form", "guard.rs", "jobs.rs", "oidc", "problem.rs", "staging", "uploads.rs"];
    for part in state {
        assert_eq!(naming(part, &["state"]), <[&str; 0]>::default(), "{part}");
    }
}
