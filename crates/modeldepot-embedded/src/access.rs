//! Who is let in: one pair of credentials, signature version 4, presigned links of at most a week.

use hyper::StatusCode;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::refusal::custom;

/// The longest that S3 lets a presigned link live.
const WEEK: u64 = 7 * 24 * 60 * 60;

/// The one pair of credentials.
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            Ok(self.secret_key.clone())
        } else {
            Err(s3_error!(InvalidAccessKeyId, "The access key ID you provided does not exist in our records."))
        }
    }
}

/// Refuses anonymous requests, signature version 2, and links that live too long.
pub(crate) struct Gate;

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let authorization = cx.headers().get("authorization").map(|value| value.as_bytes());
        check_signing(authorization, cx.uri().query().unwrap_or_default())
    }
}

fn check_signing(authorization: Option<&[u8]>, query: &str) -> S3Result<()> {
    // Names may be spelled with percent signs, and the protocol layer reads them decoded.
    let parameters: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let parameter = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    if authorization.is_some_and(|value| value.starts_with(b"AWS ")) || parameter("AWSAccessKeyId").is_some() {
        return Err(s3_error!(
            InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        ));
    }
    if let Some(expires) = parameter("X-Amz-Expires")
        && expires.parse::<u64>().is_ok_and(|seconds| seconds > WEEK)
    {
        return Err(custom(
            "AuthorizationQueryParametersError",
            StatusCode::BAD_REQUEST,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds"
                .into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_4_and_a_week_at_most() {
        let code = |authorization: Option<&[u8]>, query| {
            check_signing(authorization, query).err().map(|error| error.code().as_str().to_owned())
        };
        assert_eq!(code(Some(b"AWS4-HMAC-SHA256 Credential=x"), "list-type=2"), None);
        assert_eq!(code(Some(b"AWS key:signature"), "").as_deref(), Some("InvalidRequest"));
        assert_eq!(code(None, "AWSAccessKeyId=k&Signature=s&Expires=9").as_deref(), Some("InvalidRequest"));
        assert_eq!(code(None, "X-Amz-Expires=604800&X-Amz-Signature=s"), None);
        for query in ["X-Amz-Expires=604801", "a=b&X-Amz-%45xpires=6048%30%30%30"] {
            assert_eq!(code(None, query).as_deref(), Some("AuthorizationQueryParametersError"), "{query}");
        }
    }
}
