//! CORS rules of buckets: which pages of other origins may use a bucket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use s3s::S3Result;
use serde::{Deserialize, Serialize};

use crate::index::Index;
use crate::index::subresource::Kind;

/// The most header names in a preflight, and the longest name. Anyone may send preflights.
const MAX_NAMES: usize = 100;
const MAX_NAME: usize = 128;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) origins: Vec<String>,
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    #[serde(default)]
    pub(crate) expose: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<i32>,
}

/// A page's request.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a str,
    pub(crate) method: &'a str,
    /// The names of the headers it wants to send.
    pub(crate) headers: Vec<&'a str>,
    /// Whether rules for any origin are ignored.
    pub(crate) exact: bool,
}

/// Returns true if a pattern with at most one `*` matches.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

/// Like [`matches`], ignoring case, for header names.
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

/// Returns true if only one origin matches the pattern. Sandboxed frames of any site have the origin `null`.
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

    /// Returns the origin for `Access-Control-Allow-Origin`.
    pub(crate) fn allowed_origin<'a>(&self, origin: &'a str) -> &'a str {
        if self.origins.iter().any(|pattern| pattern == "*") { "*" } else { origin }
    }

    pub(crate) fn size(&self) -> usize {
        [&self.origins, &self.headers, &self.expose].into_iter().flatten().map(String::len).sum()
    }

    pub(crate) fn methods(&self) -> String {
        self.methods.join(", ")
    }
}

/// The rules of all buckets, which are checked for each request from a foreign page.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    all: RwLock<HashMap<String, Arc<[Rule]>>>,
    /// Held while rules are stored, so that the last stored rules are those in effect.
    changing: Mutex<()>,
}

impl Rules {
    pub(crate) fn of(index: &Index) -> S3Result<Self> {
        let rules: Vec<(String, Vec<Rule>)> = index.subresources(Kind::Cors)?;
        let all = RwLock::new(rules.into_iter().map(|(bucket, rules)| (bucket, rules.into())).collect());
        Ok(Self { all, changing: Mutex::default() })
    }

    /// Returns whether a bucket has rules, and the first that allows the request.
    pub(crate) fn find(&self, bucket: &str, asked: &Asked<'_>) -> (bool, Option<Rule>) {
        let rules = self.all.read().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned();
        let Some(rules) = rules else { return (false, None) };
        if asked.headers.len() > MAX_NAMES || asked.headers.iter().any(|name| name.len() > MAX_NAME) {
            return (true, None);
        }
        (true, rules.iter().find(|rule| rule.lets_in(asked)).cloned())
    }

    /// Changes the rules of a bucket after they were stored.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> Rule {
        let list = |of: &[&str]| of.iter().map(|one| (*one).to_owned()).collect();
        let (methods, origins, headers) = (list(methods), list(origins), list(headers));
        Rule { id: None, methods, origins, headers, expose: Vec::new(), max_age: None }
    }

    #[test]
    fn rules_are_matched_as_aws_matches_them() {
        let rule = rule(&["https://*.a.example", "http://b.example"], &["GET", "PUT"], &["x-amz-*"]);
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
        let null = self::rule(&["null"], &["GET"], &[]);
        let asked = |exact| null.lets_in(&Asked { origin: "null", method: "GET", headers: Vec::new(), exact });
        assert!(asked(false) && !asked(true), "frames of every site have it");
    }

    #[test]
    fn what_a_preflight_costs_is_bounded() {
        let rules = Rules::default();
        rules.set("b", Some(vec![rule(&["https://a.example"], &["GET"], &["*"])]), |_| Ok(())).unwrap();
        let lets_in = |headers: Vec<&str>| {
            let asked = Asked { origin: "https://a.example", method: "GET", headers, exact: false };
            rules.find("b", &asked)
        };
        assert!(lets_in(vec!["x"; MAX_NAMES]).1.is_some());
        assert!(matches!(lets_in(vec!["x"; MAX_NAMES + 1]), (true, None)));
        let long = "x".repeat(MAX_NAME + 1);
        assert!(lets_in(vec![&long[1..]]).1.is_some() && lets_in(vec![&long]).1.is_none());
    }
}
