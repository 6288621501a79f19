//! The policy of a form: what its signer allows it to upload.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use s3s::auth::SecretKey;
use s3s::post_policy::{PostPolicy, PostPolicyCondition as Condition};
use s3s::{S3Error, S3Result, s3_error};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::front::signing::{SKEW, WEEK, does_not_match, v2};

/// Fields that need no condition: the signature and what it is computed from.
const FREE: [&str; 4] = ["x-amz-signature", "signature", "awsaccesskeyid", "policy"];

/// Returns the value of a field.
pub(crate) fn field<'f>(fields: &'f [(String, String)], wanted: &str) -> Option<&'f str> {
    fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

/// A policy with a valid signature that has not expired.
#[derive(Debug)]
pub(crate) struct Policy(PostPolicy);

/// The signature of a form.
#[derive(Debug)]
pub(crate) enum Signature<'f> {
    V2 { access_key: &'f str, signature: &'f str },
    V4 { scope: [&'f str; 3], access_key: &'f str, stamp: &'f str, signature: &'f str },
}

impl<'f> Signature<'f> {
    /// Reads the fields of the signature.
    pub(crate) fn read(fields: &'f [(String, String)]) -> S3Result<Self> {
        let get = |name| field(fields, name);
        match (get("x-amz-signature"), get("signature")) {
            (Some(_), Some(_)) => Err(s3_error!(InvalidArgument, "Only one auth mechanism allowed")),
            (None, None) => Err(s3_error!(AccessDenied, "Access Denied")),
            (None, Some(signature)) => {
                let access_key = get("awsaccesskeyid").ok_or_else(|| missing("AWSAccessKeyId"))?;
                Ok(Self::V2 { access_key, signature })
            }
            (Some(signature), None) => {
                if get("x-amz-algorithm") != Some("AWS4-HMAC-SHA256") {
                    return Err(missing("X-Amz-Algorithm: AWS4-HMAC-SHA256"));
                }
                let stamp = get("x-amz-date").ok_or_else(|| missing("X-Amz-Date"))?;
                let credential = get("x-amz-credential").ok_or_else(|| missing("X-Amz-Credential"))?;
                // Split from the end: an access key may contain slashes.
                let mut parts = credential.rsplitn(5, '/');
                let (end, service, region, day, access_key) =
                    (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
                match (end, service, region, day, access_key) {
                    (Some("aws4_request"), Some("s3"), Some(region), Some(day), Some(access_key))
                        if stamp.get(..8) == Some(day) =>
                    {
                        Ok(Self::V4 { scope: [day, region, "s3"], access_key, stamp, signature })
                    }
                    _ => Err(s3_error!(
                        AuthorizationQueryParametersError,
                        "X-Amz-Credential must be ACCESS-KEY/DAY/REGION/s3/aws4_request, with the day of X-Amz-Date"
                    )),
                }
            }
        }
    }

    pub(crate) fn access_key(&self) -> &'f str {
        match self {
            Self::V2 { access_key, .. } | Self::V4 { access_key, .. } => access_key,
        }
    }

    /// Compares the signature, in constant time.
    pub(crate) fn verify(&self, secret: &SecretKey, policy: &str) -> S3Result<()> {
        let is_right = match self {
            Self::V2 { signature, .. } => {
                let signature = BASE64.decode(signature).unwrap_or_default();
                v2::mac(secret, policy.as_bytes()).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
            }
            Self::V4 { scope, signature, .. } => {
                let first = format!("AWS4{}", secret.expose()).into_bytes();
                let key = scope
                    .iter()
                    .chain(&["aws4_request"])
                    .try_fold(first, |key, part| Some(sha256(&key, part.as_bytes())?.finalize().into_bytes().to_vec()));
                let signature = hex::decode(signature).unwrap_or_default();
                key.and_then(|key| sha256(&key, policy.as_bytes()))
                    .is_some_and(|mac| mac.verify_slice(&signature).is_ok())
            }
        };
        if is_right { Ok(()) } else { Err(does_not_match()) }
    }
}

fn sha256(key: &[u8], text: &[u8]) -> Option<Hmac<sha2::Sha256>> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac)
}

fn missing(name: &str) -> S3Error {
    s3_error!(InvalidArgument, "Bucket POST must contain a field named '{}'.", name)
}

fn failed(condition: &str) -> S3Error {
    s3_error!(AccessDenied, "Invalid according to Policy: Policy Condition failed: {}", condition)
}

