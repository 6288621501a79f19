//! The arguments of each verb.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use modeldepot::{ArtifactPath, ModelName, Selector};

use modeldepot_server::LogTarget;

use super::key::AccessArgs;
use super::oidc::OidcArgs;
use super::tls::TlsArgs;
use super::value::{Exact, Lifetime, Meta, NewVersion, Other, S3Address, Size};

/// Start a local S3 server with the web console and REST API
///
/// Serves S3 from one folder and creates the three buckets. The login is the configured key pair, or `minioadmin`, which
/// is accepted from this machine only; with --keys, any key pair of that file. The console and the REST API are those of
/// `modeldepot serve`. Ctrl-C stops the server after running requests have finished.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Store the data in this folder
    #[arg(long, value_name = "DIR", default_value = "./modeldepot-data", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// Serve S3 on this address; port 0 picks a free port
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:9000", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// Serve the console and the REST API on this address; port 0 picks a free port
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:9001", value_parser = listen)]
    pub(crate) console: SocketAddr,
    /// Do not start the console and the REST API
    #[arg(long, conflicts_with = "console")]
    pub(crate) no_console: bool,
    /// Compress new objects on disk when it saves space (JSON, CSV and logs; not weights)
    ///
    /// The server decides for each object from a sample. Compression is invisible to clients: sizes, digests and ranges are
    /// those of the uncompressed object. Existing compressed objects can be read without this option.
    #[arg(long)]
    pub(crate) compress: bool,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// Options of the console and the REST API.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// Require a token from this file [MODELDEPOT_TOKENS]
    ///
    /// `modeldepot token add` creates tokens.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Service")]
    pub(crate) tokens: Option<PathBuf>,
    /// Require a token that is generated and printed at start [default: if the host has other users]
    ///
    /// Paste the token into the login page, or send it as `Authorization: Bearer TOKEN`. `up` also generates a key pair for
    /// its S3 port, unless one other than `minioadmin` is configured. A host has other users if another user is logged in or
    /// runs a process, or if it has at least two more accounts with a login shell. MODELDEPOT_LOGIN=always or never sets the
    /// default.
    #[arg(long, help_heading = "Service", conflicts_with = "tokens", overrides_with = "no_login")]
    pub(crate) login: bool,
    /// Require no token: every user of this host can do everything
    #[arg(long, help_heading = "Service", overrides_with = "login")]
    pub(crate) no_login: bool,
    /// Disable publishing and deleting
    ///
    /// Does not affect the S3 port of `up`.
    #[arg(long, help_heading = "Service")]
    pub(crate) read_only: bool,
    /// When to redirect downloads to the S3 endpoint
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Service")]
    pub(crate) redirect: RedirectArg,
    /// Public URL, when behind a reverse proxy
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = public_url, help_heading = "Service")]
    pub(crate) public_url: Option<url::Url>,
    /// Keep uploads in progress in this folder [default: in your state folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Service")]
    pub(crate) staging: Option<PathBuf>,
    /// Limit the size of uploads in progress: 500M, 20G [default: half of the free space]
    #[arg(long, value_name = "SIZE", help_heading = "Service")]
    pub(crate) staging_quota: Option<Size>,
    /// Sign upload URLs even if the S3 server lets their holder copy any object
    ///
    /// `modeldepot doctor` shows whether the server does.
    #[arg(long, help_heading = "Service")]
    pub(crate) allow_unsafe_upload_urls: bool,
    /// Limit requests per second and client; 0 for no limit [default: 0 on loopback, else 200]
    #[arg(long, value_name = "NUMBER", help_heading = "Service")]
    pub(crate) rate: Option<u32>,
    /// Log changes and refused requests to this file as JSON lines (- for stderr)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Service")]
    pub(crate) audit_log: Option<LogTarget>,
    /// Log all requests to this file as JSON lines (- for stderr)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Service")]
    pub(crate) access_log: Option<LogTarget>,
    /// Trust X-Forwarded-For and X-Forwarded-Proto from this address or network (repeatable)
    #[arg(long, value_name = "ADDRESS[/BITS]", help_heading = "Service")]
    pub(crate) trusted_proxy: Vec<modeldepot_listen::Network>,
    #[command(flatten)]
    pub(crate) oidc: OidcArgs,
}

