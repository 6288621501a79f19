//! Whose request a task works on, for what is said of other models on the way: suggestions must name none that the caller
//! may not see.

use modeldepot::ModelName;

use super::{Grants, Scope};

tokio::task_local! {
    static ASKING: Grants;
}

/// Works on the request of a caller of these grants.
pub(crate) async fn asking<T>(grants: Grants, work: impl Future<Output = T>) -> T {
    ASKING.scope(grants, work).await
}

/// Returns true when the caller of the request that this task works on may see a model. Where that is not known they may
/// not.
pub(crate) fn sees(model: &ModelName) -> bool {
    ASKING.try_with(|grants| grants.allows(Scope::Read, Some(model))).unwrap_or(false)
}
