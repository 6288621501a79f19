//! CSRF tokens: where pages send them, and the response if one is missing.

use modeldepot::ErrorKind;

use crate::problem::Problem;

/// The header in which pages send the CSRF token.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";

/// The form field that carries the CSRF token.
pub(crate) const CSRF_FIELD: &str = "csrf";

/// Marks a request whose multipart form must begin with the caller's CSRF token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CsrfPending;

/// The error response to a request that may come from a page of another site.
pub(crate) fn csrf_missing() -> Problem {
    Problem::new(ErrorKind::Denied, "this request did not come from a page of this service")
        .hint("reload the page and submit its form again")
}
