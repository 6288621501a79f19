//! A compact cache of metadata: sorting ten thousand versions by a metric does not read ten thousand manifests twice.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use modeldepot::{ModelName, Version, VersionSummary};
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};
use time::OffsetDateTime;

/// The most facts of one version. More than that is data, not a description.
const MOST: usize = 64;

/// The longest text that is kept.
const LONGEST: usize = 256;

/// The most versions whose facts are kept, over all models: about 25 MB.
const VERSIONS: usize = 50_000;

/// The most names of facts that are shared between versions.
const NAMES: usize = 10_000;

/// A metadata field that is not a list or object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Number(Number),
    Flag(bool),
    Text(Box<str>),
}

impl Fact {
    /// Returns the number.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Fact::Number(number) => number.as_f64(),
            _ => None,
        }
    }
}

impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Fact::Number(number) => number.serialize(serializer),
            Fact::Flag(flag) => flag.serialize(serializer),
            Fact::Text(text) => text.serialize(serializer),
        }
    }
}

/// The facts of a version, in the order of its metadata.
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

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// The facts of a model's versions, each with its publication time: facts of another publication are not used.
type OfModel = HashMap<Version, (Option<OffsetDateTime>, Arc<Facts>)>;

/// The facts of all versions read so far.
#[derive(Default)]
pub(super) struct Known {
    models: HashMap<ModelName, (u64, OfModel)>,
    names: HashSet<Arc<str>>,
    versions: usize,
    clock: u64,
}

impl Known {
    pub(super) fn get(&mut self, model: &ModelName, version: &VersionSummary) -> Option<Arc<Facts>> {
        let (used, versions) = self.models.get_mut(model)?;
        self.clock += 1;
        *used = self.clock;
        let (published, facts) = versions.get(&version.version)?;
        (*published == version.published).then(|| Arc::clone(facts))
    }

    pub(super) fn add(
        &mut self,
        model: &ModelName,
        version: &VersionSummary,
        metadata: &Map<String, Value>,
    ) -> Arc<Facts> {
        let mut facts = Vec::new();
        for (name, value) in metadata.iter().filter(|(name, _)| name.len() <= LONGEST).take(MOST) {
            let fact = match value {
                Value::Number(number) => Fact::Number(number.clone()),
                Value::Bool(flag) => Fact::Flag(*flag),
                Value::String(text) if text.len() <= LONGEST => Fact::Text(text.as_str().into()),
                _ => continue,
            };
            facts.push((self.name(name), fact));
        }
        let facts = Arc::new(Facts(facts));
        self.clock += 1;
        let (used, versions) = self.models.entry(model.clone()).or_default();
        *used = self.clock;
        if versions.insert(version.version.clone(), (version.published, Arc::clone(&facts))).is_none() {
            self.versions += 1;
        }
        self.make_room(model);
        facts
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        if self.names.len() < NAMES {
            self.names.insert(Arc::clone(&new));
        }
        new
    }

    /// Drops the least recently used models; if the only model is too large, all of its facts.
    fn make_room(&mut self, but: &ModelName) {
        while self.versions > VERSIONS {
            let others = self.models.iter().filter(|(model, _)| *model != but);
            let oldest = others.min_by_key(|(_, (used, _))| *used).map(|(model, _)| model.clone());
            let oldest = oldest.unwrap_or_else(|| but.clone());
            let Some((_, versions)) = self.models.remove(&oldest) else { return };
            self.versions -= versions.len();
        }
    }

    pub(super) fn forget(&mut self, model: &ModelName) {
        if let Some((_, versions)) = self.models.remove(model) {
            self.versions -= versions.len();
        }
    }
}