impl Policy {
    /// Parses a policy whose signature was verified, and refuses one that has expired or is valid for too long.
    pub(crate) fn read(encoded: &str, signature: &Signature<'_>, now: i64) -> S3Result<Self> {
        let malformed = |what: String| s3_error!(InvalidPolicyDocument, "Invalid Policy: {}", what);
        // Some clients wrap the text.
        let encoded: String = encoded.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let policy = PostPolicy::from_base64(&encoded).map_err(|error| malformed(error.to_string()))?;
        let end = OffsetDateTime::from(policy.expiration.clone()).unix_timestamp();
        if end <= now {
            return Err(s3_error!(AccessDenied, "Invalid according to Policy: Policy expired."));
        }
        let begun = match signature {
            Signature::V2 { .. } => now,
            Signature::V4 { stamp, .. } => {
                let form = format_description!("[year][month][day]T[hour][minute][second]Z");
                let stamp = time::PrimitiveDateTime::parse(stamp, form);
                stamp.map_err(|_| s3_error!(AccessDenied, "Invalid date in X-Amz-Date"))?.assume_utc().unix_timestamp()
            }
        };
        if begun > now + SKEW || end - now > WEEK + SKEW || now - begun > WEEK {
            return Err(s3_error!(AccessDenied, "A form must expire within a week of being signed"));
        }
        Ok(Self(policy))
    }

    /// Checks the fields against the conditions: every condition must hold, and every field needs one.
    pub(crate) fn check(&self, fields: &[(String, String)], bucket: &str) -> S3Result<()> {
        let value = |name: &str| match field(fields, name) {
            _ if name == "bucket" => bucket,
            found => found.unwrap_or_default(),
        };
        for condition in &self.0.conditions {
            match condition {
                Condition::Eq { field, value: wanted } if value(field) != wanted => {
                    return Err(failed(&format!("[\"eq\", \"${field}\", \"{wanted}\"]")));
                }
                // Several content types may be given at once, and each must have the prefix.
                Condition::StartsWith { field, prefix }
                    if field == "content-type" && !value(field).split(',').all(|one| one.starts_with(&**prefix)) =>
                {
                    return Err(failed(&format!("[\"starts-with\", \"${field}\", \"{prefix}\"]")));
                }
                Condition::StartsWith { field, prefix }
                    if field != "content-type" && !value(field).starts_with(&**prefix) =>
                {
                    return Err(failed(&format!("[\"starts-with\", \"${field}\", \"{prefix}\"]")));
                }
                _ => {}
            }
        }
        // S3 treats the target bucket as a field. A policy without a condition for it would be valid for every bucket.
        if !self.names("bucket") {
            return Err(s3_error!(AccessDenied, "Invalid according to Policy: Extra input fields: bucket"));
        }
        if field(fields, "bucket").is_some_and(|named| named != bucket) {
            return Err(failed("the field bucket names another bucket"));
        }
        for (name, _) in fields {
            if !FREE.contains(&name.as_str()) && !name.starts_with("x-ignore-") && !self.names(name) {
                return Err(s3_error!(AccessDenied, "Invalid according to Policy: Extra input fields: {}", name));
            }
        }
        Ok(())
    }

    fn names(&self, wanted: &str) -> bool {
        self.0.conditions.iter().any(|condition| match condition {
            Condition::Eq { field, .. } | Condition::StartsWith { field, .. } => field == wanted,
            Condition::ContentLengthRange { .. } => false,
        })
    }

    /// Returns the allowed length of the file: the intersection of all conditions.
    pub(crate) fn range(&self) -> (u64, u64) {
        self.0.conditions.iter().fold((0, u64::MAX), |(least, most), condition| match condition {
            Condition::ContentLengthRange { min, max } => (least.max(*min), most.min(*max)),
            _ => (least, most),
        })
    }

