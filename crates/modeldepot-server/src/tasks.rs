//! Tasks that outlive the request that started them.

use modeldepot::ErrorKind;
use tokio::task::JoinError;

use crate::problem::Problem;

/// Returns what a task returned. One that panicked is a failure of this request alone, which is answered like any other.
pub(crate) fn joined<T>(result: Result<T, JoinError>) -> Result<T, Problem> {
    result.map_err(|error| match error.is_panic() {
        true => broken(),
        false => Problem::new(ErrorKind::Unavailable, "the service is stopping"),
    })
}

/// The problem of work that panicked.
pub(crate) fn broken() -> Problem {
    Problem::new(ErrorKind::Internal, "the service failed while processing this request")
        .hint("please report it, with the panic in the log of the service")
}
