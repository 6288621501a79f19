//! Lifecycle rules of buckets: set, get, delete. `sweep` carries them out.

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::Gateway;
use crate::index::subresource::Kind;
use crate::store::lifecycle::{DAY, Filter, Rule};

/// The most rules of a bucket.
const MAX_RULES: usize = 1000;

/// The longest name of a rule.
const MAX_ID: usize = 255;

/// The longest prefix.
const MAX_PREFIX: usize = 1024;

/// The most tags in one rule.
const MAX_TAGS: usize = 10;

fn malformed() -> S3Error {
    s3_error!(MalformedXML, "The XML you provided was not well-formed or did not validate against our published schema")
}

/// Checks rules as AWS does, and refuses those that would not be carried out.
pub(crate) fn checked(rules: LifecycleRules) -> S3Result<Vec<Rule>> {
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(malformed());
    }
    let mut checked: Vec<Rule> = Vec::new();
    for (at, rule) in rules.into_iter().enumerate() {
        let rule = checked_rule(rule, at)?;
        if checked.iter().any(|other| other.id == rule.id) {
            return Err(s3_error!(InvalidArgument, "Rule ID must be unique. Found same ID for more than one rule"));
        }
        checked.push(rule);
    }
    Ok(checked)
}

fn checked_rule(rule: LifecycleRule, at: usize) -> S3Result<Rule> {
    super::refuse_unsupported([
        (rule.transitions.is_some_and(|list| !list.is_empty()), "transitions to other storage classes"),
        (rule.noncurrent_version_transitions.is_some_and(|list| !list.is_empty()), "transitions of older versions"),
        (rule.noncurrent_version_expiration.is_some(), "expiry of older versions"),
    ])?;
    let enabled = match rule.status.as_str() {
        ExpirationStatus::ENABLED => true,
        ExpirationStatus::DISABLED => false,
        _ => return Err(malformed()),
    };
    let id = rule.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("rule-{}", at + 1));
    if id.chars().count() > MAX_ID {
        return Err(s3_error!(InvalidArgument, "ID length should not exceed allowed limit of {}", MAX_ID));
    }
    let legacy = rule.prefix.is_some();
    let filter = match (rule.prefix, rule.filter) {
        (Some(_), Some(_)) | (None, None) => return Err(malformed()),
        (Some(prefix), None) => Filter { prefix, ..Filter::default() },
        (None, Some(filter)) => checked_filter(filter)?,
    };
    if filter.prefix.len() > MAX_PREFIX || filter.tags.len() > MAX_TAGS {
        return Err(s3_error!(InvalidRequest, "The filter of a rule is too large"));
    }
    let (mut days, mut date) = (None, None);
    if let Some(expiration) = rule.expiration {
        if expiration.expired_object_delete_marker == Some(true) {
            super::refuse_unsupported([(true, "expiry of delete markers")])?;
        }
        date = expiration.date.map(|date| time::OffsetDateTime::from(date).unix_timestamp());
        days = expiration.days;
        if days.is_some() == date.is_some() {
            return Err(malformed());
        }
        if days.is_some_and(|days| days < 1) {
            return Err(s3_error!(InvalidArgument, "'Days' for Expiration action must be a positive integer"));
        }
        if date.is_some_and(|date| date % DAY != 0) {
            return Err(s3_error!(InvalidArgument, "'Date' must be at midnight GMT"));
        }
    }
    let abort = match rule.abort_incomplete_multipart_upload {
        None => None,
        Some(AbortIncompleteMultipartUpload { days_after_initiation: Some(days @ 1..) }) => Some(days),
        Some(_) => {
            return Err(s3_error!(
                InvalidArgument,
                "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer"
            ));
        }
    };
    if days.is_none() && date.is_none() && abort.is_none() {
        return Err(s3_error!(InvalidRequest, "At least one action needs to be specified in a rule"));
    }
    if abort.is_some() && !(filter.tags.is_empty() && filter.larger.is_none() && filter.smaller.is_none()) {
        return Err(s3_error!(
            InvalidRequest,
            "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes."
        ));
    }
    Ok(Rule { id, enabled, legacy, filter, days, date, abort })
}

