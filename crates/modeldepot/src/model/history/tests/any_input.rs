use proptest::prelude::*;
use serde_json::Value;

use super::History;
use crate::model::history::number;

/// JSON that is likely to contain the words of a history.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3..30i64).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "epoch",
            "epochs",
            "history",
            "log_history",
            "loss",
            "val_loss",
            "train",
            "val",
            "accuracy",
            "val_acc",
            "train_loss_step",
            "train_loss_epoch",
            "eval_loss",
            "step",
            "train_runtime",
            "0",
            "1",
            "lr",
            "trainLoss",
            "iteration",
            "columns",
            "index",
            "data",
            "meta",
            "iterations",
            "validation_0",
            "mode",
            "test_coco_eval_bbox",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Properties of every history that can be parsed.
fn check(history: &History) {
    assert!(!history.epochs().is_empty());
    assert!(history.epochs().is_sorted_by(|a, b| a.epoch < b.epoch));
    assert!(history.epochs().iter().flat_map(|epoch| epoch.values.values()).all(|value| value.is_finite()));
    let best = history.best().map(|epoch| number(epoch.epoch));
    let key = format!("best_{}", history.unit().word());
    assert_eq!(history.metadata().get(&key), best.as_ref());
    assert!(!history.notes().is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), csv: bool) {
        if let Ok(history) = History::parse(if csv { "h.csv" } else { "h.json" }, &bytes) {
            check(&history);
        }
    }

    #[test]
    fn any_json_is_read_or_refused(document in any_json()) {
        if let Ok(history) = History::parse("h.json", document.to_string().as_bytes()) {
            check(&history);
        }
    }

    #[test]
    fn any_table_is_read_or_refused(
        header in "(epoch|loss|val_acc|[a-z_]{0,4})(,(epoch|step|loss|[a-z/ ]{0,4})){0,3}",
        rows in prop::collection::vec("[0-9.,;naif\"-]{0,12}", 0..6),
    ) {
        if let Ok(history) = History::parse("h.csv", format!("{header}\n{}", rows.join("\n")).as_bytes()) {
            check(&history);
        }
    }
}
