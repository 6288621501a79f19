//! The audit log of requests that change something or were refused, and the access log of all requests.
//!
//! [`record`] is the outermost layer but one. What it cannot see of a request, such as the caller and the model, is
//! recorded in the request's [`Note`] by the code that finds it out.

mod line;
mod note;
mod sent;
mod sink;

use axum::http::{Method, StatusCode};

pub(crate) use self::note::{Note, Unanswered};
pub(crate) use self::sent::Sent;
pub use self::sink::{Log, LogTarget};

/// The logs of a service, if configured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    pub(crate) audit: Option<Log>,
    pub(crate) access: Option<Log>,
}

impl Logs {
    /// Waits until all lines so far are written, for at most `patience` per log.
    pub(crate) fn flush(&self, patience: std::time::Duration) {
        for log in self.audit.iter().chain(&self.access) {
            log.flush(patience);
        }
    }

    /// Reopens the files whenever the process gets SIGHUP.
    #[cfg(unix)]
    pub(crate) async fn reopen_on_hangup(self) {
        let files: Vec<Log> = self.audit.into_iter().chain(self.access).filter(Log::is_file).collect();
        // Without a file, leave the signal's default action.
        if files.is_empty() {
            return;
        }
        let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            files.iter().for_each(Log::reopen);
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn reopen_on_hangup(self) {}
}

/// Returns the audit log's name for a request; `None` if it is only logged when refused.
fn action(method: &Method, route: &str) -> Option<String> {
    let name = match (method.as_str(), route) {
        ("GET" | "HEAD", route) if route.ends_with("/link") => "share",
        // The return from a login provider is a GET.
        ("GET", route) if route.ends_with("/callback") => "login",
        _ if method.is_safe() => return None,
        ("POST", "/api/v1/models/{model}/versions") | ("PUT", _) => "publish",
        ("POST", "/api/v1/models/{model}/uploads") => "upload.begin",
        ("POST", "/api/v1/uploads/{id}/parts") => "upload.parts",
        ("POST", "/api/v1/uploads/{id}/complete") => "upload.complete",
        ("DELETE", "/api/v1/uploads/{id}") => "upload.abort",
        ("POST", "/buckets/{bucket}/upload") => "objects.store",
        ("POST", "/buckets/{bucket}/delete") => "objects.delete",
        ("DELETE", "/api/v1/models/{model}/versions/{version}") => "delete",
        ("POST", route) if route.ends_with("/delete") => "delete",
        ("POST", route) if route.ends_with("/verify") => "verify",
        ("POST", route) if route.ends_with("/share") || route.ends_with("/link") => "share",
        ("POST", "/login") => "login",
        ("POST", "/logout") => "logout",
        ("POST", "/health/probe") => "probe",
        (method, route) => return Some(format!("{method} {route}")),
    };
    Some(name.to_owned())
}

/// Returns true if the answer is that access is denied.
fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::MISDIRECTED_REQUEST
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every route that changes something has its own name in the log.
    #[test]
    fn every_route_that_changes_something_has_a_name() {
        for route in crate::router::routes() {
            let method: Method = route.method.parse().unwrap();
            let name = action(&method, route.path);
            assert_eq!(
                name.is_some(),
                !route.is_safe() || route.path.ends_with("/link") || route.path.ends_with("/callback"),
                "{route:?}"
            );
            assert!(
                name.is_none_or(|name| !name.contains(' ')),
                "{route:?} has no name in the audit log: add it to `action`"
            );
        }
    }
}
