//! What the project's chores share: starting programs, installing tools, running S3 servers, reporting steps.
//!
//! A library, so that `benchsuite` uses it without being compiled with every chore.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "for commands that talk to a terminal")]
#![allow(clippy::new_without_default, reason = "a report and the tools have one way to be made")]
#![allow(missing_docs, reason = "the pins of tools and the fields of reports explain themselves")]

pub mod command;
pub mod output;
pub mod report;
pub mod servers;
pub mod tools;

pub use command::{announce, cargo, clean, quietly, root, run, spelled};
