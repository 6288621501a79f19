//! The arguments for access to the embedded S3 server.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use modeldepot_embedded::{Grant, Origin};

/// Who may use the S3 server.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// Require a key pair from this file on the S3 port [MODELDEPOT_KEYS]
    ///
    /// Each key pair has rights per bucket (`modeldepot key add`). No other login works on the S3 port. For the console and
    /// the REST API, use --tokens.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) keys: Option<PathBuf>,
    /// Allow web pages of this origin to use the S3 server: http://localhost:5173 (repeatable)
    ///
    /// Requests from pages of other origins are refused. An allowed page still has to sign its requests; with the default
    /// login it can do everything.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) cors_origin: Vec<Origin>,
}

/// Create, list and revoke S3 key pairs for `modeldepot up`
///
/// The file holds the secret keys in plain text, because checking signatures needs them. It must be readable by its owner
/// only; `up --keys` refuses a file with wider permissions. A running server reloads the file when it changes.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Use this key file [MODELDEPOT_KEYS]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) keys: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create a key pair and print it; the secret is shown only once
    Add {
        /// Name of the key pair
        name: String,
        /// Grant read, write or admin on a bucket or on all buckets `PREFIX*` (repeatable)
        ///
        /// `read` lists and reads objects, `write` also stores and deletes them, `admin` also creates and deletes buckets.
        #[arg(long, value_name = "BUCKET=RIGHT", required = true)]
        grant: Vec<Grant>,
    },
    /// List the key pairs and their rights
    List,
    /// Revoke a key pair
    Rm {
        /// Name of the key pair
        name: String,
    },
}
