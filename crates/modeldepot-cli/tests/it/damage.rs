//! Stores that were damaged or that lie: a pull puts nothing in place, and says which file and why.

use crate::environment::{TestEnv, tree};

fn published() -> TestEnv {
    let env = TestEnv::new();
    env.write("m.bin", "the weights, as they were published");
    env.write("config.json", "{}");
    env.run(["push", "m", "m.bin", "--with", "config.json", "--version", "1"]).success();
    env
}

/// Whatever was refused, nothing of it lies in the folder, and the folder itself is gone.
fn nothing_is_in_place(env: &TestEnv) {
    assert!(!env.path("m").exists(), "{:?}", tree(&env.path("m")));
}

#[test]
fn other_bytes() {
    let env = published();
    env.damage("m/v1/m.bin");
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
    nothing_is_in_place(&env);
    insta::assert_snapshot!(env.run(["verify", "m"]), @"");
}

#[test]
fn other_sizes() {
    let env = published();
    env.put("m/v1/m.bin", "the weights");
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
    nothing_is_in_place(&env);
    env.put("m/v1/m.bin", "the weights, as they were published, and more");
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
    nothing_is_in_place(&env);
    insta::assert_snapshot!(env.run(["verify", "m"]), @"");
}

#[test]
fn a_file_that_is_gone() {
    let env = published();
    env.delete("m/v1/config.json");
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
    nothing_is_in_place(&env);
    insta::assert_snapshot!(env.run(["verify", "m"]), @"");
}

#[test]
fn an_earlier_pull_survives_a_damaged_one() {
    let env = published();
    env.run(["pull", "m"]).success();
    env.damage("m/v1/m.bin");
    assert_eq!(env.run(["pull", "m"]).code, Some(7));
    assert_eq!(env.read("m/m.bin"), b"the weights, as they were published");
    assert_eq!(tree(&env.path("m")), ["config.json", "m.bin", "manifest.json"]);
}

#[test]
fn manifests_that_are_none() {
    let env = published();
    let whole = String::from_utf8(env.get("m/v1/manifest.json")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        env.put("m/v1/manifest.json", whole.replace(from, to));
        let refused = env.run(["pull", "m"]);
        nothing_is_in_place(&env);
        refused
    };
    env.put("m/v1/manifest.json", "<html>");
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
    env.put("m/v1/manifest.json", "{}");
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
    insta::assert_snapshot!(with("\"path\": \"config.json\"", "\"path\": \"../config.json\""), @"");
    insta::assert_snapshot!(with("\"path\": \"config.json\"", "\"path\": \"/etc/cron.d/evil\""), @"");
    insta::assert_snapshot!(with("\"path\": \"config.json\"", "\"path\": \"m.bin\""), @"");
    insta::assert_snapshot!(with("\"version\": \"1\"", "\"version\": \"2\""), @"");
    insta::assert_snapshot!(with("\"m/v1/m.bin\"", "\"other/v1/m.bin\""), @"");
    insta::assert_snapshot!(with("\"format_version\": 1", "\"format_version\": 99"), @"");
    assert!(!env.path("config.json").with_file_name("../config.json").exists());
}

#[cfg(unix)]
#[test]
fn a_link_in_the_folder_leads_nowhere() {
    let env = TestEnv::new();
    env.write("in/sub/m.bin", "weights");
    env.run(["push", "m", "in"]).success();
    std::fs::create_dir_all(env.path("elsewhere")).unwrap();
    std::fs::create_dir_all(env.path("m")).unwrap();
    std::os::unix::fs::symlink(env.path("elsewhere"), env.path("m/sub")).unwrap();
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
    assert_eq!(tree(&env.path("elsewhere")), [""; 0]);
}

#[test]
fn a_file_where_the_folder_should_be() {
    let env = published();
    env.write("m", "a file");
    insta::assert_snapshot!(env.run(["pull", "m"]), @"");
}
