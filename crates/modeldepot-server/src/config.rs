//! The configuration of the service.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use modeldepot::Settings;
use modeldepot_listen::{Limits, Listen, Network};
use url::Url;

use crate::auth::Login;
use crate::doctor::Doctor;
use crate::log::Log;
use crate::oidc::Oidc;

/// How long running requests may take to finish once the service is stopped.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The configuration of the service.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The settings of the storage.
    pub settings: Settings,
    /// The token file ([`Tokens`](crate::Tokens)). Without one, everyone on this machine has full access.
    pub tokens: Option<PathBuf>,
    /// If there is no token file: a token for this run that callers must present anyway.
    pub login: Option<Login>,
    /// The login provider for browsers. Without tokens, only people who log in have access.
    pub oidc: Option<Oidc>,
    /// Whether publishing and deleting are disabled.
    pub read_only: bool,
    /// Whether large files are fetched directly from the S3 endpoint.
    pub redirect: Redirect,
    /// The URL at which browsers reach the service, if it differs from the listening address: behind a reverse proxy.
    pub public_url: Option<Url>,
    /// The folder for uploads in progress, in which the service creates a private one; by default in the system's
    /// temporary folder. Uploads are removed once published; leftovers of a killed service are removed at the next
    /// start.
    pub staging: Option<PathBuf>,
    /// The largest total size of uploads in progress, in bytes. By default half of the free disk space at the start.
    pub staging_quota: Option<u64>,
    /// Requests per second and client. `None` is unlimited.
    pub rate: Option<NonZeroU32>,
    /// Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` headers are trusted.
    pub trusted_proxies: Vec<Network>,
    /// The audit log: every request that changes something, and every refused one.
    pub audit_log: Option<Log>,
    /// The access log: every request.
    pub access_log: Option<Log>,
    /// Whether to issue upload URLs even if the S3 server allows their holder to copy other objects with them.
    pub unsafe_upload_urls: bool,
    /// Runs the checks for the health page.
    pub doctor: Option<Doctor>,
    /// Limits for connections and slow clients, and the certificate.
    pub connections: Listen,
}

impl Config {
    /// Returns a configuration that gives everyone on this machine full access.
    pub fn new(listen: SocketAddr, settings: Settings) -> Config {
        Config {
            listen,
            settings,
            tokens: None,
            login: None,
            oidc: None,
            read_only: false,
            redirect: Redirect::Auto,
            public_url: None,
            staging: None,
            staging_quota: None,
            rate: None,
            trusted_proxies: Vec::new(),
            audit_log: None,
            access_log: None,
            unsafe_upload_urls: false,
            doctor: None,
            connections: Listen { limits: Limits { stop: STOP_PATIENCE, ..Limits::default() }, tls: None },
        }
    }
}

/// Whether files are fetched directly from the S3 endpoint, by a presigned URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// Large files, if the client can presumably reach the endpoint.
    #[default]
    Auto,
    /// Every file.
    Always,
    /// None: every file passes through the service.
    Never,
}
