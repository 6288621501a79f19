//! What every handler holds.

use modeldepot::ModelStorage;

use crate::catalog::Catalog;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) storage: ModelStorage,
    pub(crate) catalog: Catalog,
}