    /// Returns true if the policy fixes the host of a URL field, and does not leave it to the sender.
    pub(crate) fn names_host_of(&self, wanted: &str) -> bool {
        self.0.conditions.iter().any(|condition| match condition {
            Condition::Eq { field, .. } => field == wanted,
            Condition::StartsWith { field, prefix } => {
                field == wanted && prefix.split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
            }
            Condition::ContentLengthRange { .. } => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn fields(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn policy(expiration: &str, conditions: &str) -> S3Result<Policy> {
        let text = format!("{{\"expiration\":\"{expiration}\",\"conditions\":[{conditions}]}}");
        let signature = Signature::V2 { access_key: "a", signature: "s" };
        Policy::read(&BASE64.encode(text), &signature, NOW)
    }

    fn code(result: S3Result<impl Sized>) -> Option<String> {
        result.err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn each_condition_holds_and_each_field_has_one() {
        let conditions = "{\"bucket\":\"b\"},[\"starts-with\",\"$key\",\"u/\"],[\"eq\",\"$acl\",\"private\"],\
                          [\"starts-with\",\"$Content-Type\",\"image/\"],[\"content-length-range\",1,9]";
        let policy = policy("2026-11-20T00:00:00Z", conditions).unwrap();
        assert_eq!(policy.range(), (1, 9));
        let good = [("key", "u/k"), ("acl", "private"), ("content-type", "image/png,image/gif"), ("policy", "p")];
        policy.check(&fields(&good), "b").unwrap();
        for (name, value) in [("key", "v/k"), ("acl", "public-read"), ("content-type", "image/png,text/html")] {
            let mut bad = good.to_vec();
            bad.retain(|(found, _)| *found != name);
            assert_eq!(code(policy.check(&fields(&bad), "b")).as_deref(), Some("AccessDenied"), "without {name}");
            bad.push((name, value));
            assert_eq!(code(policy.check(&fields(&bad), "b")).as_deref(), Some("AccessDenied"), "{name}");
        }
        assert_eq!(code(policy.check(&fields(&good), "c")).as_deref(), Some("AccessDenied"));
        for more in [("x-amz-meta-a", "1"), ("bucket", "c"), ("success_action_redirect", "http://evil.example/")] {
            let more = [&good[..], &[more]].concat();
            assert_eq!(code(policy.check(&fields(&more), "b")).as_deref(), Some("AccessDenied"), "{more:?}");
        }
        policy.check(&fields(&[&good[..], &[("x-ignore-this", "1")]].concat()), "b").unwrap();
    }

    #[test]
    fn a_policy_that_names_no_bucket_is_good_for_none() {
        let key = fields(&[("key", "u/k")]);
        for (bucket, is_good) in
            [("", false), (",{\"bucket\":\"b\"}", true), (",[\"starts-with\",\"$bucket\",\"\"]", true)]
        {
            let policy = policy("2026-11-20T00:00:00Z", &format!("[\"starts-with\",\"$key\",\"u/\"]{bucket}")).unwrap();
            assert_eq!(policy.check(&key, "b").is_ok(), is_good, "{bucket}");
        }
    }

    #[test]
    fn a_policy_ends_within_a_week() {
        let end = |seconds: i64| {
            let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
            OffsetDateTime::from_unix_timestamp(NOW + seconds).unwrap().format(form).unwrap()
        };
        assert_eq!(code(policy(&end(1), "")), None);
        assert_eq!(code(policy(&end(WEEK), "")), None);
        assert_eq!(code(policy(&end(0), "")).as_deref(), Some("AccessDenied"));
        assert_eq!(code(policy(&end(WEEK + SKEW + 1), "")).as_deref(), Some("AccessDenied"));
        for bad in ["", "tomorrow", "2026-13-01T00:00:00Z"] {
            assert_eq!(code(policy(bad, "")).as_deref(), Some("InvalidPolicyDocument"), "{bad}");
        }
        assert_eq!(code(policy(&end(9), "[\"like\",\"$key\",\"x\"]")).as_deref(), Some("InvalidPolicyDocument"));
    }

    #[test]
    fn signatures_are_read_strictly() {
        let v4 = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", "a/b/20261126/us-east-1/s3/aws4_request"),
            ("x-amz-date", "20261126T000000Z"),
            ("x-amz-signature", "00"),
        ];
        assert_eq!(Signature::read(&fields(&v4)).unwrap().access_key(), "a/b");
        for at in 0..v4.len() {
            let mut less = v4.to_vec();
            less.remove(at);
            assert!(Signature::read(&fields(&less)).is_err(), "{less:?}");
        }
        for credential in ["a/20261125/us-east-1/s3/aws4_request", "a/20261126/us-east-1/sts/aws4_request", "a", ""] {
            let mut other = v4;
            other[1].1 = credential;
            assert!(Signature::read(&fields(&other)).is_err(), "{credential}");
        }
        assert!(Signature::read(&fields(&[&v4[..], &[("signature", "x")]].concat())).is_err());
        assert_eq!(code(Signature::read(&fields(&[("key", "k")]))).as_deref(), Some("AccessDenied"));
    }

    #[test]
    fn redirects_lead_where_the_policy_says() {
        let of = |conditions: &str| policy("2026-11-20T00:00:00Z", conditions).unwrap().names_host_of("r");
        assert!(of("[\"eq\",\"$r\",\"https://a.example/x\"]") && of("{\"r\":\"x\"}"));
        assert!(of("[\"starts-with\",\"$r\",\"https://a.example/\"]"));
        for open in ["[\"starts-with\",\"$r\",\"\"]", "[\"starts-with\",\"$r\",\"https://a.example\"]", ""] {
            assert!(!of(open), "{open}");
        }
    }
}
