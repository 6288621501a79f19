//! The arguments of each verb.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use modeldepot::{ArtifactPath, ModelName, Selector, Version};

use modeldepot_server::LogTarget;

use super::key::AccessArgs;
use super::oidc::OidcArgs;
use super::tls::TlsArgs;
use super::value::{Exact, Lifetime, Meta, S3Address, Size};

/// Start the embedded S3 server, with the console and the REST API beside it
///
/// Serves S3 from one folder, with the three buckets made. The login is the configured key pair, else `minioadmin`,
/// which works from this machine only; with --keys it is any key pair of a file. The console and the REST API are those of `modeldepot serve`. Ctrl-C stops it
/// when running requests are done.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Keep the objects in this folder
    #[arg(long, value_name = "DIR", default_value = "./modeldepot-data", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// Listen on this address; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// Serve the console and the REST API on this address; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001", value_parser = listen)]
    pub(crate) console: SocketAddr,
    /// Serve S3 alone
    #[arg(long, conflicts_with = "console")]
    pub(crate) no_console: bool,
    /// Compress new objects on the disk where it pays: JSON, CSV and logs, not weights
    ///
    /// Decided for each object by a sample of it. Clients notice nothing: sizes, digests and ranges stay those of what they
    /// sent. A data folder with compressed objects opens without this flag as well.
    #[arg(long)]
    pub(crate) compress: bool,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// How the console and the REST API are served.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// Require a token from this file (`modeldepot token add` makes them) [MODELDEPOT_TOKENS]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Service")]
    pub(crate) tokens: Option<PathBuf>,
    /// Require a token for this run, which is printed at the start [default: on a host with other users; MODELDEPOT_LOGIN]
    ///
    /// Other users are there when one of them is logged in or runs a process, or when the host has at least two more
    /// accounts to log in with. The token is pasted into the login page, or sent as `Authorization: Bearer TOKEN`. `up`
    /// makes a key pair for its S3 port as well, unless one other than `minioadmin` is configured. `--no-login` turns this
    /// off: then every user of this host may do everything. MODELDEPOT_LOGIN=always or never says it for every call.
    #[arg(long, help_heading = "Service", conflicts_with = "tokens", overrides_with = "no_login")]
    pub(crate) login: bool,
    /// Let every user of this machine do everything, also on a host with other users
    #[arg(long, help_heading = "Service", overrides_with = "login")]
    pub(crate) no_login: bool,
    /// Refuse everything that publishes or deletes; the S3 port of `up` is not affected
    #[arg(long, help_heading = "Service")]
    pub(crate) read_only: bool,
    /// Send clients to the S3 endpoint for files
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Service")]
    pub(crate) redirect: RedirectArg,
    /// The address that browsers use, if it is not the one listened on (behind a proxy)
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = public_url, help_heading = "Service")]
    pub(crate) public_url: Option<url::Url>,
    /// Keep uploads in progress in this folder [default: one in your state folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Service")]
    pub(crate) staging: Option<PathBuf>,
    /// Limit the bytes of uploads in progress: 500M, 20G [default: half of the free disk]
    #[arg(long, value_name = "SIZE", help_heading = "Service")]
    pub(crate) staging_quota: Option<Size>,
    /// Hand out URLs for uploads also where the S3 server lets their holder copy any object of any bucket
    #[arg(long, help_heading = "Service")]
    pub(crate) allow_unsafe_upload_urls: bool,
    /// Limit each client to this many requests a second; 0 is no limit [default: no limit on loopback, else 200]
    #[arg(long, value_name = "NUMBER", help_heading = "Service")]
    pub(crate) rate: Option<u32>,
    /// Log every change and every refused request to this file as JSON lines; - is standard error
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Service")]
    pub(crate) audit_log: Option<LogTarget>,
    /// Log every request to this file as JSON lines; - is standard error
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Service")]
    pub(crate) access_log: Option<LogTarget>,
    /// Believe the X-Forwarded-For and X-Forwarded-Proto of this proxy: an address or a network (repeatable)
    #[arg(long, value_name = "ADDRESS[/BITS]", help_heading = "Service")]
    pub(crate) trusted_proxy: Vec<modeldepot_listen::Network>,
    #[command(flatten)]
    pub(crate) oidc: OidcArgs,
}

/// When clients are sent to the S3 endpoint for files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum RedirectArg {
    /// For files of 16 MiB and more, where the client can reach the endpoint as far as one can tell
    #[default]
    Auto,
    /// For every file
    Always,
    /// For none: each passes through the service
    Never,
}

