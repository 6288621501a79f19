//! What was typed. Nothing here reads the environment: that is [`crate::config`].
//!
//! The doc comments are the help texts.

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
pub(crate) use self::value::{Exact, Lifetime, Meta, Rate, S3Address};
pub(crate) use self::verbs::*;
pub(crate) use self::writing::WritingArgs;

/// Publish, verify and fetch trained models on any S3 bucket
///
/// Settings come from flags, then from the environment, then from the first `.env` found from the current folder
/// upwards, then from the AWS profile: S3_ENDPOINT (http://localhost:9000), S3_ACCESS_KEY, S3_SECRET_KEY, S3_REGION
/// (us-east-1), S3_BUCKET_MODELS (models), S3_BUCKET_IMAGES (plants-images), S3_BUCKET_DATA (data), AWS_CA_BUNDLE. An
/// empty S3_ENDPOINT means AWS. What AWS tools read counts where ours is not set: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL,
/// AWS_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE. Without any login it is `minioadmin` on this machine, else the AWS standard
/// chain. Secrets are never flags. `modeldepot config` shows what counts here, and why.
///
/// Answers go to stdout, progress and messages to stderr.
#[derive(Debug, Parser)]
#[command(name = "modeldepot", version, max_term_width = 100, after_long_help = EXITS)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXITS: &str = "\
Exit status:
  0    done
  2    fix the input
  3    check the name: there is no such model, version, bucket or object
  4    choose another version or folder: this version exists with other content or was deleted, or the
       folder has files that are not from an earlier pull
  5    fix the credentials or the policy
  6    try again: the server cannot be reached or cannot answer now
  7    do not use it: what the bucket holds is damaged
  9    not verified: files have no published digest
  8    fix the disk
  70   report it: the server answered what nobody expected
  130  interrupted by Ctrl-C (143 by SIGTERM)";

/// Flags that every verb takes.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Globals {
    /// Use the S3 service at this address [S3_ENDPOINT]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Connection")]
    pub(crate) endpoint: Option<String>,
    /// Sign requests for this region [S3_REGION]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub(crate) region: Option<String>,
    /// Use this AWS profile, with its credentials, whatever else is set [AWS_PROFILE]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub(crate) profile: Option<String>,
    /// Keep the models in this bucket [S3_BUCKET_MODELS]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub(crate) bucket: Option<String>,
    /// Keep them in this folder of the bucket, which others may use too [S3_PREFIX]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Connection")]
    pub(crate) prefix: Option<String>,
    /// Name the bucket in the path or in the host of requests [S3_ADDRESSING]
    #[arg(long, global = true, value_name = "STYLE", help_heading = "Connection")]
    pub(crate) addressing: Option<AddressingArg>,
    /// Trust the certificate authorities in this PEM file too [AWS_CA_BUNDLE]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Connection")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Move at most so many bytes a second, both ways together: 500k, 20M, 1G
    #[arg(long, global = true, value_name = "RATE", help_heading = "Connection")]
    pub(crate) limit_rate: Option<Rate>,
    /// Wait so long for the server's answer: 20s, 500ms, 2m [S3_TIMEOUT, 20s]
    #[arg(long, global = true, value_name = "TIME", help_heading = "Connection")]
    pub(crate) timeout: Option<String>,
    /// Wait so long for a connection to the server [S3_CONNECT_TIMEOUT, 5s]
    #[arg(long, global = true, value_name = "TIME", help_heading = "Connection")]
    pub(crate) connect_timeout: Option<String>,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
    /// Answer in JSON on stdout, and print errors as JSON on stderr
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print answers and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Log to stderr what is done; twice for each request too, three times for what the SDK makes of it
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: ColorArg,
}

/// How a bucket is named in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AddressingArg {
    /// Path on an endpoint of one's own, host on AWS
    Auto,
    /// `https://endpoint/bucket/key`
    Path,
    /// `https://bucket.endpoint/key`
    Virtual,
}

/// When to use colours.
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
    /// Make the project's buckets at the endpoint
    ///
    /// They are three unless S3_BUCKET_MODELS alone is set, or the endpoint is AWS; then it is the models bucket, and those
    /// that are named too. Says which were made and which existed. Running it again changes nothing.
    Init,
    /// Show the settings in use, and where each comes from
    ///
    /// Sends nothing. Secrets are not shown.
    Config,
    Push(Box<PushArgs>),
    Pull(PullArgs),
    /// List the models with their latest versions
    Models,
    Versions(VersionsArgs),
    Show(ShowArgs),
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
    /// Print the manual page, in roff, of all verbs
    Man,
}
