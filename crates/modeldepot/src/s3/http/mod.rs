//! HTTP under the SDK: connections, proxies' tunnels, certificates, time-outs, the rate limit and what the log may show.

pub(super) mod body;
mod certificates;
pub(super) mod connector;
pub(super) mod dial;
pub(super) mod peer;
mod rate_limit;
mod refusal;
mod secrets;
pub(super) mod timeouts;