/// Make, list, rotate and revoke the tokens of the service
///
/// A file of tokens holds a name, the grants and a hash of each. The service reads it again when it changes.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Use this file [MODELDEPOT_TOKENS]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tokens: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it; it is shown this once and kept nowhere
    Add {
        /// Name the token, to revoke it by
        name: String,
        /// Grant read, share, publish or delete, each with those before it, of all models or of those that match a
        /// pattern; several with commas
        ///
        /// `read,publish:plant-*` reads everything and publishes models whose names begin with `plant-`. A grant with a
        /// pattern, even `*`, is for models alone: raw buckets, the health page and the metrics need one without.
        #[arg(long, value_name = "SCOPE[:MODELS]")]
        scope: modeldepot_server::Grants,
        /// Refuse the token after this time: 12h, 90d [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
    },
    /// List the tokens: their grants, when they were made, expire, and were last used
    List,
    /// Give a token a new secret and print it; the old one stops working at once, or after the grace
    Rotate {
        /// The token's name
        name: String,
        /// Keep the old secret working for this long: 10m, 1h
        #[arg(long, value_name = "TIME")]
        grace: Option<Lifetime>,
        /// Refuse the token after this time from now on: 12h, 90d [default: as before]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
    },
    /// Revoke a token
    Rm {
        /// The token's name
        name: String,
    },
}

/// Serve the console and the REST API for the models of the configured endpoint
///
/// Answers browsers at / and programs at /api/v1, described at /docs. It keeps nothing of its own: the bucket is the
/// truth. Ctrl-C stops it when running requests are done.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Listen on this address; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// Publish a model file or folder as a new version
///
/// Prints `MODEL@VERSION`. A version appears when all its files are stored, or not at all, and never changes after
/// that. Pushing the same content under the same version again is a success and says so, so a retry is safe.
///
/// Of a folder, these are left out: hidden files and folders (but `.gitattributes`), private keys and files of
/// passwords by their names, repositories, litter of editors and systems, and modeldepot's own files. So is what a
/// `.modeldepotignore` or --exclude matches, in the syntax of `.gitignore`; a pattern such as `!*.pem` brings files back.
/// Files that are named are always published.
#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Name the model
    pub(crate) model: ModelName,
    /// Push this file, or the files of this folder
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: PathBuf,
    /// Publish under this version instead of the current second, UTC
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    /// Put a file beside the model: a config, a log (repeatable)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) with: Vec<PathBuf>,
    /// Put the training history beside the model, and its best epoch and metrics into the metadata
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) history: Option<PathBuf>,
    /// Add to the metadata (repeatable); VALUE is JSON where it reads as JSON, else text
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) meta: Vec<Meta>,
    /// Add the JSON object in this file to the metadata; it wins over --history, and --meta over it
    #[arg(long, value_name = "JSON", value_hint = ValueHint::FilePath)]
    pub(crate) meta_file: Option<PathBuf>,
    /// Call this file of the folder the model file [default: known names of weights, else the largest]
    #[arg(long, value_name = "FILE")]
    pub(crate) main: Option<String>,
    /// Leave out what matches, as in .gitignore: `*.log`, `runs/`, `!keep.log` (repeatable; the last match wins)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Include hidden files and folders of the folder, but for secrets and repository data
    #[arg(long)]
    pub(crate) include_hidden: bool,
    /// Follow symbolic links that lead out of the folder
    #[arg(long)]
    pub(crate) follow_links: bool,
    /// List what would be published and what is left out; send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Begin anew instead of going on with a push of the same that was cut off
    #[arg(long)]
    pub(crate) no_resume: bool,
    /// Send every byte, also parts that an earlier version has and the server could copy
    #[arg(long)]
    pub(crate) no_copy: bool,
    /// Compute no MD5: for hosts that send faster than 0.7 GB/s. The Python original cannot check the version then
    #[arg(long)]
    pub(crate) no_md5: bool,
}

/// Fetch a version, and compare every file with its published digest
///
/// Prints the path of the model file. Files appear under their names only when all digests matched. Files of an earlier
/// version in the folder are replaced, and removed if this version does not have them; any other file there is left alone,
/// and one that is in the way stops the pull. Without a version, the latest is fetched.
///
/// A version of the Python pipeline may have files without a published digest. They are fetched and named as not verified.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Name the model, or one version of it
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
    /// Put the files into this folder [default: ./MODEL]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
    /// Fetch every byte, instead of going on with a pull that was cut off or using what the folder has already
    #[arg(long)]
    pub(crate) no_resume: bool,
    /// Do not wait until the disk has the bytes: faster, but a power failure may leave files that are not what was
    /// fetched
    #[arg(long)]
    pub(crate) no_sync: bool,
    /// Replace files that no earlier pull put into the folder, and write under names such as `.git` and `.env`
    #[arg(long)]
    pub(crate) force: bool,
    /// Refuse a version that has a file without a published digest
    #[arg(long)]
    pub(crate) require_digests: bool,
}

/// List the versions of a model, the latest last
#[derive(Debug, Args)]
pub(crate) struct VersionsArgs {
    /// Name the model
    pub(crate) model: ModelName,
}

/// Show a version: its files with their digests, and its metadata
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Name the model, or one version of it
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
}

/// Read a version's files in the bucket and compare them with their digests
///
/// Nothing is written. Exits with 7 when a file is missing or damaged, and with 9 when a file has no published digest, so
/// that nothing can say whether its bytes are right.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Name the model, or one version of it
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
}

