//! Lists the public API of a crate, an item a line: `public-api-listing RUSTDOC.json`.
//!
//! What `cargo public-api` prints, without its command line, which would be two minutes more to build.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to a terminal")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(json) = std::env::args_os().nth(1) else {
        eprintln!("usage: public-api-listing RUSTDOC.json");
        return ExitCode::from(2);
    };
    let mut builder = public_api::Builder::from_rustdoc_json(json);
    // What every type has, or has by `derive`, would be nine lines of ten.
    builder = builder.omit_blanket_impls(true).omit_auto_trait_impls(true).omit_auto_derived_impls(true);
    match builder.build() {
        Ok(api) => {
            api.items().for_each(|item| println!("{item}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
