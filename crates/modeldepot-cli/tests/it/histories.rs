//! What `push` reports about training histories of common tools: the best epoch and why, or what is wrong.

use std::path::Path;

use crate::environment::TestEnv;

/// Pushes a model with a history of the library's tests, and returns the messages followed by the metadata.
fn push(env: &TestEnv, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../modeldepot/src/model/history/tests/files");
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
    insta::assert_snapshot!(notes.collect::<Vec<_>>().join("\n"), @"
    history: best epoch 2 by metrics_map50_95_b 0.46384 (highest)
    history: `val/cls_loss` without any finite value
    history: best epoch 3 by test_loss 1.5 (lowest)
    history: best iteration 39 by bbox_ap 21.5 (highest)
    history: best epoch 4 by val_loss 0.75 (lowest)
    history: validation has 2 values for 4 epochs: taken as every 2 epochs (`validation_freq=2`)
    history: best epoch 1 by val_accuracy 0.6 (highest)
    history: a restart repeats epochs from 0 on; what was logged for them before does not count
    history: best epoch 3 by val_score 0.7 (highest)
    history: best epoch 2 by val_auc 0.71 (highest, the first of 2)
    history: best iteration 1 by val_myown 0.3 (highest)
    history: best epoch 2 by val_loss 0.8 (lowest)
    history: best epoch 2 by val_loss 0.8 (lowest)
    history: only `total_epochs` goes into the metadata: nothing says which epoch is the best; found `bar`, `foo`, expected an accuracy, a score or a loss such as `val_accuracy` or `val_loss`
    ");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    insta::assert_snapshot!(push(&env, "keras-all-nan.json"), @r#"
    ------- stderr -------
    error: cannot read the training history `keras-all-nan.json`
    caused by: `keras-all-nan.json` is not a training history: found nothing but NaN, infinity and gaps in `loss`, `val_loss`, expected one of `{"loss": […], "val_loss": […]}` (one list for each metric), `[{"epoch": 1, "train_loss": …}, …]` (one object for each epoch), `{"log_history": […]}` (a trainer state), or CSV with a header (`epoch,train_loss,val_loss`)
    hint: --with takes any file; --history only a training history
    [exit status: 2]
    "#);
    insta::assert_snapshot!(push(&env, "history.json.gz"), @"
    ------- stderr -------
    error: cannot read the training history `history.json.gz`
    caused by: `history.json.gz` is gzip-compressed, and a training history is JSON or CSV
    hint: decompress it first (gunzip)
    [exit status: 2]
    ");
    insta::assert_snapshot!(push(&env, "pandas-values.json"), @r#"
    ------- stderr -------
    error: cannot read the training history `pandas-values.json`
    caused by: `pandas-values.json` is not a training history: found lists of values without the names of their columns (pandas: use `orient="columns"` instead of `"values"`), expected one of `{"loss": […], "val_loss": […]}` (one list for each metric), `[{"epoch": 1, "train_loss": …}, …]` (one object for each epoch), `{"log_history": […]}` (a trainer state), or CSV with a header (`epoch,train_loss,val_loss`)
    hint: --with takes any file; --history only a training history
    [exit status: 2]
    "#);
}
