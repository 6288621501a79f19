//! The models and versions of the bucket.

use std::sync::Arc;

use modeldepot::history::History;
use modeldepot::{Description, ModelName, ModelStorage, ModelSummary, Result, Selector, Version, VersionSummary};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Catalog {
    storage: ModelStorage,
}

impl Catalog {
    pub(crate) fn new(storage: ModelStorage) -> Catalog {
        Catalog { storage }
    }

    /// Returns the models that have a version, by name.
    pub(crate) async fn models(&self) -> Result<Arc<Vec<ModelSummary>>> {
        self.storage.list_models().await.map(Arc::new)
    }

    /// Returns a model's versions in ascending order.
    pub(crate) async fn versions(&self, model: &ModelName) -> Result<Arc<Vec<VersionSummary>>> {
        self.storage.list_model_versions(model).await.map(Arc::new)
    }

    /// Returns one version in full.
    pub(crate) async fn version(&self, model: &ModelName, version: &Version) -> Result<Arc<Description>> {
        let selector = Selector { model: model.clone(), version: Some(version.clone()) };
        self.storage.describe(&selector).await.map(Arc::new)
    }

    /// Returns the training history of a version, where one of its files is one.
    pub(crate) async fn history(&self, _model: &ModelName, _version: &Version) -> Result<Option<Arc<History>>> {
        Ok(None)
    }
}
