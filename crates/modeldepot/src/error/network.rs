//! Failures on the way to the server, and of the server itself.

use std::time::Duration;

use super::{Cause, Error, ErrorKind, Mark, OtherError};
use crate::Endpoint;
use crate::advice::{Advice, note};
use crate::diagnosis::Unreached;

impl Error {
    /// A server that cannot do it now, or stopped in the middle.
    pub fn unavailable(
        action: &str,
        endpoint: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        OtherError::new(ErrorKind::Unavailable, format!("`{endpoint}` failed to {action}"))
            .because(source)
            .advise(note!("try again; a push or pull can be repeated safely"))
            .marked(Mark::Unavailable)
            .into()
    }

    /// No server answers at the endpoint.
    pub(crate) fn unreachable(endpoint: &str, why: &Unreached, source: impl Into<Cause>) -> Error {
        OtherError::new(ErrorKind::Unavailable, format!("cannot reach the S3 endpoint `{endpoint}`"))
            .because(source)
            .advise(why.advice(endpoint))
            .marked(Mark::Unreached)
            .into()
    }

    /// The server took the connection, or not even that, and was silent.
    pub(crate) fn no_answer(action: &str, endpoint: &str, within: Duration) -> Error {
        let message = format!("`{endpoint}` did not answer within {} when asked to {action}", spelled(within));
        OtherError::new(ErrorKind::Unavailable, message).advise(Advice::CheckPort).marked(Mark::Silent(within)).into()
    }

    pub(crate) fn no_credentials(endpoint: &str, source: impl Into<Cause>) -> Error {
        OtherError::new(ErrorKind::Denied, format!("no credentials for `{endpoint}`"))
            .because(source)
            .advise(Advice::LogIn)
            .into()
    }

    /// The proxy on the way to the endpoint cannot be reached. It is shown without its login.
    pub(crate) fn proxy_unreachable(proxy: &str, endpoint: &str, source: impl Into<Cause>) -> Error {
        let advice = note!(
            "check {}; hosts in NO_PROXY are reached directly, as in NO_PROXY={}",
            proxy_variable(endpoint),
            host(endpoint)
        );
        let message = format!("cannot reach the proxy `{proxy}` on the way to `{endpoint}`");
        OtherError::new(ErrorKind::Unavailable, message).because(source).advise(advice).marked(Mark::BeyondProxy).into()
    }

    /// The proxy on the way to the endpoint lets nothing through, or wants a login. It is shown without its login, and
    /// `login` says whether it was sent one.
    pub(crate) fn proxy_refused(proxy: &str, endpoint: &str, status: u16, login: bool) -> Error {
        let refused = match status {
            407 if login => format!("on the way to `{endpoint}` does not accept the login: HTTP 407"),
            407 => format!("on the way to `{endpoint}` asks for a login: HTTP 407"),
            502..=504 => format!("cannot reach `{endpoint}`: HTTP {status}"),
            _ => format!("refuses requests to `{endpoint}`: HTTP {status}"),
        };
        let variable = proxy_variable(endpoint);
        let advice = match status {
            407 if login => note!(
                "check user and password in {}: `@`, `:`, `/` and `%` in them are written %40, %3A, %2F and %25",
                variable
            ),
            407 => note!(
                "set its login in {}, as in http://USER:PASSWORD@HOST:PORT (`@`, `:` and `/` in it as %40, %3A and %2F)",
                variable
            ),
            _ => {
                note!("ask for the proxy to let `{0}` through, or reach it directly with NO_PROXY={0}", host(endpoint))
            }
        };
        let kind = if matches!(status, 403 | 407) { ErrorKind::Denied } else { ErrorKind::Unavailable };
        let mark = if matches!(status, 502..=504) { Mark::BeyondProxy } else { Mark::Nothing };
        OtherError::new(kind, format!("the proxy `{proxy}` {refused}")).advise(advice).marked(mark).into()
    }
}

/// Spells a time as a setting does.
fn spelled(time: Duration) -> String {
    if time.subsec_millis() > 0 { format!("{} ms", time.as_millis()) } else { format!("{} s", time.as_secs()) }
}

/// Returns the variable that names the proxy to an endpoint.
fn proxy_variable(endpoint: &str) -> &'static str {
    if endpoint.starts_with("http://") { "HTTP_PROXY or ALL_PROXY" } else { "HTTPS_PROXY or ALL_PROXY" }
}

fn host(endpoint: &str) -> String {
    let endpoint = endpoint.parse::<Endpoint>().ok();
    endpoint.and_then(|endpoint| endpoint.url().host_str().map(str::to_owned)).unwrap_or_default()
}
