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
    pub(crate) async fn history(&self, model: &ModelName, version: &Version) -> Result<Option<Arc<History>>> {
        let found = self.version(model, version).await?;
        let Some(file) = found.files.iter().find(|file| file.path.file_name().contains("history")) else { return Ok(None) };
        let bytes = self.storage.open_described(&found, &file.path)?.read(|_| {}).await?;
        Ok(History::parse(file.path.file_name(), &bytes).ok().map(Arc::new))
    }
}

/// One entry of a version's metadata.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Number(serde_json::Number),
    Flag(bool),
    Text(Box<str>),
}

impl Fact {
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Fact::Number(number) => number.as_f64(),
            _ => None,
        }
    }
}

/// The facts of one version.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Facts(Vec<(Arc<str>, Fact)>);

impl Facts {
    pub(crate) fn get(&self, name: &str) -> Option<&Fact> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, fact)| fact)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.0.iter().map(|(name, fact)| (&**name, fact))
    }
}

impl Catalog {
    pub(crate) async fn facts(&self, model: &ModelName, versions: &[VersionSummary]) -> Result<Vec<Arc<Facts>>> {
        let mut all = Vec::new();
        for version in versions {
            let metadata = match self.version(model, &version.version).await { Ok(found) => found.manifest.metadata.clone(), Err(_) => Default::default() };
            all.push(Arc::new(Facts::of(&metadata)));
        }
        Ok(all)
    }
}
impl Facts {
    pub(crate) fn of(metadata: &serde_json::Map<String, serde_json::Value>) -> Facts {
            let facts = metadata.iter().filter_map(|(name, value)| {
                let fact = match value {
                    serde_json::Value::Number(number) => Fact::Number(number.clone()),
                    serde_json::Value::Bool(flag) => Fact::Flag(*flag),
                    serde_json::Value::String(text) => Fact::Text(text.as_str().into()),
                    _ => return None,
                };
                Some((name.as_str().into(), fact))
            });
            Facts(facts.collect())
    }
}
impl Catalog {
    pub(crate) async fn known_facts(&self, model: &ModelName, versions: &Arc<Vec<VersionSummary>>, _: std::time::Duration) -> Vec<Option<Arc<Facts>>> {
        self.facts(model, versions).await.unwrap_or_default().into_iter().map(Some).collect()
    }
}
