//! How a server is started.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::access::keys::CONSOLE_KEY;
use crate::double::Double;
#[cfg(feature = "testing")]
use crate::double::fault::Faults;
#[cfg(feature = "testing")]
use crate::double::rules::AwsRules;
use crate::error::Error;
use crate::front::origin::Origin;
use crate::front::seen::OnRequest;

/// What every S3 server of this kind starts with, and everybody knows.
const DEFAULT_KEY: &str = "minioadmin";

/// How a server is started.
#[derive(Clone)]
pub struct Config {
    /// The data folder. A missing or empty one becomes a new data folder.
    pub data: PathBuf,
    /// The address to listen on. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The access key that clients sign with.
    pub access_key: String,
    /// The secret key that clients sign with.
    pub secret_key: String,
    /// A file of key pairs with rights per bucket. With it, the one pair above opens nothing.
    pub keys: Option<PathBuf>,
    /// The origins whose web pages may send requests. Those of any other origin are refused.
    pub cors_origins: Vec<Origin>,
    /// Is told of every request.
    pub on_request: Option<OnRequest>,
    /// Buckets that are created if they are missing.
    pub buckets: Vec<String>,
    /// Compresses new objects on the disk, each if a sample of it shrinks by a quarter. What clients see stays the same.
    /// A folder that was written so opens without it as well.
    pub compress: bool,
    /// Makes the server behave like those that accept `If-Match` and `If-None-Match` on writes and ignore them. For
    /// tests of clients that must notice.
    #[cfg(feature = "testing")]
    pub ignore_conditions: bool,
    /// Makes requests fail by a plan. For tests of clients that must cope.
    #[cfg(feature = "testing")]
    pub faults: Option<Faults>,
    /// Makes the server enforce rules that AWS has and servers on one machine do not. For tests of clients.
    #[cfg(feature = "testing")]
    pub aws_rules: Option<AwsRules>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data", &self.data)
            .field("listen", &self.listen)
            .field("access_key", &self.access_key)
            .field("secret_key", &"(hidden)")
            .field("keys", &self.keys)
            .field("cors_origins", &self.cors_origins)
            .field("buckets", &self.buckets)
            .field("compress", &self.compress)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Returns a configuration with one key pair and no buckets, on a port of this machine that the system chooses.
    pub fn new(data: impl Into<PathBuf>, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            listen: ([127, 0, 0, 1], 0).into(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            keys: None,
            cors_origins: Vec::new(),
            on_request: None,
            buckets: Vec::new(),
            compress: false,
            #[cfg(feature = "testing")]
            ignore_conditions: false,
            #[cfg(feature = "testing")]
            faults: None,
            #[cfg(feature = "testing")]
            aws_rules: None,
        }
    }

    /// Returns how the server differs from a good one.
    pub(super) fn double(&self) -> Double {
        #[cfg(feature = "testing")]
        return Double::new(self.ignore_conditions, self.faults.clone(), self.aws_rules.clone());
        #[cfg(not(feature = "testing"))]
        Double::default()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.keys.is_some() {
            return self.check_buckets();
        }
        for (which, value) in [("access key", &self.access_key), ("secret key", &self.secret_key)] {
            if value.is_empty() {
                return Err(Error::EmptyCredentials { which });
            }
        }
        // It would stand beside the console's own secret, and open nothing.
        if self.access_key == CONSOLE_KEY {
            return Err(Error::ReservedAccessKey { access_key: self.access_key.clone() });
        }
        if !self.listen.ip().is_loopback() && self.is_public() {
            return Err(Error::DefaultCredentials { address: self.listen });
        }
        self.check_buckets()
    }

    /// Returns true when everybody knows the login.
    pub(super) fn is_public(&self) -> bool {
        self.keys.is_none() && self.secret_key == DEFAULT_KEY
    }

    fn check_buckets(&self) -> Result<(), Error> {
        match self.buckets.iter().find(|name| !s3s::path::check_bucket_name(name)) {
            Some(name) => Err(Error::BucketName { name: name.clone() }),
            None => Ok(()),
        }
    }
}
