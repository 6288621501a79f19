//! The arguments as typed. Nothing here reads the environment; [`crate::config`] does.
//!
//! The doc comments are the help texts; [`crate::help`] arranges them.

mod care;
mod key;
mod oidc;
mod tls;
mod value;
mod verbs;
mod writing;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, ValueHint};

pub(crate) use self::care::*;
pub(crate) use self::key::*;
pub(crate) use self::oidc::OidcArgs;
pub(crate) use self::tls::TlsArgs;
pub(crate) use self::value::{Exact, Lifetime, Meta, NewVersion, Rate, S3Address};
pub(crate) use self::verbs::*;
pub(crate) use self::writing::WritingArgs;

/// Publish, verify and fetch trained models on any S3 bucket
///
/// Settings are read from flags, the environment, the nearest `.env` in the current folder or above it, and the AWS
/// profile, in this order: S3_ENDPOINT (http://localhost:9000), S3_ACCESS_KEY, S3_SECRET_KEY, S3_REGION (us-east-1),
/// S3_BUCKET_MODELS (models), S3_BUCKET_IMAGES (plants-images), S3_BUCKET_DATA (data), AWS_CA_BUNDLE. An empty
/// S3_ENDPOINT means AWS. Where these are not set, the variables of AWS tools apply: AWS_ENDPOINT_URL_S3,
/// AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE. Without credentials, a server on this machine gets
/// `minioadmin`, any other the AWS credential chain. Secrets cannot be passed as flags. `modeldepot config` shows the
/// settings in use and their origin.
///
/// Results go to stdout, progress and messages to stderr.
#[derive(Debug, Parser)]
#[command(name = "modeldepot", version, max_term_width = 100, after_long_help = EXITS)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

pub(crate) const EXITS: &str = "\
Exit status:
  0    success
  1    not confirmed: nothing was deleted
  2    invalid input or arguments
  3    not found: no such model, version, bucket or object
  4    conflict: the version exists with other content or was deleted, or a pull would
       overwrite files that were changed or are not from a pull
  5    denied: check the credentials and the policy
  6    unavailable: the server cannot be reached or is overloaded; try again
  7    damaged: do not use the data
  8    local disk error
  9    not verified: files have no published digest
  70   unexpected answer or internal error: please report it
  130  interrupted by Ctrl-C (143 by SIGTERM)";

/// Options of every verb.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Globals {
    /// Use the S3 service at this URL [S3_ENDPOINT]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Connection")]
    pub(crate) endpoint: Option<String>,
    /// Sign requests for this region [S3_REGION]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub(crate) region: Option<String>,
    /// Use this AWS profile and its credentials [AWS_PROFILE]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub(crate) profile: Option<String>,
    /// Keep the models in this bucket [S3_BUCKET_MODELS]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub(crate) bucket: Option<String>,
    /// Keep the models in this folder of a shared bucket [S3_PREFIX]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Connection")]
    pub(crate) prefix: Option<String>,
    /// Put the bucket into the path or the host name of requests [S3_ADDRESSING]
    #[arg(long, global = true, value_name = "STYLE", help_heading = "Connection")]
    pub(crate) addressing: Option<AddressingArg>,
    /// Also trust the certificate authorities in this PEM file [AWS_CA_BUNDLE]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Connection")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Limit transfers to this many bytes per second: 500k, 20M, 1G
    #[arg(long, global = true, value_name = "RATE", help_heading = "Connection")]
    pub(crate) limit_rate: Option<Rate>,
    /// Retry a request when the server sends nothing for this long; give up after 2.5 times
    /// this [default: 20s] [S3_TIMEOUT]
    #[arg(long, global = true, value_name = "TIME", help_heading = "Connection")]
    pub(crate) timeout: Option<String>,
    /// Time out when connecting takes longer than this [default: 5s] [S3_CONNECT_TIMEOUT]
    #[arg(long, global = true, value_name = "TIME", help_heading = "Connection")]
    pub(crate) connect_timeout: Option<String>,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
    /// Print results as JSON on stdout and errors as JSON on stderr
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Increase verbosity (-vv logs requests, -vvv SDK internals)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: ColorArg,
}

/// Where requests name the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AddressingArg {
    /// The host name on AWS, the path on any other endpoint
    Auto,
    /// `https://endpoint/bucket/key`
    Path,
    /// `https://bucket.endpoint/key`
    Virtual,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(UpArgs),
    Serve(ServeArgs),
    Token(TokenArgs),
    Key(KeyArgs),
    /// Create the project's buckets
    ///
    /// Creates the three buckets of S3_BUCKET_MODELS, S3_BUCKET_IMAGES and S3_BUCKET_DATA. On AWS, or when only
    /// S3_BUCKET_MODELS is set, creates the models bucket and any other that is set explicitly. Buckets that exist are
    /// left unchanged.
    Init,
    /// Show the settings in use and where each comes from
    ///
    /// Sends no requests and shows no secrets.
    Config,
    Push(Box<PushArgs>),
    Pull(PullArgs),
    /// List the models and their latest versions
    Models,
    Versions(VersionsArgs),
    Show(ShowArgs),
    Compare(CompareArgs),
    Verify(VerifyArgs),
    Rm(RmArgs),
    Url(UrlArgs),
    Check(CheckArgs),
    Doctor(DoctorArgs),
    Fsck(FsckArgs),
    Gc(GcArgs),
    #[command(subcommand)]
    S3(S3Command),
    Demo(DemoArgs),
    Completions(CompletionsArgs),
    /// Print the manual pages in roff format
    Man,
}
