//! The arguments that say who may use the embedded S3 server.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use modeldepot_embedded::{Grant, Origin};

/// Who may use the S3 server.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// Require a key pair from this file on the S3 port, which gives rights per bucket [MODELDEPOT_KEYS]
    ///
    /// No other login works on the S3 port. The console and the REST API beside it have their own: --tokens.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) keys: Option<PathBuf>,
    /// Allow web pages of this origin to use the S3 server: http://localhost:5173 (repeatable)
    ///
    /// Browsers' requests for pages of any other origin are refused. A page that is allowed must sign its requests as
    /// everybody; with the default login it can do everything.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) cors_origin: Vec<Origin>,
}

/// Make, list and revoke key pairs for the S3 server of `modeldepot up`
///
/// The file holds the secret keys as they are, since signatures are checked with them, so nobody but its owner may read
/// it: `up --keys` refuses a file with wider permissions. A running server reads the file again when it changes.
#[derive(Debug, Args)]
#[command(after_long_help = KEY_EXAMPLES)]
pub(crate) struct KeyArgs {
    /// Use this file [MODELDEPOT_KEYS]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) keys: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

const KEY_EXAMPLES: &str = "\
Examples:
  modeldepot key add ci --grant models=write --grant data=read --keys ./keys
  modeldepot key add root --grant '*=admin' --keys ./keys
  modeldepot up --keys ./keys";

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key pair and print it; the secret key is not shown again
    Add {
        /// Name the key pair, to revoke it by
        name: String,
        /// Grant a right on a bucket, or on all that match `PREFIX*` (repeatable): read, write, admin
        ///
        /// `read` lists and fetches, `write` also stores and deletes objects, `admin` also makes and deletes the bucket.
        #[arg(long, value_name = "BUCKET=RIGHT", required = true)]
        grant: Vec<Grant>,
    },
    /// List the key pairs with their rights
    List,
    /// Revoke a key pair
    Rm {
        /// The key pair's name
        name: String,
    },
}
