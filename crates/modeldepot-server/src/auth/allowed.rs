//! Extractors that only succeed for callers with the right scope.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use modeldepot::ErrorKind;

use super::{About, Caller, Gate, Scope};
use crate::problem::{Problem, Result};

/// A right, as a type.
pub(crate) trait Right {
    const SCOPE: Scope;
}

/// To see and fetch.
pub(crate) struct ToRead;
/// To publish.
pub(crate) struct ToPublish;
/// To delete.
pub(crate) struct ToDelete;

impl Right for ToRead {
    const SCOPE: Scope = Scope::Read;
}
impl Right for ToPublish {
    const SCOPE: Scope = Scope::Publish;
}
impl Right for ToDelete {
    const SCOPE: Scope = Scope::Delete;
}

/// A caller with a right.
pub(crate) struct Allowed<R: Right>(pub(crate) Caller, PhantomData<R>);

/// A caller who may see and fetch.
pub(crate) type Reader = Allowed<ToRead>;
/// A caller who may publish.
pub(crate) type Publisher = Allowed<ToPublish>;
/// A caller who may delete.
pub(crate) type Deleter = Allowed<ToDelete>;

impl<R: Right + Send, S: Sync> FromRequestParts<S> for Allowed<R>
where
    Arc<Gate>: FromRef<S>,
{
    type Rejection = Problem;

    /// Takes the caller that `admit` has authorized for the route. If there is none, the route is missing from the
    /// table, and nobody may call it.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let caller =
            caller.ok_or_else(|| Problem::new(ErrorKind::Internal, "this route does not say who may call it"))?;
        let about = parts.extensions.get::<About>().cloned().unwrap_or(About::Whole);
        Ok(Allowed(Arc::<Gate>::from_ref(state).allow(caller, R::SCOPE, &about)?, PhantomData))
    }
}
