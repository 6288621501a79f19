//! CORS rules of buckets: set, get, delete.

use hyper::header::HeaderName;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::Gateway;
use crate::index::subresource::Kind;
use crate::store::cors::Rule;

/// The most rules of a bucket.
const MAX_RULES: usize = 100;

/// The most origins, headers or exposed headers of one rule.
const MAX_LIST: usize = 100;

/// The largest total size of a bucket's rules in bytes, as on AWS.
const MAX_SIZE: usize = 64 << 10;

const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// Checks rules as AWS does.
pub(crate) fn checked(rules: CORSRules) -> S3Result<Vec<Rule>> {
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        ));
    }
    let rules = rules.into_iter().map(checked_rule).collect::<S3Result<Vec<_>>>()?;
    if rules.iter().map(Rule::size).sum::<usize>() > MAX_SIZE {
        return Err(s3_error!(InvalidRequest, "The CORS rules of a bucket have at most {} bytes", MAX_SIZE));
    }
    Ok(rules)
}

fn checked_rule(rule: CORSRule) -> S3Result<Rule> {
    let rule = Rule {
        id: rule.id,
        methods: rule.allowed_methods,
        origins: rule.allowed_origins,
        headers: rule.allowed_headers.unwrap_or_default(),
        expose: rule.expose_headers.unwrap_or_default(),
        max_age: rule.max_age_seconds,
    };
    let lists = [&rule.origins, &rule.headers, &rule.expose];
    let lengths = lists.iter().all(|list| list.len() <= MAX_LIST && list.iter().all(|one| one.len() <= 1024));
    if !lengths || rule.id.as_ref().is_some_and(|id| id.len() > 255) || rule.methods.len() > METHODS.len() {
        return Err(s3_error!(InvalidRequest, "A CORS rule has at most {} entries of each kind", MAX_LIST));
    }
    if rule.origins.is_empty() || rule.methods.is_empty() {
        return Err(s3_error!(MalformedXML, "A CORS rule needs an AllowedOrigin and an AllowedMethod"));
    }
    if let Some(method) = rule.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(s3_error!(
            InvalidRequest,
            "Found unsupported HTTP method in CORS config. Unsupported method is {}",
            method
        ));
    }
    for (kind, list) in [("AllowedOrigin", &rule.origins), ("AllowedHeader", &rule.headers)] {
        if let Some(value) = list.iter().find(|value| value.matches('*').count() > 1) {
            return Err(s3_error!(InvalidRequest, "{} \"{}\" can not have more than one wildcard.", kind, value));
        }
    }
    if let Some(name) = rule.expose.iter().find(|name| name.contains('*') || name.parse::<HeaderName>().is_err()) {
        return Err(s3_error!(
            InvalidRequest,
            "ExposeHeader \"{}\" contains wildcard. We currently do not support wildcard for ExposeHeader.",
            name
        ));
    }
    if rule.max_age.is_some_and(|age| age < 0) {
        return Err(s3_error!(InvalidRequest, "MaxAgeSeconds must not be negative"));
    }
    Ok(rule)
}

fn written(rule: Rule) -> CORSRule {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    CORSRule {
        allowed_headers: some(rule.headers),
        allowed_methods: rule.methods,
        allowed_origins: rule.origins,
        expose_headers: some(rule.expose),
        id: rule.id,
        max_age_seconds: rule.max_age,
    }
}

impl Gateway {
    pub(super) async fn get_bucket_cors(
        &self,
        req: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let rules: Option<Vec<Rule>> =
            self.run(move |store| store.index.subresource(&req.input.bucket, Kind::Cors)).await?;
        let rules = rules.ok_or_else(|| s3_error!(NoSuchCORSConfiguration, "The CORS configuration does not exist"))?;
        let cors_rules = Some(rules.into_iter().map(written).collect());
        Ok(S3Response::new(GetBucketCorsOutput { cors_rules }))
    }

    pub(super) async fn put_bucket_cors(
        &self,
        req: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let input = req.input;
        let rules = checked(input.cors_configuration.cors_rules)?;
        self.run(move |store| {
            let write = |rules: Option<&[Rule]>| store.index.put_subresource(&input.bucket, Kind::Cors, &rules);
            store.cors.set(&input.bucket, Some(rules), write)
        })
        .await?;
        Ok(S3Response::new(PutBucketCorsOutput::default()))
    }

    pub(super) async fn delete_bucket_cors(
        &self,
        req: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        self.run(move |store| {
            let bucket = &req.input.bucket;
            store.cors.set(bucket, None, |_| store.index.delete_subresource(bucket, Kind::Cors))
        })
        .await?;
        Ok(S3Response::new(DeleteBucketCorsOutput::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CORSRule {
        let list = |of: &[&str]| of.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        CORSRule {
            allowed_headers: Some(list(headers)),
            allowed_methods: list(methods),
            allowed_origins: list(origins),
            expose_headers: None,
            id: None,
            max_age_seconds: None,
        }
    }

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        let code = |rules| checked(rules).err().map(|error: s3s::S3Error| error.code().as_str().to_owned());
        let good = rule(&["*"], &["GET"], &["*"]);
        assert_eq!(code(vec![good.clone()]), None);
        assert_eq!(code(vec![]).as_deref(), Some("MalformedXML"));
        assert_eq!(code(vec![good.clone(); 101]).as_deref(), Some("MalformedXML"));
        for bad in [
            rule(&["*.*"], &["GET"], &[]),
            rule(&["*"], &["PATCH"], &[]),
            rule(&["*"], &["get"], &[]),
            rule(&["*"], &["GET"], &["x-*-*"]),
            CORSRule { expose_headers: Some(vec!["x-*".into()]), ..good.clone() },
            CORSRule { expose_headers: Some(vec!["a b".into()]), ..good.clone() },
            CORSRule { max_age_seconds: Some(-1), ..good.clone() },
            CORSRule { allowed_headers: Some(vec!["x".repeat(1000); 66]), ..good.clone() },
            CORSRule { allowed_origins: vec!["x".into(); 101], ..good.clone() },
        ] {
            assert_eq!(code(vec![bad.clone()]).as_deref(), Some("InvalidRequest"), "{bad:?}");
        }
        assert_eq!(code(vec![rule(&[], &["GET"], &[])]).as_deref(), Some("MalformedXML"));
    }
}
