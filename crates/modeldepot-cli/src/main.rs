//! The `modeldepot` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(modeldepot_cli::run(std::env::args_os()))
}
