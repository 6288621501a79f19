//! The `modeldepot` command.
fn main() {}
