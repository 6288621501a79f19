//! What `push` says of training histories, as tools write them: which epoch is the best and why, or what is wrong.

use std::path::Path;

use crate::environment::TestEnv;

/// Pushes a model with a history of the library's tests, and returns all that is said, then the metadata.
fn push(env: &TestEnv, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../modeldepot/src/history/tests/files");
    env.write(name, std::fs::read(folder.join(name)).unwrap());
    env.run(["push", "m", "m.bin", "--dry-run", "--version", "1", "--history", name]).to_string()
}

#[test]
fn what_is_said_of_each_kind() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    let kinds = [
        "yolo-v8-results.csv",
        "detr-log.jsonl",
        "detectron2-metrics.json",
        "keras-validation-every-2.json",
        "keras-appended.csv",
        "sklearn-curves.json",
        "xgboost-evals-result.json",
        "catboost_training.json",
        "semicolon-comma.csv",
        "pandas-split.json",
        "unknown-metrics.csv",
    ];
    let said = kinds.map(|name| push(&env, name));
    let notes = said.iter().flat_map(|said| said.lines()).filter(|line| line.starts_with("history: "));
    insta::assert_snapshot!(notes.collect::<Vec<_>>().join("\n"), @"");
    insta::assert_snapshot!(said[10], @"");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    insta::assert_snapshot!(push(&env, "keras-all-nan.json"), @"");
    insta::assert_snapshot!(push(&env, "history.json.gz"), @"");
    insta::assert_snapshot!(push(&env, "pandas-values.json"), @"");
}
