//! The fuzz target for `.env` files: see `fuzz/harness.rs`.

#[path = "../../../../fuzz/harness.rs"]
mod harness;

#[test]
fn dotenv() {
    harness::fuzz("dotenv", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match super::dotenv::parse(&text) {
            Ok(variables) => format!("{} variables", variables.len()),
            Err(line) => {
                assert!((1..=text.lines().count().max(1)).contains(&line), "line {line} of {text:?}");
                "refused".to_owned()
            }
        }
    });
}
