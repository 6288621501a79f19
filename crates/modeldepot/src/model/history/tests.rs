mod any_input;
mod kinds;
mod refusals;

use insta::assert_snapshot;
use serde_json::json;

use super::*;

fn parse(document: &str) -> History {
    History::parse("training_history.json", document.as_bytes()).unwrap()
}

fn parse_csv(table: &str) -> History {
    History::parse("metrics.csv", table.as_bytes()).unwrap()
}

/// The history as a table, one line for each epoch.
fn lines(history: &History) -> String {
    let line = |epoch: &Epoch| {
        let values: Vec<String> = epoch.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}: {}", epoch.epoch, values.join(" "))
    };
    history.epochs().iter().map(line).collect::<Vec<_>>().join("\n")
}

fn summary(history: &History) -> String {
    Value::Object(history.metadata()).to_string()
}

#[test]
fn keras_history() {
    let history = parse(
        r#"{"loss": [0.9, 0.5, 0.3], "acc": [0.5, 0.7, 0.8], "auc": [0.5, 0.6, 0.7],
            "val_loss": [0.8, 0.6, 0.7], "val_acc": [0.6, 0.75, 0.7], "val_auc": [0.5, 0.8, 0.7], "lr": [0.1, 0.1, 0.01]}"#,
    );
    assert_snapshot!(lines(&history), @"
    1: learning_rate=0.1 train_accuracy=0.5 train_auc=0.5 train_loss=0.9 val_accuracy=0.6 val_auc=0.5 val_loss=0.8
    2: learning_rate=0.1 train_accuracy=0.7 train_auc=0.6 train_loss=0.5 val_accuracy=0.75 val_auc=0.8 val_loss=0.6
    3: learning_rate=0.01 train_accuracy=0.8 train_auc=0.7 train_loss=0.3 val_accuracy=0.7 val_auc=0.7 val_loss=0.7
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":2,"train_accuracy":0.7,"val_accuracy":0.75,"train_loss":0.5,"val_loss":0.6,"total_epochs":3,"train_auc":0.6,"val_auc":0.8}"#);
}

