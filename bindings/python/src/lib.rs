//! The Python package: translates, and does nothing else.
//!
//! | file | holds |
//! |---|---|
//! | `model_storage.rs`, `s3_client.rs` | classes that users hold, a method per verb |
//! | `async_verbs.rs` | the verbs as futures, of which `python/modeldepot/_async.py` makes coroutines |
//! | `given.rs` | arguments of a wrong type, refused by their names |
//! | `doc/` | the docstrings of classes and of the longer verbs |
//! | `answer/` | what the verbs return: one class per file, declared by the macro of `declare.rs` |
//! | `file_reader.rs` | a file of a version, read part by part |
//! | `connection.rs` | settings, and what was opened with them in this process |
//! | `runtime.rs` | how work is waited for: Ctrl-C, progress, forks, asyncio |
//! | `work.rs` | the work of the verbs that are more than one call of the library |
//! | `argument.rs`, `json.rs`, `progress.rs`, `error.rs`, `html.rs` | from Python and back |
//!
//! What needs no Rust is in `python/modeldepot/`.

mod answer;
mod argument;
mod async_verbs;
mod connection;
mod error;
mod file_reader;
mod given;
mod hint;
mod html;
mod json;
mod model_storage;
mod progress;
mod runtime;
mod s3_client;
mod work;

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the `modeldepot` command and returns its exit status.
#[pyfunction]
#[pyo3(signature = (arguments, /))]
fn command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| modeldepot_cli::run(arguments))
}

#[pymodule]
mod _modeldepot {
    #[pymodule_export]
    use super::answer::{
        Deleted, Description, ListedObject, ModelSummary, ObjectMetadata, Published, StoredFile, Verified,
        VersionSummary, restored,
    };
    #[pymodule_export]
    use super::async_verbs::AsyncVerbs;
    #[pymodule_export]
    use super::command;
    #[pymodule_export]
    use super::file_reader::FileReader;
    #[pymodule_export]
    use super::model_storage::ModelStorage;
    #[pymodule_export]
    use super::s3_client::S3Client;

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
