//! Tasks that outlive the request that started them.

use modeldepot::ErrorKind;
use tokio::task::JoinError;

use crate::problem::Problem;

/// Returns the result of a task. If it panicked, only this request fails, with an ordinary error response.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> Result<T, Problem> {
    result.map_err(|error| match error.is_panic() {
        true => broken(),
        false => Problem::new(ErrorKind::Unavailable, "the service is stopping"),
    })
}

/// The error response for work that panicked.
pub(crate) fn broken() -> Problem {
    Problem::new(ErrorKind::Internal, "the service failed while processing this request")
        .hint("please report it, with the panic in the log of the service")
}
