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

use super::sdk_values::moment;

/// How old an answer may be whose time still counts. A machine that sleeps has a clock that stands still.
const FRESH: Duration = Duration::from_secs(60);

/// Reads the server's time off every answer, so that nobody need ask for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(OffsetDateTime, Instant)>>>);

impl Clock {
    /// Returns the server's time to the second, if it has answered lately.
    pub(super) fn now(&self) -> Option<OffsetDateTime> {
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
#[non_exhaustive]
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
