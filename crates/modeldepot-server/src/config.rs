//! How the service is started.

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

/// How the service is started.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the models lie.
    pub settings: Settings,
    /// The token file ([`Tokens`](crate::Tokens)). Without one, everyone on this machine has full access.
    pub tokens: Option<PathBuf>,
    /// Where there is no such file: a token for this run that callers must show all the same.
    pub login: Option<Login>,
    /// The login provider for browsers. Without tokens, only people who log in have access.
    pub oidc: Option<Oidc>,
    /// Whether nothing may be published or deleted.
    pub read_only: bool,
    /// Whether large files are fetched from the S3 endpoint itself.
    pub redirect: Redirect,
    /// The URL by which browsers reach the service, where that is not the address it listens on: behind a proxy.
    pub public_url: Option<Url>,
    /// A folder for uploads on their way, in which the service makes a private one; none is the system's temporary folder.
    /// They are removed when they are published, and what a service that was killed has left when the next one starts.
    pub staging: Option<PathBuf>,
    /// The most bytes of uploads on their way. None is half of what the disk has free when the service starts.
    pub staging_quota: Option<u64>,
    /// Requests a second that each client may send. None is no limit.
    pub rate: Option<NonZeroU32>,
    /// The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Where the audit log goes: every request that changes something, and every one that was refused.
    pub audit_log: Option<Log>,
    /// Where the access log goes: every request.
    pub access_log: Option<Log>,
    /// Whether URLs for uploads are handed out also where the S3 server lets their holder copy other objects by them.
    pub unsafe_upload_urls: bool,
    /// Tries what the service stands on, for the page on health.
    pub doctor: Option<Doctor>,
    /// How many connections there may be, how slow clients may be, and the certificate.
    pub connections: Listen,
}

impl Config {
    /// Returns the configuration for everybody on this machine.
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

/// Whether files are fetched from the S3 endpoint itself, by a presigned URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// Large files, where the client can reach the endpoint as far as one can tell.
    #[default]
    Auto,
    /// Every file.
    Always,
    /// None: each passes through the service.
    Never,
}
