//! The Python package: it translates between Python and the library, and nothing else.
//!
//! | file | holds |
//! |---|---|
//! | `model_storage.rs`, `s3_client.rs` | the classes that users work with, one method per verb |
//! | `async_verbs.rs` | the verbs as futures, which `python/modeldepot/_async.py` turns into coroutines |
//! | `given.rs` | rejects arguments of the wrong type by name |
//! | `doc/` | the docstrings of classes and of the longer verbs |
//! | `answer/` | the results of the verbs: one class per file, declared by the macro in `declare.rs` |
//! | `file_reader.rs` | a file of a version, read part by part |
//! | `connection.rs` | settings, and the storage opened with them in this process |
//! | `gate.rs` | keeps the runtime's threads out of an interpreter that is shutting down |
//! | `runtime.rs` | how Python waits for work: Ctrl-C, progress, forks, asyncio |
//! | `work.rs` | the work of verbs that take more than one call of the library |
//! | `argument.rs`, `json.rs`, `progress.rs`, `error.rs`, `html.rs` | conversions between Python and Rust |
//!
//! Everything that needs no Rust is in `python/modeldepot/`.

mod answer;
mod argument;
mod async_verbs;
mod connection;
mod error;
mod file_reader;
mod gate;
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
    use pyo3::prelude::*;

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

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::gate::close_at_exit(module)
    }
}
