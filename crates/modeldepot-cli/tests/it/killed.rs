//! Pushes killed at random moments: each resumes when repeated, and nothing is left behind.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::environment::{TestEnv, tree};

/// The size of a part of a multipart upload.
const PART: u64 = 8 << 20;
const PARTS: u64 = 6;

/// The number of kills; `MODELDEPOT_KILLS` changes it.
fn kills() -> u64 {
    std::env::var("MODELDEPOT_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10)
}

/// The server's files with the size of a part: parts that it has or is about to have.
fn parts_on_disk(env: &TestEnv) -> BTreeMap<std::path::PathBuf, u64> {
    let files = tree(&env.data()).into_iter().map(|file| env.data().join(file));
    let sized = files.filter_map(|file| Some((file.clone(), fs::metadata(&file).ok()?.len())));
    sized.filter(|(_, size)| *size == PART).collect()
}

/// Model data in which no two parts are the same, nor any two rounds.
fn content(round: u64) -> Vec<u8> {
    let mut bytes = vec![round as u8; (PARTS * PART) as usize];
    for part in 0..PARTS {
        let at = (part * PART) as usize;
        bytes[at..at + 16].copy_from_slice(&[part.to_le_bytes(), round.to_le_bytes()].concat());
    }
    bytes
}

#[test]
fn a_push_killed_at_any_moment_resumes() {
    let env = TestEnv::new();
    // How long an undisturbed push takes here; by the second one the server has been probed.
    let mut whole = Duration::ZERO;
    for n in 0..2 {
        env.write("m.bin", content(1000 + n));
        let begun = Instant::now();
        env.run(["push", "warm", "m.bin"]).success();
        whole = begun.elapsed();
    }
    let mut random = 7u64;
    let mut kept_some = 0;
    for n in 0..kills() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        env.write("m.bin", content(n));
        env.write("h.json", format!("{{\"round\": {n}}}"));
        let version = format!("1.{n}");
        let mut args = vec!["push", "m", "m.bin", "--with", "h.json", "--json"];
        // Every other push names no version, and must resume under the version that it had leased.
        if n % 2 == 0 {
            args.extend(["--version", &version]);
        }
        let before = parts_on_disk(&env);
        let mut push = env.start(&args);
        // A moment of the push, which is what this test varies.
        std::thread::sleep(whole.mul_f64((random >> 40) as f64 / (1u64 << 24) as f64 * 1.1));
        push.kill().unwrap();
        push.wait().unwrap();
        // The server finishes what it was doing when its client died; nothing tells when it has.
        std::thread::sleep(Duration::from_millis(300));
        let there = parts_on_disk(&env).keys().filter(|file| !before.contains_key(*file)).count() as u64;
        let versions = env.keys().iter().filter(|key| key.starts_with("m/") && key.ends_with("/manifest.json")).count();

        // Killed after everything was done. Without a name, the next push then rightly publishes another version. A
        // lease that is left shows that something was missing.
        let done = versions as u64 == n + 1 && !env.all_keys().iter().any(|key| key.contains("/leases/"));
        if done && n % 2 == 1 {
            continue;
        }
        let again = env.run(&args).json();
        let kept = again["kept_bytes"].as_u64().unwrap() / PART;
        kept_some += u64::from(kept > 0);
        assert_eq!(kept, there.min(PARTS), "round {n}: the server had {there} parts: {again}");
        let published = again["version"].as_str().unwrap();
        env.run(["verify", &format!("m@{published}")]).success();
        let now = env.keys().iter().filter(|key| key.starts_with("m/") && key.ends_with("/manifest.json")).count();
        assert!(now == n as usize + 1 && now - versions <= 1, "round {n}: one version each, {now} after {versions}");
    }
    assert!(kept_some > 0, "no push was killed in the middle of its parts");
    // A push that dies between starting an upload and recording its id leaves an upload that nothing identifies as
    // modeldepot's. No part of it was sent, because parts wait for the record.
    let found = env.run(["gc", "--grace", "0s"]).success();
    let unrecorded = "unfinished uploads not started by modeldepot: not deleted (";
    let only_unrecorded = found.starts_with(unrecorded)
        && found.lines().skip(1).all(|line| line.starts_with("  m/") || line == "nothing to delete");
    assert!(found == "nothing to delete\n" || only_unrecorded, "{found}");
    let versions = env.keys().iter().filter(|key| key.ends_with("/manifest.json")).count() as u64;
    assert_eq!(parts_on_disk(&env).len() as u64, versions * PARTS, "parts that belong to no version");
    assert!(!env.all_keys().iter().any(|key| key.contains("leases")), "{:?}", env.all_keys());
}