/// Delete a version
///
/// Its name is spent: it cannot be published again. On a terminal it asks first; anywhere else it needs --yes, so
/// that a script neither waits nor deletes by accident.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Name the version exactly
    #[arg(value_name = "MODEL@VERSION")]
    pub(crate) exact: Exact,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Print a presigned URL of a file
///
/// Whoever holds the URL can fetch the file until it expires, with `curl` or a browser, and needs no credentials.
#[derive(Debug, Args)]
pub(crate) struct UrlArgs {
    /// Name the model, or one version of it
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
    /// Take this file of the version instead of the model file
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<ArtifactPath>,
    /// Let the URL live this long: 90s, 15m, 1h, at most 7d
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) expires: Lifetime,
    /// Allow storing the file instead; only for a version that is not published yet
    #[arg(long, requires = "file")]
    pub(crate) put: bool,
    /// With --put: sign it even if the server lets the holder of the URL copy other objects
    #[arg(long, requires = "put")]
    pub(crate) force: bool,
}

/// Check the store from end to end, in seven steps
///
/// Lists the versions, finds the latest, downloads it, looks at the files and the manifest, tries the S3 methods and
/// lists the objects. Without a model, a small one is published for it and removed again.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Check this model, or one version of it
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Option<Selector>,
}

/// Work on plain buckets and objects
#[derive(Debug, Subcommand)]
pub(crate) enum S3Command {
    /// Make a bucket; one that exists is fine
    Mb {
        /// Name the bucket
        #[arg(value_name = "s3://BUCKET")]
        address: S3Address,
    },
    /// List objects; without an address, the three buckets of the project
    Ls {
        /// List this bucket, or what begins with this prefix
        #[arg(value_name = "s3://BUCKET[/PREFIX]")]
        address: Option<S3Address>,
    },
    /// Copy a file to an object, or an object to a file
    Cp(CpArgs),
    /// Show what the server keeps about an object or bucket
    Stat {
        /// Name the object or bucket
        #[arg(value_name = "s3://BUCKET[/KEY]")]
        address: S3Address,
    },
    /// Delete an object; one that does not exist is fine
    Rm {
        /// Name the object
        #[arg(value_name = "s3://BUCKET/KEY", value_parser = S3Address::with_key)]
        address: S3Address,
        /// Delete it even if it belongs to a published version, which is then damaged
        #[arg(long)]
        force: bool,
    },
    /// Print a presigned URL of an object
    Url {
        /// Name the object
        #[arg(value_name = "s3://BUCKET/KEY", value_parser = S3Address::with_key)]
        address: S3Address,
        /// Let the URL live this long: 90s, 15m, 1h, at most 7d
        #[arg(long, value_name = "TIME", default_value = "1h")]
        expires: Lifetime,
        /// Allow storing the object instead of fetching it
        #[arg(long)]
        put: bool,
        /// With --put: sign it even for an object of a published version, or on a server where the URL allows more
        #[arg(long, requires = "put")]
        force: bool,
    },
    /// Print `true` or `false`; exit with 3 when the object or bucket does not exist
    Exists {
        /// Name the object or bucket
        #[arg(value_name = "s3://BUCKET[/KEY]")]
        address: S3Address,
    },
}

/// Copy a file to an object, or an object to a file
///
/// One side is a file, the other `s3://bucket/key`. A key that ends with `/`, or a folder, takes the name of what is
/// copied.
#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    /// Copy this
    #[arg(value_name = "FROM", value_hint = ValueHint::AnyPath)]
    pub(crate) from: String,
    /// To here
    #[arg(value_name = "TO", value_hint = ValueHint::AnyPath)]
    pub(crate) to: String,
    /// Store the object with this media type instead of the one its name suggests
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Store the object with this S3 metadata (repeatable)
    #[arg(long, value_name = "KEY=TEXT", value_parser = key_and_text)]
    pub(crate) meta: Vec<(String, String)>,
    /// Store the object even if it belongs to a published version, which is then damaged
    #[arg(long)]
    pub(crate) force: bool,
}

/// Parses where to listen. Names are not looked up, but everybody knows one.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| "write it as address and port, `127.0.0.1:9000`".to_owned())
}

/// Parses the address that browsers use.
fn public_url(text: &str) -> Result<url::Url, String> {
    let url = text.parse::<url::Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| match text.contains("://") {
        true => "write it as `https://models.example`".to_owned(),
        false => format!("write it with its scheme: `https://{text}`"),
    })
}

fn key_and_text(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=TEXT".to_owned()),
    }
}

/// See all of it work, in seconds, with nothing but this program
///
/// Starts the embedded server in a temporary folder, publishes a 134 MB checkpoint with its training history, fetches
/// and compares it, checks the store, then damages one byte and shows that it is noticed. Nothing is left behind.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Use this model file instead of random weights
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Name the shell
    pub(crate) shell: clap_complete::Shell,
}
