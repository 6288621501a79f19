//! Access control: key pairs and their rights.

pub(crate) mod keys;

use std::fmt;
use std::sync::Arc;

use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3Request, S3Result, s3_error};

use self::keys::{Grant, Right, Watched};

/// The key pairs that the server accepts.
pub(crate) struct Logins {
    /// Key pairs with all rights.
    owners: Vec<(String, SecretKey)>,
    /// Key pairs from a key file.
    file: Option<Watched>,
}

/// What the sender of a request is permitted.
#[derive(Clone, Debug)]
pub(crate) enum Rights {
    All,
    These(Vec<Grant>),
}

impl Rights {
    pub(crate) fn allow(&self, right: Right, bucket: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(grants) => grants.iter().any(|grant| grant.gives(right, bucket)),
        }
    }

    pub(crate) fn require(&self, right: Right, bucket: &str) -> S3Result<()> {
        if self.allow(right, bucket) { Ok(()) } else { Err(denied()) }
    }
}

pub(crate) fn denied() -> S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owners: Vec<_> = self.owners.iter().map(|(access_key, _)| access_key).collect();
        f.debug_struct("Logins").field("owners", &owners).field("file", &self.file).finish()
    }
}

impl Logins {
    pub(crate) fn new(owners: Vec<(String, SecretKey)>, file: Option<Watched>) -> Self {
        Self { owners, file }
    }

    pub(crate) fn find(&self, access_key: &str) -> Option<(SecretKey, Rights)> {
        if let Some((_, secret_key)) = self.owners.iter().find(|(owner, _)| owner == access_key) {
            return Some((secret_key.clone(), Rights::All));
        }
        let keys = self.file.as_ref()?.keys();
        let key = keys.find(access_key)?;
        Some((key.secret_key.clone(), Rights::These(key.grants.clone())))
    }
}

/// Gives the protocol layer the secret keys.
pub(crate) struct Secrets(pub(crate) Arc<Logins>);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let found = self.0.find(access_key).map(|(secret_key, _)| secret_key);
        found.ok_or_else(unknown_key)
    }
}

pub(crate) fn unknown_key() -> S3Error {
    s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

/// Returns what the sender of a request is permitted.
pub(crate) fn rights<T>(req: &S3Request<T>) -> S3Result<&Rights> {
    req.extensions.get().ok_or_else(denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let logins = Logins::new(vec![("admin".into(), "hunter2hunter2".into())], None);
        assert!(!format!("{logins:?}").contains("hunter2"));
        assert!(format!("{logins:?}").contains("admin"));
    }
}
