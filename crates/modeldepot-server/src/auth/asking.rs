//! The grants of the caller whose request a task works on, so that suggestions do not name models that the caller may
//! not see.

use modeldepot::ModelName;

use super::{Grants, Scope};

tokio::task_local! {
    static ASKING: Grants;
}

/// Runs work on behalf of a caller with these grants.
pub(crate) async fn asking<T>(grants: Grants, work: impl Future<Output = T>) -> T {
    ASKING.scope(grants, work).await
}

/// Returns true if the caller on whose behalf this task runs may see a model. False if there is no caller.
/// not.
pub(crate) fn sees(model: &ModelName) -> bool {
    ASKING.try_with(|grants| grants.allows(Scope::Read, Some(model))).unwrap_or(false)
}
