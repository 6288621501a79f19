//! What a model is, without any I/O: names, keys, manifests, digests and training histories.

pub(crate) mod digest;
#[cfg(feature = "history")]
pub mod history;
pub(crate) mod history_file;
pub(crate) mod key;
pub(crate) mod manifest;
pub(crate) mod manifest_error;
pub(crate) mod metadata;
pub(crate) mod model_file;
pub(crate) mod name;
pub(crate) mod prefix;