/// When downloads are redirected to the S3 endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum RedirectArg {
    /// For files of 16 MiB and more, if the client can probably reach the endpoint
    #[default]
    Auto,
    /// For every file
    Always,
    /// For no file: all pass through this service
    Never,
}

/// Create, list, rotate and revoke access tokens
///
/// The file holds the name, the grants and a hash of each token. A running service reloads it when it changes.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Use this token file [MODELDEPOT_TOKENS]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tokens: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print it; it is shown only once
    Add {
        /// Name of the token
        name: String,
        /// Grant read, share, publish or delete, for all models or `SCOPE:PATTERN`; separate with commas
        ///
        /// Each scope includes those before it. `read,publish:plant-*` reads everything and publishes models whose names
        /// start with `plant-`. A grant with a pattern, even `*`, applies to models only: buckets, the health page and the
        /// metrics need a grant without one.
        #[arg(long, value_name = "SCOPE[:MODELS]")]
        scope: modeldepot_server::Grants,
        /// Expire the token after this time: 12h, 90d [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
    },
    /// List the tokens with their grants, expiry and last use
    List,
    /// Replace the secret of a token and print the new one
    Rotate {
        /// Name of the token
        name: String,
        /// Accept the old secret for this long: 10m, 1h [default: not at all]
        #[arg(long, value_name = "TIME")]
        grace: Option<Lifetime>,
        /// Expire the token after this time from now: 12h, 90d [default: unchanged]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
    },
    /// Revoke a token
    Rm {
        /// Name of the token
        name: String,
    },
}

/// Serve the web console and REST API for any S3 endpoint
///
/// The console is at /, the REST API at /api/v1, its documentation at /docs. The service has no database: all state is in
/// the bucket. Ctrl-C stops it after running requests have finished.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Listen on this address; port 0 picks a free port
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:9001", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// Publish a model file or folder as a new version
///
/// Prints `MODEL@VERSION`. A version becomes visible once all its files are stored, and never changes. Pushing the same
/// content under the same version again succeeds, so retries are safe. An interrupted push resumes when it is repeated.
///
/// From a folder, these are excluded: hidden files and folders (except `.gitattributes`), private keys and password files,
/// version control data, temporary files of editors and operating systems, and modeldepot's own files. So are files that
/// match `.modeldepotignore` or --exclude, in the syntax of `.gitignore`; a pattern such as `!*.pem` includes files again.
/// Files named on the command line are always published.
#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Name of the model
    pub(crate) model: ModelName,
    /// File or folder to publish
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: PathBuf,
    /// Publish under this version [default: the current time, as in 20251028_181858]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<NewVersion>,
    /// Add a file, such as a config or a log (repeatable)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) with: Vec<PathBuf>,
    /// Add the training history, and its best epoch and metrics to the metadata
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) history: Option<PathBuf>,
    /// Add metadata (repeatable); VALUE is parsed as JSON if possible, else it is text
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) meta: Vec<Meta>,
    /// Add metadata from a JSON file; overrides --history, and --meta overrides it
    #[arg(long, value_name = "JSON", value_hint = ValueHint::FilePath)]
    pub(crate) meta_file: Option<PathBuf>,
    /// Choose the model file in a folder [default: by well-known names, else the largest]
    #[arg(long, value_name = "FILE")]
    pub(crate) main: Option<String>,
    /// Exclude matching files as in .gitignore: `*.log`, `runs/`, `!keep.log` (repeatable)
    ///
    /// The last matching pattern wins.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Include hidden files and folders, except secrets and version control data
    #[arg(long)]
    pub(crate) include_hidden: bool,
    /// Follow symbolic links that point outside the folder
    #[arg(long)]
    pub(crate) follow_links: bool,
    /// List the files to publish and those excluded; send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Start over instead of resuming an interrupted push
    #[arg(long)]
    pub(crate) no_resume: bool,
    /// Send all data instead of copying unchanged parts from earlier versions
    #[arg(long)]
    pub(crate) no_copy: bool,
    /// Do not compute MD5, for networks faster than 0.7 GB/s
    ///
    /// The boto3 pipeline that this project replaces cannot verify such a version.
    #[arg(long)]
    pub(crate) no_md5: bool,
}

