use insta::assert_snapshot;

use super::super::{MAX_BYTES, MAX_VALUES};
use super::{History, parse};

fn refusal(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let error = History::parse(name, bytes.as_ref()).unwrap_err();
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}\n{source}"),
        None => error.to_string(),
    }
}

#[test]
fn lists_of_different_lengths_are_refused() {
    assert_snapshot!(refusal("h.json", r#"{"lr": [1], "train_loss": [1, 2, 3], "val_loss": [1, 2]}"#), @"`h.json` has lists of different lengths: 3 in `train_loss`, 2 in `val_loss`; expected one value for each epoch, and `null` where nothing was measured");
    assert_snapshot!(refusal("h.json", r#"{"epoch": [1, 2], "loss": [1, 2, 3]}"#), @"`h.json` has lists of different lengths: 2 in `epoch`, 3 in `loss`; expected one value for each epoch, and `null` where nothing was measured");
}

#[test]
fn other_shapes_are_refused() {
    assert_snapshot!(refusal("h.json", "{}"), @r#"`h.json` is not a training history: found an empty object, expected one of `{"loss": […], "val_loss": […]}` (one list for each metric), `[{"epoch": 1, "train_loss": …}, …]` (one object for each epoch), `{"log_history": […]}` (a trainer state), or CSV with a header (`epoch,train_loss,val_loss`)"#);
    let found = |name: &str, document: &str| {
        let message = refusal(name, document);
        let found = message.split("found ").nth(1).unwrap().split(", expected").next().unwrap();
        found.to_owned()
    };
    let documents = ["[]", "3", "true", "null", "\"loss\"", "[1, 2]", r#"[{"epoch": 1}, 2]"#, r#"{"loss": 0.5}"#];
    let documents = documents.into_iter().chain([
        r#"{"loss": [NaN]}"#,
        r#"{"layers": [64, 32]}"#,
        r#"[{"epoch": 1, "note": "x"}]"#,
        r#"[{"size": 1}]"#,
        r#"{"log_history": []}"#,
        r#"{"log_history": [{"step": 1, "loss": 2}]}"#,
    ]);
    let found_json: Vec<String> = documents.map(|d| format!("{d} → {}", found("h.json", d))).collect();
    assert_snapshot!(found_json.join("\n"), @r#"
    [] → an empty list
    3 → a number
    true → a boolean
    null → `null`
    "loss" → a string
    [1, 2] → a list whose items are not all objects
    [{"epoch": 1}, 2] → a list whose items are not all objects
    {"loss": 0.5} → an object without lists of numbers
    {"loss": [NaN]} → nothing but NaN, infinity and gaps in `loss`
    {"layers": [64, 32]} → neither epoch numbers nor training or validation values
    [{"epoch": 1, "note": "x"}] → no measured values
    [{"size": 1}] → neither epoch numbers nor training or validation values
    {"log_history": []} → an empty list
    {"log_history": [{"step": 1, "loss": 2}]} → a log without entries that have an `epoch`
    "#);
    let tables = ["", "\n", "epoch,loss\n", "0,0.9\n1,0.5\n", "a,b\n1,2\n", "epoch,note\n1,x\n"];
    let found_csv: Vec<String> = tables.into_iter().map(|d| format!("{d:?} → {}", found("h.csv", d))).collect();
    assert_snapshot!(found_csv.join("\n"), @r#"
    "" → an empty file
    "\n" → an empty file
    "epoch,loss\n" → a header without rows
    "0,0.9\n1,0.5\n" → numbers in the first line, where the header should be
    "a,b\n1,2\n" → neither epoch numbers nor training or validation values
    "epoch,note\n1,x\n" → no measured values
    "#);
}

#[test]
fn broken_files_are_refused() {
    assert_snapshot!(refusal("h.json", r#"{"loss": [1, 2"#), @"
    `h.json` is not JSON
    EOF while parsing a list at line 1 column 14
    ");
    assert_snapshot!(refusal("h.json", [0x80, 0x02]), @"`h.json` is a Python pickle, and a training history is JSON or CSV");
    assert_snapshot!(refusal("h.json", "[".repeat(100_000)), @"
    `h.json` is not JSON
    recursion limit exceeded at line 1 column 128
    ");
    assert_snapshot!(refusal("h.csv", "epoch,loss\n1,2\n3\n"), @"
    `h.csv` is not CSV
    CSV error: record 2 (line: 3, byte: 15): found record with 1 fields, but the previous record has 2 fields
    ");
    assert_snapshot!(refusal("h.csv", b"epoch,loss\n1,\xff\n"), @"
    `h.csv` is not CSV
    CSV parse error: record 1 (line 2, field: 1, byte: 11): invalid utf-8: invalid UTF-8 in field 1 near byte index 0
    ");
    assert_snapshot!(refusal("h.csv", "loss\n".to_owned() + &"1\n".repeat(MAX_VALUES)), @"`h.csv` holds more than 500000 values, too many for a training history");
    assert_snapshot!(refusal("h.json", vec![b' '; MAX_BYTES + 1]), @"`h.json` is 67108865 bytes, and a training history is at most 67108864");
}

#[test]
fn impossible_epoch_numbers_are_refused() {
    assert_snapshot!(refusal("h.json", r#"[{"epoch": -1, "loss": 1}]"#), @"`h.json` has `-1` as the number of an epoch");
    assert_snapshot!(refusal("h.csv", "epoch,loss\n1700000000,1\n"), @"`h.csv` has `1700000000` as the number of an epoch");
    assert_eq!(parse(r#"[{"epoch": -0.0, "loss": 1}]"#), parse(r#"[{"epoch": 0, "loss": 1}]"#));
}
