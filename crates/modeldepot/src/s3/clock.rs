//! The server's clock: the only one by which anything is called old.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::Intercept;
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use time::OffsetDateTime;

use super::client::{S3Client, moment};
use super::error::{About, status};
use crate::error::{Error, Result};
use crate::model::name::BucketName;

/// How old an answer may be whose time still counts. A machine that sleeps has a clock that stands still.
const FRESH: Duration = Duration::from_secs(60);

/// Reads the server's time off every answer, so that nobody need ask for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(OffsetDateTime, Instant)>>>);

impl Clock {
    /// Returns the server's time to the second, if it has answered lately.
    fn now(&self) -> Option<OffsetDateTime> {
        let (date, read) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = Some(read.elapsed()).filter(|since| *since < FRESH)?;
        date.checked_add(time::Duration::try_from(since).ok()?)?.replace_nanosecond(0).ok()
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date").and_then(http_date) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
        Ok(())
    }
}

fn http_date(text: &str) -> Option<OffsetDateTime> {
    DateTime::from_str(text, Format::HttpDate).ok().as_ref().and_then(moment)
}

/// What the head of an answer says about the server.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The server's time, to the second.
    pub date: Option<OffsetDateTime>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// The media type of the answer.
    pub content_type: Option<String>,
    /// S3's name for the request, which nothing but an S3 service gives.
    pub request_id: Option<String>,
}

/// Reads the head of the answer, which the SDK keeps to itself.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadHead(Arc<Mutex<Head>>);

impl ReadHead {
    /// Returns the head of the last answer.
    pub(super) fn get(&self) -> Head {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Intercept for ReadHead {
    fn name(&self) -> &'static str {
        "ReadHead"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let mut head = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        head.date = headers.get("date").and_then(http_date);
        let text = |name: &str| headers.get(name).map(str::to_owned);
        head.server = text("server");
        head.content_type = text("content-type");
        head.request_id = text("x-amz-request-id");
        Ok(())
    }
}

impl S3Client {
    /// Returns the server's time, to the second.
    pub(crate) async fn server_time(&self, bucket: &BucketName) -> Result<OffsetDateTime> {
        let head = self.head(bucket).await?;
        head.date.ok_or_else(|| Error::Unavailable {
            action: "say what time it is".to_owned(),
            endpoint: self.endpoint().to_owned(),
            source: "the answer has no `Date`".into(),
        })
    }

    /// Returns the server's time, to the second: by its last answer if that was lately, else it is asked.
    pub(crate) async fn now(&self, bucket: &BucketName) -> Result<OffsetDateTime> {
        match self.clock.now() {
            Some(now) => Ok(now),
            None => self.server_time(bucket).await,
        }
    }

    /// Returns what the server says about itself and the time.
    pub(crate) async fn head(&self, bucket: &BucketName) -> Result<Head> {
        let read = ReadHead::default();
        if !self.prefix.is_empty() {
            // A policy for one folder allows to list that folder, and no HEAD of the bucket.
            let list = || self.sdk.small.list_objects_v2().bucket(bucket.as_str()).max_keys(1);
            return match self.asked(|| list().customize().interceptor(read.clone()).send()).await {
                Err(error) if status(&error).is_none() || self.is_beside(&error) => {
                    Err(self.failed(About::bucket("look at", bucket), error))
                }
                _ => Ok(read.get()),
            };
        }
        let head = || self.sdk.small.head_bucket().bucket(bucket.as_str()).customize().interceptor(read.clone());
        match self.asked(|| head().send()).await {
            Err(error) if status(&error).is_none() => Err(self.failed(About::bucket("look at", bucket), error)),
            // A refusal has a head as well.
            _ => Box::pin(self.confirm(bucket)).await.map(|()| read.get()),
        }
    }
}