/// Fetch a version and verify every file
///
/// Prints the path of the model file. Without a version, fetches the latest. Files appear under their final names only
/// after all digests match. Files of an earlier pull are replaced, or removed if this version does not have them. Files
/// that were changed since and files that are not from a pull are left alone; if one of them would be overwritten, the
/// pull stops. An interrupted pull resumes when it is repeated, and data that already exists in the folder is not
/// transferred again.
///
/// Versions published by the boto3 pipeline that this project replaces may have files without a published digest. They
/// are fetched and reported as not verified.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Model, or one of its versions
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
    /// Destination folder [default: ./MODEL]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
    /// Fetch all data, instead of resuming or reusing files in the folder
    #[arg(long)]
    pub(crate) no_resume: bool,
    /// Do not wait for the data to reach the disk
    ///
    /// Faster, but a power failure can leave damaged files. A later pull replaces them with --force.
    #[arg(long)]
    pub(crate) no_sync: bool,
    /// Overwrite files that were changed or are not from a pull, and allow names such as `.env`
    #[arg(long)]
    pub(crate) force: bool,
    /// Fail if a file has no published digest
    #[arg(long)]
    pub(crate) require_digests: bool,
}

/// List the versions of a model, latest last
#[derive(Debug, Args)]
pub(crate) struct VersionsArgs {
    /// Name of the model
    pub(crate) model: ModelName,
}

/// Show the files, digests and metadata of a version
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Model, or one of its versions
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
}

/// Compare two versions: their metadata and files
///
/// Shows the metadata and the files side by side, and marks what differs. Files are compared by their digests; nothing is
/// downloaded.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Model, or one of its versions
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
    /// Version to compare it with, of the same model or of another one [default: the latest]
    #[arg(value_name = "[MODEL@]VERSION")]
    pub(crate) other: Option<Other>,
}

/// Verify a version in the bucket against its digests
///
/// Reads every file of the version and writes nothing. Exits with status 7 if a file is missing or damaged, and with 9 if a
/// file has no published digest to compare it with.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Model, or one of its versions
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
}

/// Delete a version
///
/// The name of a deleted version cannot be used again. Asks for confirmation on a terminal; without a terminal, --yes is
/// required.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Exact version to delete
    #[arg(value_name = "MODEL@VERSION")]
    pub(crate) exact: Exact,
    /// Delete without confirmation
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Print a presigned URL of a file
///
/// Anyone with the URL can download the file until it expires, without credentials.
#[derive(Debug, Args)]
pub(crate) struct UrlArgs {
    /// Model, or one of its versions
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Selector,
    /// Link to this file of the version instead of the model file
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<ArtifactPath>,
    /// Expire the URL after this time: 90s, 15m, 1h, at most 7d
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) expires: Lifetime,
    /// Sign an upload instead of a download; only for an unpublished version
    #[arg(long, requires = "file")]
    pub(crate) put: bool,
    /// With --put: sign even if the server lets holders of the URL copy other objects
    #[arg(long, requires = "put")]
    pub(crate) force: bool,
}

