//! The problem responses of every route, for the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// Problem documents, by status.
pub(crate) struct Problems;

/// The meaning of each status.
pub(crate) const STATUSES: [(&str, &str); 18] = [
    ("400", "`invalid`: fix the input"),
    ("401", "`denied`: missing or unknown token"),
    ("403", "`denied`: the token's scope or the bucket's policy does not allow this"),
    ("404", "`not_found`: check the name"),
    ("405", "`invalid`: method not allowed"),
    ("408", "`unavailable`: the request was sent too slowly"),
    ("409", "`conflict`: choose another version"),
    ("412", "`conflict`: it does not match `If-Match`"),
    ("413", "`invalid`: the request is too large"),
    ("415", "`invalid`: unsupported media type"),
    ("416", "`invalid`: the range is outside the file"),
    ("421", "`denied`: the service does not answer to this host name"),
    ("429", "`unavailable`: too many requests"),
    ("431", "the request headers are too large"),
    ("500", "`io` or `internal`"),
    ("502", "`corrupt`: the data in the bucket is damaged"),
    ("503", "`unavailable`: try again"),
    ("507", "`unavailable`: no space left for uploads"),
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
