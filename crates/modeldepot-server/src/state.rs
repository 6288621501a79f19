//! What every handler holds.

use modeldepot::ModelStorage;

use crate::catalog::Catalog;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) storage: ModelStorage,
    pub(crate) catalog: Catalog,
    pub(crate) service: std::sync::Arc<Service>,
}

/// What there is one of.
pub(crate) struct Service {
    pub(crate) settings: modeldepot::Settings,
    pub(crate) staging: std::path::PathBuf,
    pub(crate) doctor: Option<crate::doctor::Doctor>,
}
