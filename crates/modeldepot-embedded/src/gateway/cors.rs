//! CORS rules of buckets: which pages of other origins a bucket lets in, and what their browsers are told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hyper::header::HeaderName;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::Gateway;
use crate::index::Index;
use crate::subresource::Kind;

/// The most rules of a bucket.
const MAX_RULES: usize = 100;

/// The most origins, headers or exposed headers of one rule.
const MAX_LIST: usize = 100;

/// The most that all rules of a bucket say, in bytes, as on AWS.
const MAX_SIZE: usize = 64 << 10;

/// The most names of headers that a preflight asks for, and the longest. Anybody may send one.
const MAX_NAMES: usize = 100;
const MAX_NAME: usize = 128;

const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    methods: Vec<String>,
    origins: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    pub(crate) expose: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<i32>,
}

/// What a page asks.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a str,
    pub(crate) method: &'a str,
    /// The names of the headers that it wants to send.
    pub(crate) headers: Vec<&'a str>,
    /// Rules that let in any origin do not count.
    pub(crate) exact: bool,
}

/// Returns true for what a pattern with at most one `*` matches.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

/// Does the same for names of headers, where small and capital letters are the same.
fn matches_name(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    match pattern.iter().position(|byte| *byte == b'*') {
        None => pattern.eq_ignore_ascii_case(name),
        Some(at) => {
            let (start, end) = (&pattern[..at], &pattern[at + 1..]);
            name.len() >= start.len() + end.len()
                && name[..start.len()].eq_ignore_ascii_case(start)
                && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
        }
    }
}

/// Returns true for a pattern that one origin alone has. Frames of every site may have the origin `null`.
fn is_exact(pattern: &str) -> bool {
    !pattern.contains('*') && pattern.split_once("://").is_some_and(|(_, host)| !host.is_empty())
}

impl Rule {
    fn lets_in(&self, asked: &Asked<'_>) -> bool {
        let origin = |pattern: &String| matches(pattern, asked.origin) && (!asked.exact || is_exact(pattern));
        let header = |name: &&str| self.headers.iter().any(|pattern| matches_name(pattern, name));
        self.methods.iter().any(|method| method == asked.method)
            && self.origins.iter().any(origin)
            && asked.headers.iter().all(header)
    }

    /// Returns the origin that a browser is told.
    pub(crate) fn allowed_origin<'a>(&self, origin: &'a str) -> &'a str {
        if self.origins.iter().any(|pattern| pattern == "*") { "*" } else { origin }
    }

    fn size(&self) -> usize {
        [&self.origins, &self.headers, &self.expose].into_iter().flatten().map(String::len).sum()
    }

    pub(crate) fn methods(&self) -> String {
        self.methods.join(", ")
    }
}

/// The rules of all buckets, which each request of a foreign page is compared with.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    all: RwLock<HashMap<String, Arc<[Rule]>>>,
    /// Held while rules are written down, so that those that were written last are those that count.
    changing: Mutex<()>,
}

impl Rules {
    pub(crate) fn of(index: &Index) -> S3Result<Self> {
        let rules: Vec<(String, Vec<Rule>)> = index.subresources(Kind::Cors)?;
        let all = RwLock::new(rules.into_iter().map(|(bucket, rules)| (bucket, rules.into())).collect());
        Ok(Self { all, changing: Mutex::default() })
    }

    /// Returns whether a bucket has rules, and the first that lets a request in.
    pub(crate) fn find(&self, bucket: &str, asked: &Asked<'_>) -> (bool, Option<Rule>) {
        let rules = self.all.read().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned();
        let Some(rules) = rules else { return (false, None) };
        if asked.headers.len() > MAX_NAMES || asked.headers.iter().any(|name| name.len() > MAX_NAME) {
            return (true, None);
        }
        (true, rules.iter().find(|rule| rule.lets_in(asked)).cloned())
    }

    /// Changes the rules of a bucket once this was written down.
    pub(crate) fn set<T>(
        &self,
        bucket: &str,
        rules: Option<Vec<Rule>>,
        write: impl FnOnce(Option<&[Rule]>) -> S3Result<T>,
    ) -> S3Result<T> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let written = write(rules.as_deref())?;
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        match rules {
            Some(rules) => all.insert(bucket.to_owned(), rules.into()),
            None => all.remove(bucket),
        };
        Ok(written)
    }
}

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
    fn rules_are_matched_as_aws_matches_them() {
        let rules = checked(vec![rule(&["https://*.a.example", "http://b.example"], &["GET", "PUT"], &["x-amz-*"])]);
        let rule = &rules.unwrap()[0];
        let asked = |origin, method, headers: &[&'static str], exact| {
            rule.lets_in(&Asked { origin, method, headers: headers.to_vec(), exact })
        };
        assert!(asked("https://x.a.example", "GET", &[], false));
        assert!(asked("http://b.example", "PUT", &["X-Amz-Date", "x-amz-meta-a"], true));
        assert!(!asked("https://x.a.example", "GET", &[], true), "a pattern is no exact origin");
        assert!(!asked("http://x.a.example", "GET", &[], false));
        assert!(!asked("https://.a.exampl", "GET", &[], false));
        assert!(!asked("http://b.example", "DELETE", &[], false));
        assert!(!asked("http://b.example", "GET", &["content-type"], false));
        let null = checked(vec![self::rule(&["null"], &["GET"], &[])]).unwrap();
        let asked = |exact| null[0].lets_in(&Asked { origin: "null", method: "GET", headers: Vec::new(), exact });
        assert!(asked(false) && !asked(true), "frames of every site have it");
    }

    #[test]
    fn what_a_preflight_costs_is_bounded() {
        let rules = Rules::default();
        let rule = rule(&["https://a.example"], &["GET"], &["*"]);
        rules.set("b", Some(checked(vec![rule.clone()]).unwrap()), |_| Ok(())).unwrap();
        let lets_in = |headers: Vec<&str>| {
            let asked = Asked { origin: "https://a.example", method: "GET", headers, exact: false };
            rules.find("b", &asked)
        };
        assert!(lets_in(vec!["x"; MAX_NAMES]).1.is_some());
        assert!(matches!(lets_in(vec!["x"; MAX_NAMES + 1]), (true, None)));
        let long = "x".repeat(MAX_NAME + 1);
        assert!(lets_in(vec![&long[1..]]).1.is_some() && lets_in(vec![&long]).1.is_none());
        let large = CORSRule { allowed_headers: Some(vec!["x".repeat(1000); 66]), ..rule };
        assert!(checked(vec![large]).is_err());
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
            CORSRule { allowed_origins: vec!["x".into(); 101], ..good.clone() },
        ] {
            assert_eq!(code(vec![bad.clone()]).as_deref(), Some("InvalidRequest"), "{bad:?}");
        }
        assert_eq!(code(vec![rule(&[], &["GET"], &[])]).as_deref(), Some("MalformedXML"));
    }
}