/// Run an end-to-end check of the store in seven steps
///
/// Lists the versions, finds the latest, downloads it, checks its files and manifest, tries the S3 methods and lists the
/// objects. Without a model, publishes a small one for the check and deletes it afterwards.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Model to check, or one of its versions
    #[arg(value_name = "MODEL[@VERSION]")]
    pub(crate) selector: Option<Selector>,
}

/// Work with plain buckets and objects
#[derive(Debug, Subcommand)]
pub(crate) enum S3Command {
    /// Create a bucket if it does not exist
    Mb {
        /// Bucket to create
        #[arg(value_name = "s3://BUCKET")]
        address: S3Address,
    },
    /// List objects, or the project's buckets
    Ls {
        /// Bucket, or prefix of the keys to list
        #[arg(value_name = "s3://BUCKET[/PREFIX]")]
        address: Option<S3Address>,
    },
    Cp(CpArgs),
    /// Show the size, type and metadata of an object or bucket
    Stat {
        /// Object or bucket
        #[arg(value_name = "s3://BUCKET[/KEY]")]
        address: S3Address,
    },
    /// Delete an object if it exists
    Rm {
        /// Object to delete
        #[arg(value_name = "s3://BUCKET/KEY", value_parser = S3Address::with_key)]
        address: S3Address,
        /// Delete it even if this damages a published version
        #[arg(long)]
        force: bool,
    },
    /// Print a presigned URL of an object
    Url {
        /// Object
        #[arg(value_name = "s3://BUCKET/KEY", value_parser = S3Address::with_key)]
        address: S3Address,
        /// Expire the URL after this time: 90s, 15m, 1h, at most 7d
        #[arg(long, value_name = "TIME", default_value = "1h")]
        expires: Lifetime,
        /// Sign an upload instead of a download
        #[arg(long)]
        put: bool,
        /// With --put: sign even for a published version, or if the URL permits more than this upload
        #[arg(long, requires = "put")]
        force: bool,
    },
    /// Check whether an object or bucket exists
    ///
    /// Prints `true` or `false`. Exits with status 3 if it does not exist.
    Exists {
        /// Object or bucket
        #[arg(value_name = "s3://BUCKET[/KEY]")]
        address: S3Address,
    },
}

/// Copy a file to an object, or an object to a file
///
/// One side is a file or `-`, the other `s3://BUCKET/KEY`. `-` is stdin as the source and stdout as the destination. If
/// the destination is a folder or ends with `/`, the name of the source is appended.
#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    /// Source: a file, `-`, or s3://BUCKET/KEY
    #[arg(value_name = "FROM", value_hint = ValueHint::AnyPath)]
    pub(crate) from: String,
    /// Destination: a file, folder, `-`, or s3://BUCKET/KEY
    #[arg(value_name = "TO", value_hint = ValueHint::AnyPath)]
    pub(crate) to: String,
    /// Set the media type of the object [default: by its name]
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Add S3 metadata to the object (repeatable)
    #[arg(long, value_name = "KEY=TEXT", value_parser = key_and_text)]
    pub(crate) meta: Vec<(String, String)>,
    /// Overwrite the object even if this damages a published version
    #[arg(long)]
    pub(crate) force: bool,
}

/// Parses an address to listen on, or a port of this machine. `localhost` is the only name that is accepted.
fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| "use an address and a port, such as `127.0.0.1:9000`, or a port alone".to_owned())
}

/// Parses the public URL.
fn public_url(text: &str) -> Result<url::Url, String> {
    let url = text.parse::<url::Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| match text.contains("://") {
        true => "use a URL such as `https://models.example`".to_owned(),
        false => format!("add the scheme: `https://{text}`"),
    })
}

fn key_and_text(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=TEXT".to_owned()),
    }
}

/// Run a self-contained demo
///
/// Starts the embedded server in a temporary folder, publishes a 134 MB checkpoint with its training history, fetches and
/// compares it, checks the store, then damages one byte and shows that a pull detects it. Removes everything afterwards.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Use this model file instead of random weights
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell
    pub(crate) shell: clap_complete::Shell,
}
