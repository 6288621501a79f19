//! The server's configuration.

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

/// The public default credentials of S3 servers of this kind.
const DEFAULT_KEY: &str = "minioadmin";

/// The server's configuration.
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
    /// A key file, with rights per bucket. If it is set, the pair above is not accepted.
    pub keys: Option<PathBuf>,
    /// Origins whose web pages may send requests. Pages of other origins are refused.
    pub cors_origins: Vec<Origin>,
    /// Called for every request.
    pub on_request: Option<OnRequest>,
    /// Buckets that are created if they are missing.
    pub buckets: Vec<String>,
    /// Compresses new objects on disk if a sample of the object shrinks by a quarter. Clients see no difference, and
    /// the folder can later be opened without this option.
    pub compress: bool,
    /// Accepts and ignores `If-Match` and `If-None-Match` on writes, as some servers do. For testing that clients
    /// notice.
    #[cfg(feature = "testing")]
    pub ignore_conditions: bool,
    /// Makes requests fail according to a plan. For testing clients.
    #[cfg(feature = "testing")]
    pub faults: Option<Faults>,
    /// Enforces AWS's rules, which simple servers do not have. For testing clients.
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
    /// Returns a configuration with one key pair and no buckets, on a loopback port chosen by the system.
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

    /// Returns how the server deviates from its normal behavior.
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
        // It would exist beside the console's own secret and never be accepted.
        if self.access_key == CONSOLE_KEY {
            return Err(Error::ReservedAccessKey { access_key: self.access_key.clone() });
        }
        if !self.listen.ip().is_loopback() && self.is_public() {
            return Err(Error::DefaultCredentials { address: self.listen });
        }
        self.check_buckets()
    }

    /// Returns true if the credentials are the public defaults.
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