#[test]
fn keras_frame_written_by_pandas() {
    let history = parse(r#"{"loss": {"0": 0.9, "1": 0.5}, "val_loss": {"0": 0.8, "1": null}}"#);
    assert_snapshot!(lines(&history), @"
    1: train_loss=0.9 val_loss=0.8
    2: train_loss=0.5
    ");
}

#[test]
fn pytorch_dict_with_scalars_and_other_lists() {
    let history = parse(
        r#"{"history": {"train_loss": [0.9, 0.5], "train_acc": [50.0, 95.71], "val_loss": [0.8, 0.6],
            "val_acc": [60, 95], "best_epoch": 1, "best_val_acc": 95.0, "test_acc": [0.9], "classes": ["a", "b"],
            "class_weights": [1, 2, 3], "val_f1": [], "amp": true}, "num_epochs": 50}"#,
    );
    assert_snapshot!(lines(&history), @"
    1: train_accuracy=50 train_loss=0.9 val_accuracy=60 val_loss=0.8
    2: train_accuracy=95.71 train_loss=0.5 val_accuracy=95 val_loss=0.6
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":2,"train_accuracy":95.71,"val_accuracy":95.0,"train_loss":0.5,"val_loss":0.6,"total_epochs":2}"#);
}

#[test]
fn pytorch_dict_grouped_by_split_or_metric() {
    let by_split = parse(r#"{"train": {"loss": [0.9, 0.5]}, "val": {"loss": [0.8, 0.6]}}"#);
    let by_metric = parse(r#"{"loss": {"train": [0.9, 0.5], "val": [0.8, 0.6]}, "config": {"layers": [64, 32]}}"#);
    assert_eq!(by_split, by_metric);
    assert_snapshot!(lines(&by_split), @"
    1: train_loss=0.9 val_loss=0.8
    2: train_loss=0.5 val_loss=0.6
    ");
}

#[test]
fn dict_with_its_own_epoch_numbers() {
    let history = parse(r#"{"epochs": [0, 1, 2], "train_loss": [3, 2, 1], "val_loss": [3, 1, 2]}"#);
    assert_snapshot!(lines(&history), @"
    0: train_loss=3 val_loss=3
    1: train_loss=2 val_loss=1
    2: train_loss=1 val_loss=2
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":1,"train_loss":2.0,"val_loss":1.0,"total_epochs":3}"#);
}

#[test]
fn one_object_for_each_epoch() {
    let list = r#"[{"epoch": 1, "train_loss": 0.9, "val_acc": 0.5, "time": "3s", "best": true},
                   {"epoch": 2, "train_loss": 0.5, "val_acc": 0.7, "val": {"f1": 0.6}, "epoch_time": 3.5}]"#;
    let history = parse(list);
    assert_snapshot!(lines(&history), @"
    1: train_loss=0.9 val_accuracy=0.5
    2: epoch_time=3.5 train_loss=0.5 val_accuracy=0.7 val_f1=0.6
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":2,"val_accuracy":0.7,"train_loss":0.5,"total_epochs":2,"val_f1":0.6}"#);
    for wrapper in ["epochs", "history", "training_history"] {
        assert_eq!(parse(&format!(r#"{{"model": "m", "{wrapper}": {list}}}"#)), history);
    }
}

#[test]
fn epochs_without_numbers_are_counted_from_one() {
    let history = parse(r#"[{"loss": 0.9}, {"loss": 0.5}, {"loss": 0.7}]"#);
    assert_snapshot!(summary(&history), @r#"{"best_epoch":2,"train_loss":0.5,"total_epochs":3}"#);
}

#[test]
fn epochs_with_one_number_are_one() {
    let history = parse(
        r#"[{"epoch": 2, "train_loss": 2}, {"epoch": 1, "train_loss": 9}, {"epoch": 2, "val_loss": 3},
                            {"epoch": 1, "val_loss": 4}, {"lr": 5}]"#,
    );
    assert_snapshot!(lines(&history), @"
    1: train_loss=9 val_loss=4
    2: train_loss=2 val_loss=3
    ");
}

#[test]
fn trainer_state() {
    let log = r#"[{"epoch": 0.5, "grad_norm": 1.5, "learning_rate": 5e-05, "loss": 0.9, "step": 50},
        {"epoch": 1.0, "loss": 0.7, "step": 100},
        {"epoch": 1.0, "eval_accuracy": 0.8, "eval_loss": 0.6, "eval_runtime": 1.2, "eval_samples_per_second": 9.0, "step": 100},
        {"epoch": 1.5, "loss": 0.5, "step": 150},
        {"epoch": 1.9955, "eval_accuracy": 0.85, "eval_f1": 0.84, "eval_loss": 0.5, "eval_runtime": 1.2, "step": 199},
        {"epoch": 2.5, "loss": 0.2, "step": 250},
        {"epoch": 2.5, "step": 250, "total_flos": 1e15, "train_loss": 0.6, "train_runtime": 99.0}]"#;
    let history =
        parse(&format!(r#"{{"best_metric": 0.85, "epoch": 2.5, "log_history": {log}, "num_train_epochs": 5}}"#));
    assert_snapshot!(lines(&history), @"
    1: grad_norm=1.5 learning_rate=0.00005 step=100 train_loss=0.7 val_accuracy=0.8 val_loss=0.6 val_runtime=1.2 val_samples_per_second=9
    1.9955: step=199 train_loss=0.5 val_accuracy=0.85 val_f1=0.84 val_loss=0.5 val_runtime=1.2
    2.5: step=250 train_loss=0.2
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":1.9955,"val_accuracy":0.85,"train_loss":0.5,"val_loss":0.5,"total_epochs":3,"val_f1":0.84}"#);
    assert_eq!(parse(log), history, "the log alone");
}

#[test]
fn trainer_state_with_evaluations_within_an_epoch() {
    let history = parse(
        r#"{"log_history": [{"epoch": 0, "eval_loss": 9, "step": 0}, {"epoch": 0.25, "loss": 5, "step": 1},
            {"epoch": 0.5, "eval_loss": 4, "step": 2}, {"epoch": 0.5, "eval_other_loss": 3, "step": 2},
            {"epoch": 0.75, "loss": 2, "step": 3}, {"epoch": 1.0, "eval_loss": 6, "step": 4}]}"#,
    );
    assert_snapshot!(lines(&history), @"
    0: step=0 val_loss=9
    0.5: step=2 train_loss=5 val_loss=4 val_other_loss=3
    1: step=4 train_loss=2 val_loss=6
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":0.5,"train_loss":5.0,"val_loss":4.0,"total_epochs":1,"val_other_loss":3.0}"#);
}

#[test]
fn trainer_state_without_evaluations() {
    let history = parse(
        r#"{"log_history": [{"epoch": 0.48, "loss": 5}, {"epoch": 0.96, "loss": 4}, {"epoch": 1.44, "loss": 3},
            {"epoch": 1.92, "loss": 2}, {"epoch": 1.92, "train_runtime": 7, "train_loss": 3.5}]}"#,
    );
    assert_snapshot!(lines(&history), @"
    0.96: train_loss=4
    1.92: train_loss=2
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":1.92,"train_loss":2.0,"total_epochs":2}"#);
}

#[test]
fn lightning_metrics() {
    let history = parse_csv(
        "epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_acc,val_loss\n\
         ,0.001,0,,,,\n\
         0,,49,,0.9,,\n\
         0,,99,,,0.5,0.8\n\
         0,,99,0.85,,,\n\
         1,,149,,0.4,,\n\
         1,,199,,,0.7,nan\n\
         1,,199,0.45,,,\n",
    );
    assert_snapshot!(lines(&history), @"
    0: step=99 train_loss=0.85 val_accuracy=0.5 val_loss=0.8
    1: step=199 train_loss=0.45 val_accuracy=0.7
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":1,"val_accuracy":0.7,"train_loss":0.45,"total_epochs":2}"#);
}

#[test]
fn keras_csv_logger() {
    let history = parse_csv(
        "\u{feff}epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,0.9,0.6,0.8\n1,0.7,0.5,0.6,0.7\n2,0.8,0.4,NA,NA\n",
    );
    assert_snapshot!(lines(&history), @"
    0: train_accuracy=0.5 train_loss=0.9 val_accuracy=0.6 val_loss=0.8
    1: train_accuracy=0.7 train_loss=0.5 val_accuracy=0.6 val_loss=0.7
    2: train_accuracy=0.8 train_loss=0.4
    ");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":0,"train_accuracy":0.5,"val_accuracy":0.6,"train_loss":0.9,"val_loss":0.8,"total_epochs":3}"#);
}

#[test]
fn csv_without_epochs_and_with_other_separators() {
    let history = parse_csv(";loss; val_loss\n0;0.9;0.8\n1;0.5;0.6\n");
    assert_snapshot!(lines(&history), @"
    1: train_loss=0.9 val_loss=0.8
    2: train_loss=0.5 val_loss=0.6
    ");
    let tabs = History::parse("METRICS.CSV", b"\tloss\tval_loss\r\n0\t0.9\t0.8\r\n1\t0.5\t0.6").unwrap();
    assert_eq!(tabs, history);
}

#[test]
fn missing_values_are_absent() {
    let history = parse(
        "\u{feff}{\"loss\": [0.9, NaN, Infinity], \"val_loss\": [-Infinity, null, \"x\"], \"val_acc\": [0, NaN, 0]}",
    );
    assert_snapshot!(lines(&history), @"
    1: train_loss=0.9 val_accuracy=0
    2: 
    3: val_accuracy=0
    ");
    assert_eq!(history.best().unwrap().epoch, 1.0, "the first of equals");
}

#[test]
fn the_best_epoch_is_by_the_most_telling_metric() {
    let best = |document: &str| parse(document).best().map(|epoch| epoch.epoch);
    let columns = [
        r#""val_acc": [0.1, 0.4, 0.4, 0.2]"#,
        r#""val_loss": [9, 8, 7, 7]"#,
        r#""train_acc": [0.9, 0.2, 0.1, 0.9]"#,
        r#""train_loss": [4, 3, 2, 1]"#,
    ];
    let from = |first: usize| best(&format!("{{{}}}", columns[first..].join(",")));
    assert_eq!([from(0), from(1), from(2), from(3)], [Some(2.0), Some(3.0), Some(1.0), Some(4.0)]);

    let unknown = parse(r#"[{"epoch": 3, "foo": 0.5}]"#);
    assert_eq!(unknown.best(), None);
    assert_eq!(Value::Object(unknown.metadata()), json!({"total_epochs": 3}));
}

#[test]
fn the_documents_example() {
    let history = parse(
        r#"{"train_loss": [0.62, 0.41, 0.30, 0.25, 0.21, 0.16, 0.1324, 0.12, 0.11, 0.1],
            "train_acc": [0.66, 0.8, 0.86, 0.89, 0.91, 0.94, 0.9571, 0.96, 0.97, 0.97],
            "val_loss": [0.6, 0.55, 0.5, 0.49, 0.48, 0.475, 0.4722, 0.48, 0.5, 0.51],
            "val_acc": [0.7, 0.8, 0.85, 0.85, 0.9, 0.925, 0.95, 0.925, 0.95, 0.925]}"#,
    );
    assert_snapshot!(
        serde_json::to_string_pretty(&history.metadata()).unwrap(),
        @r#"
    {
      "best_epoch": 7,
      "train_accuracy": 0.9571,
      "val_accuracy": 0.95,
      "train_loss": 0.1324,
      "val_loss": 0.4722,
      "total_epochs": 10
    }
    "#
    );
}
