//! Prometheus metrics.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the buckets for durations, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    /// The route's pattern, never the path, which would reveal names and let a scanner create a series for each.
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// Counts bytes that clients upload.
pub(crate) type Received = Counter<u64, AtomicU64>;

/// The metrics.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram>,
    /// Bytes of files sent to clients.
    pub(crate) sent: Counter<u64, AtomicU64>,
    /// Bytes of files received for publishing.
    pub(crate) received: Received,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("modeldepot");
        let requests = Family::default();
        let durations: Family<Route, Histogram> = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let (sent, received) = (Counter::default(), Counter::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        let help = "Time until the response began";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, durations.clone());
        registry.register_with_unit("files_sent", "Streamed to clients", Unit::Bytes, sent.clone());
        registry.register_with_unit("files_received", "Uploaded by clients", Unit::Bytes, received.clone());
        Metrics { registry, requests, durations, sent, received }
    }

    pub(crate) fn answered(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let route = route.unwrap_or("none").to_owned();
        let of_route = Route { route: route.clone() };
        self.requests.get_or_create(&Request { method, route, status: status.as_u16() }).inc();
        self.durations.get_or_create(&of_route).observe(took.as_secs_f64());
    }

    /// Returns the metrics in OpenMetrics format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
            let _ = text.write_str("# EOF\n");
        }
        text
    }
}