fn checked_filter(filter: LifecycleRuleFilter) -> S3Result<Filter> {
    let given = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.and.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(malformed());
    }
    let and = match filter.and {
        Some(and) => and,
        None => LifecycleRuleAndOperator {
            object_size_greater_than: filter.object_size_greater_than,
            object_size_less_than: filter.object_size_less_than,
            prefix: filter.prefix,
            tags: filter.tag.map(|tag| vec![tag]),
        },
    };
    let mut checked = Filter { prefix: and.prefix.unwrap_or_default(), ..Filter::default() };
    for tag in and.tags.unwrap_or_default() {
        let name = tag.key.filter(|name| !name.is_empty()).ok_or_else(malformed)?;
        if checked.tags.insert(name, tag.value.unwrap_or_default()).is_some() {
            return Err(s3_error!(InvalidRequest, "Duplicate Tag Keys are not allowed."));
        }
    }
    let bytes = |size: Option<i64>| size.map(u64::try_from).transpose().map_err(|_| malformed());
    checked.larger = bytes(and.object_size_greater_than)?;
    checked.smaller = bytes(and.object_size_less_than)?;
    Ok(checked)
}

pub(crate) fn written(rule: Rule) -> LifecycleRule {
    let date = rule.date.map(super::timestamp);
    let expires = rule.days.is_some() || date.is_some();
    let Filter { prefix, tags, larger, smaller } = rule.filter;
    let some = |prefix: String| (!prefix.is_empty()).then_some(prefix);
    let bytes = |size: Option<u64>| size.map(super::size);
    let filter = |prefix: String| {
        let count = usize::from(!prefix.is_empty())
            + tags.len()
            + usize::from(larger.is_some())
            + usize::from(smaller.is_some());
        let mut tags: Vec<_> =
            tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect();
        if count > 1 {
            let and = LifecycleRuleAndOperator {
                object_size_greater_than: bytes(larger),
                object_size_less_than: bytes(smaller),
                prefix: some(prefix),
                tags: (!tags.is_empty()).then_some(tags),
            };
            return LifecycleRuleFilter { and: Some(and), ..Default::default() };
        }
        LifecycleRuleFilter {
            object_size_greater_than: bytes(larger),
            object_size_less_than: bytes(smaller),
            // Written even when empty: some clients cannot read a filter without content.
            prefix: (count == 0 || !prefix.is_empty()).then_some(prefix),
            tag: tags.pop(),
            ..Default::default()
        }
    };
    let (prefix, filter) = if rule.legacy { (Some(prefix), None) } else { (None, Some(filter(prefix))) };
    LifecycleRule {
        abort_incomplete_multipart_upload: rule
            .abort
            .map(|days| AbortIncompleteMultipartUpload { days_after_initiation: Some(days) }),
        expiration: expires.then_some(LifecycleExpiration {
            date,
            days: rule.days,
            expired_object_delete_marker: None,
        }),
        filter,
        id: Some(rule.id),
        noncurrent_version_expiration: None,
        noncurrent_version_transitions: None,
        prefix,
        status: ExpirationStatus::from_static(if rule.enabled {
            ExpirationStatus::ENABLED
        } else {
            ExpirationStatus::DISABLED
        }),
        transitions: None,
    }
}

impl Gateway {
    pub(super) async fn get_bucket_lifecycle_configuration(
        &self,
        req: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let rules: Option<Vec<Rule>> =
            self.run(move |store| store.index.subresource(&req.input.bucket, Kind::Lifecycle)).await?;
        let rules = rules
            .ok_or_else(|| s3_error!(NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist"))?;
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(rules.into_iter().map(written).collect()),
            transition_default_minimum_object_size: None,
        }))
    }

    pub(super) async fn put_bucket_lifecycle_configuration(
        &self,
        req: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let input = req.input;
        let rules = checked(input.lifecycle_configuration.ok_or_else(malformed)?.rules)?;
        self.run(move |store| store.index.put_subresource(&input.bucket, Kind::Lifecycle, &rules)).await?;
        Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
    }

    pub(super) async fn delete_bucket_lifecycle(
        &self,
        req: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
        self.run(move |store| store.index.delete_subresource(&req.input.bucket, Kind::Lifecycle)).await?;
        Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
    }
}
