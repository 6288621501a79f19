//! Runs the examples at the end of every `--help` as printed.

use crate::environment::TestEnv;

/// Returns the examples of a verb, without pipes and redirections.
fn examples(env: &TestEnv, verb: &str) -> Vec<String> {
    let help = env.run(verb.split(' ').chain(["--help"])).success();
    let (_, lines) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("`{verb}` has no examples:\n{help}"));
    let lines = lines.lines().filter_map(|line| line.trim().strip_prefix("modeldepot "));
    lines.map(|line| line.split(['|', '>']).next().unwrap().trim().to_owned()).collect()
}

#[test]
fn examples_work_in_this_order() {
    let env = TestEnv::new();
    env.write("best_model.pth", "weights");
    env.write("training_history.json", r#"{"train_loss": [0.5, 0.25], "val_loss": [0.6, 0.4]}"#);
    env.write("run/best_model.pth", "weights");
    env.write("run/train.log", "epoch 1");
    env.write("leaf.jpg", "a picture");
    env.write("home/.aws/config", "[profile research]\nregion = eu-west-1\n");
    let profile = env.path("home/.aws/config");
    // `up`, `serve` and `demo` have their own tests; `doctor` names a folder that does not exist here.
    for verb in [
        "init",
        "config",
        "push",
        "models",
        "versions",
        "show",
        "verify",
        "url",
        "pull",
        "check",
        "fsck",
        "gc",
        "s3 mb",
        "s3 cp",
        "s3 ls",
        "s3 stat",
        "s3 url",
        "s3 exists",
        "s3 rm",
        "rm",
        "token add",
        "token list",
        "token rotate",
        "token rm",
        "key add",
        "key list",
        "key rm",
        "completions",
        "man",
    ] {
        for line in examples(&env, verb) {
            // The first example of `rm` asks for confirmation, without a terminal; each needs a version of its own.
            let asks = verb == "rm" && !line.contains("--yes");
            let line = match verb {
                "init" => line.replace("http://localhost:9000", &env.endpoint),
                _ => line,
            };
            let typed: Vec<&str> = line.split(' ').map(|word| word.trim_matches('\'')).collect();
            let ran = env.run_with(&typed, &[("AWS_CONFIG_FILE", profile.to_str().unwrap())]);
            assert_eq!(ran.code, Some(if asks { 2 } else { 0 }), "modeldepot {line}\n{ran}");
        }
    }
    assert_eq!(env.read("copy.jpg"), b"a picture");
    assert_eq!(env.read("serving/best_model.pth"), b"weights");
}
