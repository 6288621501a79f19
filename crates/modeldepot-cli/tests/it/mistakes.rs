//! Options and arguments of other tools, and arguments in the wrong place: each error says what to type instead.

use crate::environment::TestEnv;

/// Runs each line, none of which may get as far as the server, and returns what they print.
fn refused(env: &TestEnv, lines: &[&str]) -> String {
    let mut all = String::new();
    for line in lines {
        let ended = env.run(line.split(' '));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{line}: {ended}");
        for foreign in ["tip:", "For more information", "Usage:", "'"] {
            assert!(!ended.stderr.contains(foreign), "{line}: {ended}");
        }
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains("\nhint: "), "{line}: {ended}");
        all += &format!("$ modeldepot {line}\n{}", ended.stderr);
    }
    all
}

fn env() -> TestEnv {
    TestEnv::without_server("http://127.0.0.1:1")
}

#[test]
fn a_version_in_another_place() {
    insta::assert_snapshot!(refused(&env(), &[
        "pull odd@1 --version 1",
        "show odd --version=2.0",
        "rm odd --tag 1",
        "url --version 1",
        "show m 3.0",
        "verify m 3.0",
        "rm m 3.0",
        "check m 3.0",
        "push m@1.0 f.bin",
        "push m@latest f.bin",
        "versions m@1.0",
        "fsck m@1.0",
        "gc m@1.0",
    ]), @"");
}

#[test]
fn options_of_other_tools() {
    insta::assert_snapshot!(refused(&env(), &[
        "pull odd --output x",
        "pull odd --dir x",
        "pull odd -o x",
        "push x y --tag prod",
        "push y.bin --name x",
        "push m y.bin --message first",
        "push m --file y.bin",
        "push m y.bin --force",
        "gc --dry-run",
        "gc --yes",
        "gc --older-than 7d",
        "rm m@1 -f",
        "rm m@1 --force",
        "rm m@1 --dry-run",
        "models --limit 3",
        "versions m --sort size",
        "fsck --repair",
        "verify m --deep",
        "url m --ttl 1h",
        "up --port 19600",
        "up --host 0.0.0.0",
        "models --secret-key hush",
        "models --insecure",
        "models --debug",
        "models --version",
        "s3 cp a s3://data/a --recursive",
        "s3 ls --frobnicate",
    ]), @"");
}

#[test]
fn misspelled_options() {
    insta::assert_snapshot!(refused(&env(), &[
        "push m f.bin --histroy h.json",
        "push m f.bin --history-file h.json",
        "models --endpoint-url http://localhost:9000",
        "url m --expire 1h",
    ]), @"");
}

#[test]
fn arguments_too_many_and_too_few() {
    insta::assert_snapshot!(refused(&env(), &[
        "push odd a.pth b.pth",
        "models odd",
        "versions odd 1.0",
        "pull a b c",
        "rm a@1 b@2",
        "compare a@1 b@2 c@3",
        "push a",
        "push",
        "rm",
        "token add ci",
        "s3 cp a",
    ]), @"");
}

#[test]
fn values_that_cannot_be() {
    insta::assert_snapshot!(refused(&env(), &[
        "push m f.bin --version 1/2 --history",
        "models --color sometimes",
        "models --color",
        "models -q -v",
        "pull m --limit-rate fast",
        "url m --put",
        "up --listen somewhere",
    ]), @"");
}

#[test]
fn a_file_whose_name_begins_with_a_dash() {
    let env = env();
    env.write("-dash.pth", "weights");
    insta::assert_snapshot!(refused(&env, &["push odd -dash.pth"]), @"");
}

#[test]
fn the_model_after_the_file() {
    let env = env();
    env.write("best_model.pth", "weights");
    insta::assert_snapshot!(refused(&env, &["push best_model.pth plant_classifier"]), @"");
    env.write("plant_classifier/model.bin", "weights");
    insta::assert_snapshot!(refused(&env, &["push best_model.pth plant_classifier"]), @"");
}

#[test]
fn names_that_are_also_files() {
    let env = TestEnv::new();
    env.write("odd", "weights");
    env.write("v1.5", "weights");
    env.write("run/model.bin", "weights");
    env.run(["push", "odd", "odd"]).success();
    env.run(["push", "odd", "run"]).success();
    env.run(["push", "v1.5", "v1.5"]).success();
}

#[test]
fn in_json() {
    let env = env();
    let all: String = ["push --json", "push a --json", "show m 3.0 --json", "gc --dry-run --json", "--json"]
        .iter()
        .map(|line| format!("$ modeldepot {line}\n{}", env.run(line.split(' ')).stderr))
        .collect();
    insta::assert_snapshot!(all, @"");
}

#[test]
fn a_port_alone_is_of_this_machine() {
    let env = TestEnv::without_server("");
    // It is taken, so the server does not start.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let refused = env.run(["up", "--no-console", "--listen", &port]);
    assert!(refused.stderr.contains(&format!("127.0.0.1:{port}")), "{refused}");
    assert!(refused.stderr.contains("hint: the port is in use"), "{refused}");
}
