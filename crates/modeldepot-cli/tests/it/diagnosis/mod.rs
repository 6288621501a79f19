//! Why an endpoint does not respond as S3: every verb reports the same as `doctor`.
//!
//! The messages are listed in `docs/troubleshooting.md`, which is compared with these.

mod connections;
mod pages;
mod products;
mod secrets;
mod verbs;

use crate::environment::{Output, TestEnv};
use crate::peers::Peer;

/// Runs a verb against an endpoint, and removes the port from its output.
fn run(endpoint: &str, more: &[&str]) -> String {
    let env = TestEnv::without_server(endpoint);
    // There are no default credentials for other machines.
    let login = [("S3_ACCESS_KEY", "minioadmin"), ("S3_SECRET_KEY", "minioadmin")];
    shown(&env.run_with(["models"].iter().chain(more), &login))
}

/// Removes ports, and words that differ between systems.
fn shown(output: &Output) -> String {
    let mut shown = String::new();
    let text = output.to_string();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("127.0.0.1:") {
        let from = at + "127.0.0.1:".len();
        shown += &rest[..from];
        rest = rest[from..].trim_start_matches(|c: char| c.is_ascii_digit());
        if !rest.starts_with("[PORT]") {
            shown += "[PORT]";
        }
    }
    shown += rest;
    for text in ["Name or service not known", "Temporary failure in name resolution", "nodename nor servname provided"]
    {
        shown = shown.replace(text, "[SYSTEM]");
    }
    shown
}

fn at(peer: &Peer) -> String {
    run(&peer.url("http"), &[])
}

/// The page lists exactly the messages that occur.
#[test]
fn the_page_on_troubleshooting_has_these_messages() {
    let page = include_str!("../../../../../docs/troubleshooting.md");
    let code = concat!(
        include_str!("pages.rs"),
        include_str!("products.rs"),
        include_str!("connections.rs"),
        include_str!("verbs.rs"),
    );
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let mut messages = 0;
    for row in rows {
        let message = row.split(" | ").next().unwrap();
        // A message may itself contain backticks.
        for part in message.trim_start_matches("| ").split('`').filter(|part| part.split(' ').count() > 1) {
            let glue = [" … ", " with the cause ", " of the same host", ", … ", " with ", " or ", ", "];
            if glue.iter().any(|glue| part.trim() == glue.trim()) || part.trim().starts_with('…') {
                continue;
            }
            messages += 1;
            assert!(code.contains(part.trim()), "`{part}` of docs/troubleshooting.md is said nowhere");
        }
    }
    assert!(messages > 25, "{messages}");
    for line in code.lines().map(str::trim).filter_map(|line| line.strip_prefix("error: ")) {
        let known = page.lines().filter(|line| line.starts_with("| `")).any(|row| {
            let mut parts = row.split(" | ").next().unwrap().split('`').filter(|part| part.split(' ').count() > 2);
            parts.any(|part| line.contains(part.trim()))
        });
        let others = ["refused to list bucket", "failed to list bucket", "does not exist", "` redirects to `"];
        assert!(known || others.iter().any(|other| line.contains(other)), "docs/troubleshooting.md lacks: {line}");
    }
}
