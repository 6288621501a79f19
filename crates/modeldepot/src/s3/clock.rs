//! The server's clock, the only one by which ages are measured.

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

/// How old an answer may be for its time to count. The clock of a suspended machine stands still.
const FRESH: Duration = Duration::from_secs(60);

/// Takes the server's time from every answer, so that it rarely has to be requested.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(OffsetDateTime, Instant)>>>);

impl Clock {
    /// Returns the server's time to the second, if it has answered recently.
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

/// What the headers of an answer say about the server.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Head {
    /// The server's time, to the second.
    pub date: Option<OffsetDateTime>,
    /// The server's name for itself.
    pub server: Option<String>,
    /// The media type of the answer.
    pub content_type: Option<String>,
    /// The S3 request id, which only S3 services send.
    pub request_id: Option<String>,
}

/// Captures the headers of an answer, which the SDK does not expose.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadHead(Arc<Mutex<Head>>);

impl ReadHead {
    /// Returns the headers of the last answer.
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
