//! Several versions of a model side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use modeldepot::Description;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Path, Query};
use super::problems::Problems;
use super::versions::File;
use crate::auth::Reader;
use crate::catalog::comparison::MOST;
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
        let versions: Vec<&Description> = found.iter().map(|version| &**version).collect();
        let compared = modeldepot::Comparison::of(&versions);
        let metadata = compared.metadata.iter().map(|field| {
            let metric = field.values.iter().flatten().all(|value| value.is_number());
            let values = field.values.iter().map(|value| value.cloned().unwrap_or_default()).collect();
            (field.name.to_owned(), Entry { differs: field.differs(), metric, values })
        });
        let files = compared.files.iter().map(|file| {
            let files = file.files.iter().map(|file| file.map(File::from)).collect();
            (file.path.to_string(), Files { files, differs: file.differs() })
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
