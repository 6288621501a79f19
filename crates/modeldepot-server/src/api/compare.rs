//! Several versions of a model side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use modeldepot::{Description, StoredFile};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Path, Query};
use super::problems::Problems;
use super::versions::File;
use crate::auth::Reader;
use crate::catalog::comparison::{MOST, alike};
use crate::problem::{Problem, Result};
use crate::state::App;

/// Several versions side by side. Lists have one entry per version, in the order of `versions`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Comparison {
    model: String,
    /// The versions, in the order requested.
    versions: Vec<String>,
    /// Size of each in bytes.
    sizes: Vec<u64>,
    /// Every metadata field, by name.
    metadata: BTreeMap<String, Entry>,
    /// Every file, by path.
    files: BTreeMap<String, Files>,
}

/// A metadata field.
#[derive(Serialize, ToSchema)]
struct Entry {
    /// Its value in each version; `null` if missing.
    #[schema(value_type = Vec<Value>)]
    values: Vec<Value>,
    differs: bool,
    /// True if every value is a number.
    metric: bool,
}

/// A file.
#[derive(Serialize, ToSchema)]
struct Files {
    /// The file in each version; `null` if missing.
    files: Vec<Option<File>>,
    differs: bool,
}

/// Which versions.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read as it comes")]
struct CompareQuery {
    /// Two to five versions: `version=1.0&version=1.1`. One may be `latest`.
    #[param(required, style = Form, explode, schema_with = versions_schema)]
    version: Vec<String>,
}

fn versions_schema() -> utoipa::openapi::schema::Array {
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
    let one = ObjectBuilder::new().schema_type(Type::String).pattern(Some(super::names::VERSION));
    ArrayBuilder::new().items(one).min_items(Some(2)).max_items(Some(MOST)).build()
}

/// Compare versions
///
/// Returns their metadata, metrics and differing files.
#[utoipa::path(
    operation_id = "compare_versions",
    get, path = "/api/v1/models/{model}/compare", tag = "versions",
    params(("model" = String, Path), CompareQuery),
    responses((status = 200, body = Comparison), Problems),
)]
pub(crate) async fn compare(
    _: Reader,
    State(app): State<App>,
    Path(model): Path<String>,
    query: Query,
) -> Result<axum::Json<Comparison>> {
    let model = model.parse()?;
    let query = query.only(&["version"])?;
    let names: Vec<&str> = query.all("version").collect();
    if !(2..=MOST).contains(&names.len()) {
        let found = names.len();
        return Err(Problem::invalid(format!("a comparison needs 2 to {MOST} versions, not {found}"))
            .hint("list each one: `?version=1.0&version=1.1`"));
    }
    let mut found: Vec<Arc<Description>> = Vec::new();
    for name in names {
        let version = app.catalog.resolve(&model, name).await?;
        found.push(app.catalog.version(&model, &version).await?);
    }
    Ok(axum::Json(Comparison::of(&found)))
}

impl Comparison {
    fn of(found: &[Arc<Description>]) -> Comparison {
        let names: BTreeSet<&String> = found.iter().flat_map(|version| version.manifest.metadata.keys()).collect();
        let metadata = names.into_iter().map(|name| {
            let values = found.iter().map(|version| version.manifest.metadata.get(name));
            let metric = values.clone().flatten().all(Value::is_number);
            let values: Vec<Value> = values.map(|value| value.cloned().unwrap_or_default()).collect();
            (name.clone(), Entry { differs: values.windows(2).any(|two| two[0] != two[1]), metric, values })
        });
        let paths: BTreeSet<_> = found.iter().flat_map(|version| version.files.iter().map(|file| &file.path)).collect();
        let files = paths.into_iter().map(|path| {
            let files: Vec<Option<&StoredFile>> =
                found.iter().map(|version| version.files.iter().find(|file| file.path == *path)).collect();
            let differs = files.windows(2).any(|two| !alike(two[0], two[1]));
            (path.to_string(), Files { files: files.into_iter().map(|file| file.map(File::from)).collect(), differs })
        });
        Comparison {
            model: found.first().map(|version| version.manifest.model_name.to_string()).unwrap_or_default(),
            versions: found.iter().map(|version| version.manifest.version.to_string()).collect(),
            sizes: found.iter().map(|version| version.size()).collect(),
            metadata: metadata.collect(),
            files: files.collect(),
        }
    }
}
