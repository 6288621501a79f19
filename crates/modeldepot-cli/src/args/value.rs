//! Values with their own syntax, parsed with the arguments.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use modeldepot::{BucketName, ModelName, Selector, Version};
use serde_json::Value;

/// An exact version: `MODEL@VERSION`.
#[derive(Debug, Clone)]
pub(crate) struct Exact {
    pub(crate) model: ModelName,
    pub(crate) version: Version,
}

impl FromStr for Exact {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Selector { model, version, .. } = text.parse::<Selector>().map_err(|error| error.to_string())?;
        // Here `latest` is an ordinary name: the bucket shows whether a version has it.
        let named = || text.split_once('@').and_then(|(_, version)| version.parse().ok());
        match version.or_else(named) {
            Some(version) => Ok(Exact { model, version }),
            None => Err(format!("name the version to delete: `{model}@VERSION`")),
        }
    }
}

/// The version of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewVersion {
    pub(crate) version: Version,
    /// As it was typed.
    pub(crate) typed: String,
}

impl FromStr for NewVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let version = crate::new_version(text).map_err(|error| error.to_string())?;
        Ok(NewVersion { version, typed: text.to_owned() })
    }
}

/// A version to compare another one with: `VERSION` of the same model, or `MODEL@VERSION`.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    /// None for the same model.
    model: Option<ModelName>,
    /// None for the latest.
    version: Option<Version>,
}

impl Other {
    /// Returns the version, where `model` is the one that it is compared with.
    pub(crate) fn beside(self, model: &ModelName) -> Selector {
        let selector = Selector::new(self.model.unwrap_or_else(|| model.clone()));
        self.version.map_or(selector.clone(), |version| selector.version(version))
    }
}

impl FromStr for Other {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            let Selector { model, version, .. } = text.parse::<Selector>().map_err(|error| error.to_string())?;
            return Ok(Other { model: Some(model), version });
        }
        let version = match text {
            "latest" => None,
            text => Some(text.parse::<Version>().map_err(|error| error.to_string())?),
        };
        Ok(Other { model: None, version })
    }
}

/// One entry of metadata: `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Meta {
    pub(crate) key: String,
    pub(crate) value: Value,
}

impl FromStr for Meta {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
        if key.trim().is_empty() {
            return Err("there is no key before `=`".to_owned());
        }
        // Anything that is not JSON is plain text: `optimizer=AdamW` needs no quotes.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Meta { key: key.to_owned(), value })
    }
}

/// A duration: `90s`, `15m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(pub(crate) Duration);

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = || "use a whole number and a unit: `90s`, `15m`, `1h`, `7d`".to_owned();
        let unit = text.char_indices().next_back().ok_or_else(rule)?;
        let seconds: u64 = match unit.1 {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            _ => return Err(rule()),
        };
        let number = &text[..unit.0];
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(rule());
        }
        let number: u64 = number.parse().map_err(|_| rule())?;
        // The library checks the limit of S3 for presigned URLs.
        Ok(Lifetime(Duration::from_secs(number.saturating_mul(seconds))))
    }
}

/// Bytes per second: `500k`, `20M`, `1G`, in powers of 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) NonZeroU64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = || "use a number of bytes per second, optionally with k, M or G: `500k`, `20M`, `1G`".to_owned();
        let rate = bytes(text).ok_or_else(rule)?;
        if rate.get() < SLOWEST {
            return Err(format!("{rate} bytes per second are too few: did you mean `{rate}M`?"));
        }
        Ok(Rate(rate))
    }
}

/// The lowest rate: below it, requests time out.
const SLOWEST: u64 = 1000;

/// A number of bytes: `500M`, `20G`, `1T`, in powers of 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) NonZeroU64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = || "use a number of bytes, optionally with k, M, G or T: `500M`, `20G`, `1T`".to_owned();
        bytes(text).map(Size).ok_or_else(rule)
    }
}

/// Parses a number with an optional unit.
fn bytes(text: &str) -> Option<NonZeroU64> {
    let (number, factor) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1000),
        (at, 'm' | 'M') => (&text[..at], 1_000_000),
        (at, 'g' | 'G') => (&text[..at], 1_000_000_000),
        (at, 't' | 'T') => (&text[..at], 1_000_000_000_000),
        _ => (text, 1),
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| plain)?;
    NonZeroU64::new(number.saturating_mul(factor))
}

