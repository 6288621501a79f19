//! Shared state of all handlers.

use std::sync::Arc;

use axum::extract::FromRef;
use modeldepot::{ModelStorage, Settings};

use crate::auth::Gate;
use crate::catalog::Catalog;
use crate::config::Redirect;
use crate::doctor::Doctor;
use crate::guard::Guard;
use crate::jobs::Jobs;
use crate::log::Logs;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::oidc::Provider;
use crate::readiness::Readiness;
use crate::remote::Proxies;
use crate::staging::Staging;
use crate::uploads::Uploads;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) storage: ModelStorage,
    pub(crate) catalog: Catalog,
    pub(crate) service: Arc<Service>,
}

/// What exists once per service.
pub(crate) struct Service {
    pub(crate) settings: Settings,
    pub(crate) gate: Arc<Gate>,
    pub(crate) guard: Guard,
    /// The login provider.
    pub(crate) oidc: Option<Provider>,
    pub(crate) proxies: Proxies,
    pub(crate) logins: Logins,
    pub(crate) readiness: Readiness,
    pub(crate) jobs: Jobs,
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) metrics: Metrics,
    pub(crate) logs: Logs,
    pub(crate) redirect: Redirect,
    /// Stores uploads until they are published.
    pub(crate) staging: Arc<Staging>,
    pub(crate) doctor: Option<Doctor>,
    /// Whether upload URLs are issued even if their holder can copy other objects with them.
    pub(crate) unsafe_upload_urls: bool,
}

impl FromRef<App> for Arc<Gate> {
    fn from_ref(app: &App) -> Arc<Gate> {
        Arc::clone(&app.service.gate)
    }
}
