//! The problems that every route may answer with, for the description of the API.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// Problem documents, by status.
pub(crate) struct Problems;

/// What each status says.
pub(crate) const STATUSES: [(&str, &str); 18] = [
    ("400", "`invalid`: fix the input"),
    ("401", "`denied`: no token, or one that is not known"),
    ("403", "`denied`: a token of too small a scope, or what the bucket's policy forbids"),
    ("404", "`not_found`: check the name"),
    ("405", "`invalid`: there is no such method here"),
    ("408", "`unavailable`: the request came too slowly"),
    ("409", "`conflict`: choose another version"),
    ("412", "`conflict`: it is not what `If-Match` names"),
    ("413", "`invalid`: the request is too large"),
    ("415", "`invalid`: the body has another media type"),
    ("416", "`invalid`: no byte of the file lies in the range"),
    ("421", "`denied`: the service is not known by this name"),
    ("429", "`unavailable`: too many requests"),
    ("431", "the head of the request is too large"),
    ("500", "`io` or `internal`"),
    ("502", "`corrupt`: what the bucket holds is damaged"),
    ("503", "`unavailable`: try again"),
    ("507", "`unavailable`: there is no room for what is uploaded"),
];

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let told = STATUSES.iter().filter(|(status, _)| *status != "431").map(|(status, what)| {
            let response =
                ResponseBuilder::new().description(*what).content("application/problem+json", content()).build();
            ((*status).to_owned(), RefOr::T(response))
        });
        told.collect()
    }
}