/// A bucket, or an object or prefix in it: `s3://bucket`, `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Address {
    pub(crate) bucket: BucketName,
    /// Empty for the bucket itself.
    pub(crate) key: String,
}

impl S3Address {
    /// Returns true if the text is meant as an address.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with("s3://")
    }

    /// Parses the address of an object; a bucket alone is an error.
    pub(crate) fn with_key(text: &str) -> Result<Self, String> {
        let address: S3Address = text.parse()?;
        if address.key.is_empty() {
            return Err(format!("add the key of the object: `s3://{}/KEY`", address.bucket));
        }
        Ok(address)
    }
}

/// Explains the syntax of an address, with the typed text where only `s3://` is missing or misspelled.
fn unprefixed(text: &str) -> String {
    let text = match text.split_once(":/") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") => rest.trim_start_matches('/'),
        _ => text,
    };
    let bucket = text.split('/').next().unwrap_or_default().parse::<modeldepot::BucketName>();
    format!("write it as `s3://{}`", if bucket.is_ok() { text } else { "bucket/key" })
}

impl FromStr for S3Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| unprefixed(text))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = bucket.parse().map_err(|error: modeldepot::NameError| error.to_string())?;
        Ok(S3Address { bucket, key: key.to_owned() })
    }
}

impl std::fmt::Display for S3Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, "/{}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_is_json_where_it_can_be() {
        let value = |text: &str| text.parse::<Meta>().map(|meta| meta.value);
        assert_eq!(value("a=0.95"), Ok(json!(0.95)));
        assert_eq!(value("a=true"), Ok(json!(true)));
        assert_eq!(value("a=null"), Ok(json!(null)));
        assert_eq!(value("a=[1,2]"), Ok(json!([1, 2])));
        assert_eq!(value("a={\"b\":1}"), Ok(json!({"b": 1})));
        assert_eq!(value("a=AdamW"), Ok(json!("AdamW")));
        assert_eq!(value("a=1e-3x"), Ok(json!("1e-3x")));
        assert_eq!(value("a=x=y"), Ok(json!("x=y")));
        assert_eq!(value("a="), Ok(json!("")));
        assert_eq!(value("a=\"42\""), Ok(json!("42")), "quotes make a text of a number");
        assert!(value("a").is_err());
        assert!(value("=a").is_err());
    }

    #[test]
    fn lifetimes() {
        let seconds = |text: &str| text.parse::<Lifetime>().ok().map(|life| life.0.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("15m"), Some(900));
        assert_eq!(seconds("1h"), Some(3600));
        assert_eq!(seconds("7d"), Some(604_800));
        for bad in ["", "h", "1", "1w", "-1h", "+1h", "1.5h", "1 h", "1ü", "99999999999999999999d"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn rates() {
        let rate = |text: &str| text.parse::<Rate>().ok().map(|rate| rate.0.get());
        assert_eq!(rate("5000"), Some(5000));
        assert_eq!(rate("500k"), Some(500_000));
        assert_eq!(rate("20M"), Some(20_000_000));
        assert_eq!(rate("1G"), Some(1_000_000_000));
        assert_eq!("20".parse::<Rate>().unwrap_err(), "20 bytes per second are too few: did you mean `20M`?");
        for bad in ["", "k", "0", "0M", "-1M", "1.5M", "1 M", "1ü", "1MB", "20", "999"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses() {
        let address = |text: &str| text.parse::<S3Address>().map(|address| address.to_string());
        assert_eq!(address("s3://models").as_deref(), Ok("s3://models"));
        assert_eq!(address("s3://models/").as_deref(), Ok("s3://models"));
        assert_eq!(address("s3://models/a/b c").as_deref(), Ok("s3://models/a/b c"));
        for bad in ["models", "s3:/models", "s3://", "s3:///key", "s3://Models/x"] {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert!(S3Address::with_key("s3://models").is_err());
        for nearly in ["models/a", "S3://models/a", "s3:/models/a"] {
            assert_eq!(address(nearly), Err("write it as `s3://models/a`".to_owned()), "{nearly}");
        }
    }

    #[test]
    fn a_v_before_the_number_of_a_new_version_is_dropped_in_upper_case_too() {
        let version = |text: &str| text.parse::<NewVersion>().map(|new| new.version.to_string());
        for (typed, published) in [("v1.1", "1.1"), ("V3", "3"), ("v3.0.0", "3.0.0"), ("Vision", "Vision"), ("2", "2")]
        {
            assert_eq!(version(typed).as_deref(), Ok(published), "{typed}");
        }
    }
}
