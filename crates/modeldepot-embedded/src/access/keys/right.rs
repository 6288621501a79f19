//! What a key pair permits.

use std::fmt;
use std::str::FromStr;

/// What is permitted in a bucket. Each right includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// List and fetch objects.
    Read,
    /// Store and delete objects.
    Write,
    /// Create, configure and delete the bucket itself.
    Admin,
}

impl Right {
    /// Returns the right as written in a key file.
    pub fn as_str(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Write => "write",
            Right::Admin => "admin",
        }
    }
}

/// A right on a bucket, or on all buckets whose names match: `models=write`, `plants-*=read`, `*=admin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The name of a bucket. A trailing `*` matches any suffix.
    pub bucket: String,
    /// What is permitted there.
    pub right: Right,
}

impl Grant {
    /// Returns true if this grant includes a right on a bucket.
    pub(crate) fn gives(&self, right: Right, bucket: &str) -> bool {
        let matches = match self.bucket.strip_suffix('*') {
            Some(start) => bucket.starts_with(start),
            None => bucket == self.bucket,
        };
        matches && self.right >= right
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.bucket, self.right.as_str())
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Grant, String> {
        let form = || "write it as BUCKET=RIGHT: `models=read`, `plants-*=write`, `*=admin`".to_owned();
        let (bucket, right) = text.split_once('=').ok_or_else(form)?;
        let right = match right {
            "read" => Right::Read,
            "write" => Right::Write,
            "admin" => Right::Admin,
            _ => return Err("use `read`, `write` or `admin`; each includes those before it".to_owned()),
        };
        let name = bucket.strip_suffix('*').unwrap_or(bucket);
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if bucket.is_empty() || bucket.len() > 63 || !name.chars().all(good) {
            return Err(form());
        }
        Ok(Grant { bucket: bucket.to_owned(), right })
    }
}
