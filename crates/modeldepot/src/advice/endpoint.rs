//! Settings that cannot be right, whatever the server answers, and where a login comes from.

use std::fmt;

use crate::Settings;
use crate::model::name::BucketName;
use crate::settings::{Credentials, LOOPBACK_LOGIN};

/// An endpoint that cannot be right. It is displayed with what to do, in the names of the settings' variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointMistake {
    /// It is a bucket's web site, which only serves pages.
    Website,
    /// Its host begins with the name of a bucket.
    BucketInHost {
        /// The bucket.
        bucket: BucketName,
        /// The endpoint without it; none on AWS, where no endpoint is needed.
        instead: Option<String>,
    },
    /// Its path is the name of a bucket.
    BucketInPath {
        /// The bucket.
        bucket: BucketName,
    },
}

impl EndpointMistake {
    /// Returns what is wrong with the endpoint of the settings, if that can be seen by looking at it.
    pub(super) fn of(settings: &Settings) -> Option<EndpointMistake> {
        let url = settings.endpoint.as_ref()?.url();
        let host = url.host_str()?;
        if host.contains(".s3-website") {
            return Some(EndpointMistake::Website);
        }
        for bucket in settings.buckets.all() {
            let Some(rest) = host.strip_prefix(bucket.as_str()).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            // Another host may well begin with the same word.
            if !rest.starts_with("s3") {
                continue;
            }
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            let instead = format!("{}://{rest}{port}", url.scheme());
            let instead = Some(instead).filter(|_| !rest.ends_with(".amazonaws.com"));
            return Some(EndpointMistake::BucketInHost { bucket: bucket.clone(), instead });
        }
        let path = url.path().trim_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        let named = settings.buckets.all().into_iter().find(|bucket| bucket.as_str() == last)?;
        Some(EndpointMistake::BucketInPath { bucket: named.clone() })
    }
}

impl fmt::Display for EndpointMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndpointMistake::Website => f.write_str(
                "S3_ENDPOINT is a bucket's web site, which only serves pages: leave it empty, and set S3_REGION to the \
                 bucket's region",
            ),
            EndpointMistake::BucketInHost { bucket, instead: None } => {
                write!(
                    f,
                    "S3_ENDPOINT names the bucket `{bucket}` in its host: leave it empty for AWS, and set S3_REGION"
                )
            }
            EndpointMistake::BucketInHost { bucket, instead: Some(instead) } => {
                write!(f, "S3_ENDPOINT names the bucket `{bucket}` in its host: set it to {instead}")
            }
            EndpointMistake::BucketInPath { bucket } => write!(
                f,
                "S3_ENDPOINT names the bucket `{bucket}` in its path: leave that out, S3_BUCKET_MODELS names it"
            ),
        }
    }
}

/// Where an access key comes from. It is displayed with what to check, in the names of the settings' variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// An AWS profile.
    Profile(String),
    /// The AWS login of this machine.
    Login,
    /// The default for a server on this machine.
    Default,
    /// A variable, or something that is not known.
    Variable,
}

impl KeyOrigin {
    pub(super) fn of(settings: Option<&Settings>) -> KeyOrigin {
        match settings.map(|settings| &settings.credentials) {
            Some(Credentials::Profile(name)) => KeyOrigin::Profile(name.clone()),
            Some(Credentials::Chain) => KeyOrigin::Login,
            Some(Credentials::Key { access, .. }) if access == LOOPBACK_LOGIN => KeyOrigin::Default,
            _ => KeyOrigin::Variable,
        }
    }
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyOrigin::Profile(name) => write!(f, "check the AWS profile `{name}`"),
            KeyOrigin::Login => f.write_str(
                "it is the AWS login of this machine; set S3_ACCESS_KEY and S3_SECRET_KEY to use another one",
            ),
            KeyOrigin::Default => write!(
                f,
                "it is `{LOOPBACK_LOGIN}`, the default on this machine: set S3_ACCESS_KEY and S3_SECRET_KEY to the \
                 server's keys"
            ),
            KeyOrigin::Variable => {
                f.write_str("check S3_ACCESS_KEY, or AWS_ACCESS_KEY_ID where that one is set instead")
            }
        }
    }
}
