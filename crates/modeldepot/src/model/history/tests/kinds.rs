//! Files as tools write them, in `files/`, and the result of reading each.

use std::fmt::Write as _;
use std::path::Path;

use insta::assert_snapshot;

use super::{History, Value, lines, parse, parse_csv, summary};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/history/tests/files").join(name);
    let bytes = std::fs::read(path).unwrap();
    match History::parse(name, &bytes) {
        Ok(history) => {
            let metadata = Value::Object(history.metadata());
            format!("{}\n{metadata}", history.notes().join("\n"))
        }
        Err(error) => {
            let shown = error.to_string();
            shown.split(", expected one of").next().unwrap_or_default().to_owned()
        }
    }
}

/// Reads several files that must have the same result.
fn read_all(names: &[&str]) -> String {
    let first = read(names[0]);
    for name in names {
        assert_eq!(read(name), first, "{name}");
    }
    first
}

#[test]
fn every_file_is_tried() {
    let source = include_str!("kinds.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/history/tests/files");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(source.contains(&format!("{name:?}")), "{name}");
    }
}

#[test]
fn detection() {
    assert_snapshot!(read("yolo-v8-results.csv"), @r#"
    best epoch 2 by metrics_map50_95_b 0.46384 (highest)
    `val/cls_loss` without any finite value
    {"best_epoch":2,"best_metric":"metrics_map50_95_b","total_epochs":2,"metrics_map50_95_b":0.46384,"metrics_map50_b":0.61933,"metrics_precision_b":0.41008,"metrics_recall_b":0.72621,"train_box_loss":1.7537,"train_cls_loss":6.2812,"train_dfl_loss":1.7971,"val_box_loss":2.2499,"val_dfl_loss":1.96}
    "#);
    assert_snapshot!(read("detr-log.jsonl"), @r#"
    best epoch 3 by test_loss 1.5 (lowest)
    {"best_epoch":3,"best_metric":"test_loss","train_loss":1.1,"total_epochs":4,"test_coco_eval_bbox_ap":0.1,"test_coco_eval_bbox_ap50":0.2,"test_loss":1.5}
    "#);
    assert_snapshot!(read("detectron2-metrics.json"), @r#"
    best iteration 39 by bbox_ap 21.5 (highest)
    {"best_iteration":39,"best_metric":"bbox_ap","train_loss":1.9,"total_iterations":59,"bbox_ap":21.5,"bbox_ap50":42.0,"bbox_ap_person":40.1,"bbox_apl":30.0,"loss_box_reg":0.35,"loss_cls":0.7}
    "#);
    assert_snapshot!(read("mmengine-scalars.json"), @r#"
    best epoch 2 by coco_bbox_map 0.25 (highest)
    {"best_epoch":2,"best_metric":"coco_bbox_map","train_loss":0.9,"total_epochs":2,"coco_bbox_map":0.25,"coco_bbox_map_50":0.45,"coco_bbox_map_s":-1.0,"loss_bbox":0.4,"loss_cls":0.5}
    "#);
    assert_snapshot!(read("mmdetection-log.json"), @r#"
    best epoch 1 by val_bbox_map 0.21 (highest)
    {"best_epoch":1,"best_metric":"val_bbox_map","train_loss":1.2,"total_epochs":2,"train_loss_cls":0.6,"val_bbox_map":0.21,"val_bbox_map_50":0.4}
    "#);
}

#[test]
fn keras() {
    assert_snapshot!(read("keras-all-nan.json"), @"`keras-all-nan.json` is not a training history: found nothing but NaN, infinity and gaps in `loss`, `val_loss`");
    assert_snapshot!(read("keras-validation-every-2.json"), @r#"
    best epoch 4 by val_loss 0.75 (lowest)
    validation has 2 values for 4 epochs: taken as every 2 epochs (`validation_freq=2`)
    {"best_epoch":4,"train_loss":0.6,"val_loss":0.75,"total_epochs":4}
    "#);
    assert_snapshot!(read("keras-appended.csv"), @r#"
    best epoch 1 by val_accuracy 0.6 (highest)
    a restart repeats epochs from 0 on; what was logged for them before does not count
    {"best_epoch":1,"train_accuracy":0.6,"val_accuracy":0.6,"train_loss":0.7,"total_epochs":2}
    "#);
}

#[test]
fn scikit_learn() {
    assert_snapshot!(read("sklearn-curves.json"), @r#"
    best epoch 3 by val_score 0.7 (highest)
    {"best_epoch":3,"best_metric":"val_score","train_loss":0.5,"total_epochs":3,"val_score":0.7}
    "#);
    assert_snapshot!(read("sklearn-hist-boosting.json"), @r#"
    best epoch 2 by val_score -0.8 (highest)
    {"best_epoch":2,"best_metric":"val_score","total_epochs":3,"train_score":-0.7,"val_score":-0.8}
    "#);
    assert_snapshot!(read("sklearn-boosting.json"), @r#"
    best epoch 3 by train_loss 0.6 (lowest)
    {"best_epoch":3,"train_loss":0.6,"total_epochs":3}
    "#);
}

#[test]
fn gradient_boosting() {
    assert_snapshot!(read("xgboost-evals-result.json"), @r#"
    best epoch 2 by val_auc 0.71 (highest, the first of 2)
    {"best_epoch":2,"best_metric":"val_auc","total_epochs":3,"val_auc":0.71,"val_logloss":0.6,"validation_0_auc":0.8,"validation_0_logloss":0.5}
    "#);
    assert_snapshot!(read("xgboost-train-eval.json"), @r#"
    best epoch 2 by val_rmse 2.4 (lowest)
    {"best_epoch":2,"best_metric":"val_rmse","total_epochs":3,"train_rmse":2.0,"val_rmse":2.4}
    "#);
    assert_snapshot!(read("lightgbm-record-evaluation.json"), @r#"
    best epoch 2 by val_binary_logloss 0.6 (lowest)
    {"best_epoch":2,"best_metric":"val_binary_logloss","total_epochs":3,"train_binary_logloss":0.5,"val_binary_logloss":0.6}
    "#);
    assert_snapshot!(read("lightgbm-cv.json"), @r#"
    best epoch 3 by val_auc_mean 0.8 (highest)
    {"best_epoch":3,"best_metric":"val_auc_mean","total_epochs":3,"val_auc_mean":0.8,"val_auc_stdv":0.01,"val_l2_mean":8.0,"val_l2_stdv":0.1}
    "#);
    assert_snapshot!(read("catboost_training.json"), @r#"
    best iteration 1 by val_myown 0.3 (highest)
    {"best_iteration":1,"best_metric":"val_myown","total_iterations":3,"train_logloss":0.64,"val_logloss":0.66,"val_myown":0.3}
    "#);
    assert_snapshot!(read("catboost-learn_error.tsv"), @r#"
    best iteration 1 by logloss 0.64 (lowest)
    {"best_iteration":1,"best_metric":"logloss","total_iterations":3,"logloss":0.64}
    "#);
}

#[test]
fn loggers() {
    assert_snapshot!(read("lightning-restarted.csv"), @r#"
    best epoch 1 by val_accuracy 0.65 (highest)
    a restart repeats epochs from 1 on; what was logged for them before does not count
    {"best_epoch":1,"val_accuracy":0.65,"train_loss":0.8,"val_loss":0.75,"total_epochs":2}
    "#);
    assert_snapshot!(read("fastai-history.csv"), @r#"
    best epoch 1 by val_loss 0.5 (lowest)
    {"best_epoch":1,"train_loss":0.6,"val_loss":0.5,"total_epochs":3,"accuracy":0.72}
    "#);
    assert_snapshot!(read("timm-summary.csv"), @r#"
    best epoch 1 by val_accuracy 9.1 (highest)
    {"best_epoch":1,"val_accuracy":9.1,"train_loss":6.0,"val_loss":5.5,"total_epochs":2,"val_top5":25.0}
    "#);
    assert_snapshot!(read("wandb-history.csv"), @r#"
    best epoch 1 by val_accuracy 0.6 (highest)
    {"best_epoch":1,"val_accuracy":0.6,"train_loss":0.6,"val_loss":0.7,"total_epochs":2}
    "#);
    assert_snapshot!(read("wandb-chart.csv"), @r#"
    best iteration 20 by val_loss 0.7 (lowest)
    {"best_iteration":20,"val_loss":0.7,"total_iterations":30}
    "#);
    assert_snapshot!(read("run-validation-tag-epoch_loss.csv"), @r#"
    best epoch 1 by val_loss 0.7 (lowest)
    {"best_epoch":1,"val_loss":0.7,"total_epochs":3}
    "#);
    assert_snapshot!(read("run-eval-tag-accuracy.json"), @r#"
    best iteration 300 by val_accuracy 0.95 (highest)
    {"best_iteration":300,"val_accuracy":0.95,"total_iterations":300}
    "#);
    assert_snapshot!(read("tidy.csv"), @r#"
    best epoch 2 by val_accuracy 0.5 (highest)
    {"best_epoch":2,"train_accuracy":0.6,"val_accuracy":0.5,"train_loss":0.7,"val_loss":0.8,"total_epochs":2}
    "#);
}

#[test]
fn pandas() {
    let all = [
        "pandas-split.json",
        "pandas-index.json",
        "pandas-columns.json",
        "pandas-records.json",
        "pandas-lines.jsonl",
        "pandas-table.json",
        "pandas-to-csv.csv",
    ];
    assert_snapshot!(read_all(&all), @r#"
    best epoch 2 by val_loss 0.8 (lowest)
    {"best_epoch":2,"train_loss":0.7,"val_loss":0.8,"total_epochs":3}
    "#);
    assert_snapshot!(read("pandas-values.json"), @r#"`pandas-values.json` is not a training history: found lists of values without the names of their columns (pandas: use `orient="columns"` instead of `"values"`)"#);
    // An index that was set numbers the epochs.
    let indexed = [
        r#"{"loss": {"5": 0.9, "10": 0.7}}"#,
        r#"{"5": {"loss": 0.9}, "10": {"loss": 0.7}}"#,
        r#"{"epoch_5": {"loss": 0.9}, "epoch_10": {"loss": 0.7}}"#,
        r#"{"columns": ["loss"], "index": [5, 10], "data": [[0.9], [0.7]]}"#,
        r#"[["epoch", "loss"], [5, 0.9], [10, 0.7]]"#,
    ];
    for document in indexed {
        assert_eq!(lines(&parse(document)), "5: train_loss=0.9\n10: train_loss=0.7", "{document}");
    }
}

#[test]
fn text_of_other_kinds() {
    assert_snapshot!(read_all(&["semicolon-comma.csv"]), @r#"
    best epoch 2 by val_loss 0.8 (lowest)
    {"best_epoch":2,"train_loss":0.71,"val_loss":0.8,"total_epochs":2}
    "#);
    assert_snapshot!(read_all(&["excel.csv", "numpy-savetxt.txt"]), @r#"
    best epoch 2 by val_loss 0.8 (lowest)
    {"best_epoch":2,"train_loss":0.7,"val_loss":0.8,"total_epochs":2}
    "#);
    assert_snapshot!(read("utf16.tsv"), @r#"
    best epoch 2 by val_loss 0.8 (lowest)
    {"best_epoch":2,"train_loss":0.7,"val_loss":0.8,"total_epochs":2}
    "#);
    assert_snapshot!(read("history.json.gz"), @"`history.json.gz` is gzip-compressed, and a training history is JSON or CSV");
    assert_snapshot!(read("unknown-metrics.csv"), @r#"
    only `total_epochs` goes into the metadata: nothing says which epoch is the best; found `bar`, `foo`, expected an accuracy, a score or a loss such as `val_accuracy` or `val_loss`
    {"total_epochs":2}
    "#);
}

#[test]
fn text_in_utf16_is_read_with_and_without_a_mark() {
    let text = "epoch,loss\n1,0.9\n2,0.7\n";
    let plain = parse_csv(text);
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [[b"\xFF\xFE", &*little].concat(), [b"\xFE\xFF", &*big].concat(), little.clone(), big] {
        assert_eq!(History::parse("h.csv", &bytes).unwrap(), plain);
    }
    let odd = History::parse("h.csv", &[b"\xFF\xFE", &little[..7]].concat()).unwrap_err();
    assert_eq!(odd.to_string(), "`h.csv` is broken UTF-16, and a training history is JSON or CSV");
}

#[test]
fn the_content_tells_json_from_tables() {
    let rows = "{\"epoch\": 1, \"loss\": 0.9}\n{\"epoch\": 2, \"loss\": 0.7}\n";
    for name in ["log.txt", "h.csv", "h.json", "h.jsonl", "metrics"] {
        assert_eq!(History::parse(name, rows.as_bytes()).unwrap().total_epochs(), 2, "{name}");
    }
    assert_eq!(History::parse("log.txt", b"epoch,loss\n1,0.9\n").unwrap(), parse_csv("epoch,loss\n1,0.9\n"));
    // The same, before the second epoch was complete.
    assert_eq!(parse("{\"epoch\": 1, \"loss\": 0.9}").total_epochs(), 1);
}

#[test]
fn what_a_table_loses_is_said() {
    let found = parse_csv("epoch,loss,loss,note\n1,0.9,0.8,begin\n2,0.7,oops,\n3,0.6,n/a,end\n");
    assert_eq!(
        found.notes()[1..],
        [
            "several columns are called `loss`: the last one counts",
            "the cell `oops` under `loss` is no number, and left out"
        ]
    );
    let found = parse_csv("epoch,loss,val_accuracy,optimizer\n1,0.9,85%,adam\n2,0.7,90%,adam\n");
    assert_eq!(found.notes()[1..], ["2 cells are no numbers, and left out, such as `85%` under `val_accuracy`"]);
    assert_eq!(parse_csv("epoch,loss,note\n1,0.9,\n2,nan,x\n").notes().len(), 1);
}

#[test]
fn the_mean_over_all_thresholds_decides_as_yolov5_writes_it() {
    let found = parse_csv(
        "               epoch,      train/box_loss,     metrics/mAP_0.5,metrics/mAP_0.5:0.95,        val/box_loss\n\
         0,0.1,0.9,0.3,0.1\n1,0.1,0.8,0.4,0.2\n",
    );
    assert!(found.notes()[0].starts_with("best epoch 1 by metrics_map_0_5_0_95 0.4"), "{:?}", found.notes());
}

#[test]
fn the_first_answer_counts_before_the_first_five() {
    let log = "{\"train_loss\": 6.9, \"test_acc1\": 10.0, \"test_acc5\": 40.0, \"epoch\": 0}\n\
               {\"train_loss\": 6.1, \"test_acc1\": 12.0, \"test_acc5\": 39.0, \"epoch\": 1}\n";
    assert!(parse(log).notes()[0].starts_with("best epoch 1 by test_accuracy 12"), "{:?}", parse(log).notes());
}

#[test]
fn a_last_line_that_is_cut_short_is_left_out() {
    let whole = "{\"epoch\": 1, \"loss\": 0.9}\n{\"epoch\": 2, \"loss\": 0.7}\n";
    let cut = parse(&format!("{whole}{{\"epoch\": 3, \"lo"));
    assert_eq!(cut.epochs(), parse(whole).epochs());
    assert_eq!(cut.notes()[1], "the last line is cut short, and left out");
    let first = parse("{\"epoch\": 1, \"loss\": 0.9}\n{\"epoch\": 2, \"lo");
    assert_eq!((first.total_epochs(), first.notes().len()), (1, 2));
    let table = "epoch,loss,val_loss\n1,0.9,0.8\n2,0.7,0.6\n";
    let cut = parse_csv(&format!("{table}3,0.5,0."));
    assert_eq!((cut.epochs(), cut.notes().len()), (parse_csv(table).epochs(), 2));
    assert_eq!(parse_csv(table.trim_end()).total_epochs(), 2, "only its end is missing");
    let cut = parse_csv(&format!("{table}3,0.5"));
    assert_eq!(cut.epochs(), parse_csv(table).epochs());
    assert_eq!(cut.notes()[1], "the last line is cut short, and left out");
}

#[test]
fn restarts() {
    let best = |table: &str| parse_csv(table).best().map(|epoch| epoch.epoch);
    // A restart from scratch, a restart from a checkpoint, and train and validation one after the other, which is no
    // restart.
    assert_eq!(best("epoch,val_loss\n1,5\n2,1\n3,2\n1,4\n2,3\n"), Some(2.0));
    assert_eq!(parse_csv("epoch,val_loss\n1,5\n2,1\n3,2\n1,4\n2,3\n").total_epochs(), 2);
    assert_eq!(best("epoch,val_loss\n0,5\n1,4\n2,1\n1,3\n"), Some(1.0));
    let apart = parse_csv("epoch,loss,val_loss\n1,5,\n2,4,\n1,,6\n2,,5\n");
    assert_snapshot!(lines(&apart), @"
    1: train_loss=5 val_loss=6
    2: train_loss=4 val_loss=5
    ");
    assert_eq!(apart.notes().len(), 1);
}

#[test]
fn every_validation_frequency_of_keras_that_can_be_known() {
    for (epochs, frequency) in [(4, 2), (5, 2), (7, 3), (9, 3), (10, 3), (12, 4), (100, 10)] {
        let measured = epochs / frequency;
        let document = serde_json::json!({"loss": vec![1.0; epochs], "val_loss": vec![0.5; measured]});
        let history = parse(&document.to_string());
        let found: Vec<usize> = history
            .epochs()
            .iter()
            .enumerate()
            .filter(|(_, e)| e.values.contains_key("val_loss"))
            .map(|(n, _)| n + 1)
            .collect();
        let expected: Vec<usize> = (1..=measured).map(|n| n * frequency).collect();
        assert_eq!(found, expected, "{epochs} {frequency}");
    }
    // One value for five epochs may belong to the third, fourth or fifth; hand-written loops start counting elsewhere.
    for document in
        [r#"{"loss": [1, 2, 3, 4, 5], "val_loss": [1]}"#, r#"{"train_loss": [1, 2, 3, 4], "val_loss": [1, 2]}"#]
    {
        History::parse("h.json", document.as_bytes()).unwrap_err();
    }
}

#[test]
fn a_test_at_the_end_chooses_no_epoch() {
    let history = parse_csv("epoch,train_loss,test_acc\n0,0.9,\n1,0.5,\n2,0.6,\n2,,0.8\n");
    assert_snapshot!(summary(&history), @r#"{"best_epoch":1,"train_loss":0.5,"total_epochs":3}"#);
}

#[test]
fn notes_are_short_whatever_the_file_holds() {
    let mut table = "epoch".to_owned();
    (0..5000).for_each(|n| write!(table, ",foo{n},void{n}").unwrap());
    table.push_str("\n1");
    (0..5000).for_each(|_| table.push_str(",1,nan"));
    let notes = parse_csv(&table).notes();
    assert!(notes.iter().all(|note| note.len() < 400), "{notes:?}");
    assert_eq!(notes.len(), 2);
}

/// A name that occurs once in a file is not copied for each of its rows.
#[test]
fn long_names_are_not_copied_for_every_row() {
    let long = "loss".repeat(1 << 18);
    let rows = 50_000;
    let table = format!("phase,{long},loss\n{}", "val,1,2\n".repeat(rows));
    assert_eq!(parse_csv(&table).epochs().len(), rows);
    let split = format!(r#"{{"columns": ["{long}", "loss"], "data": [{}[1, 2]]}}"#, "[1, 2],".repeat(rows));
    assert_eq!(parse(&split).epochs().len(), rows + 1);
    let metric = format!(r#"{{"best_value": "Min", "name": "{long}"}}"#);
    let iteration = |n: usize| format!(r#"{{"iteration": {n}, "learn": [1]}}"#);
    let iterations = (0..rows).map(iteration).collect::<Vec<_>>().join(",");
    let training = format!(
        r#"{{"meta": {{"learn_sets": ["learn"], "test_sets": [], "learn_metrics": [{metric}]}}, "iterations": [{iterations}]}}"#
    );
    assert!(History::parse("catboost_training.json", training.as_bytes()).is_ok_and(|h| h.epochs().len() == rows));
    let sets = vec![r#""s""#; 20_000].join(",");
    let metrics = vec![r#"{"name": "m"}"#; 20_000].join(",");
    let many = format!(
        r#"{{"meta": {{"test_sets": [{sets}], "test_metrics": [{metrics}]}}, "iterations": [{{"iteration": 0}}]}}"#
    );
    History::parse("catboost_training.json", many.as_bytes()).unwrap();
    let void = format!("{long},epoch,foo\nnan,1,2\n");
    assert!(parse_csv(&void).notes().iter().all(|note| note.len() < 400));
}
