//! The REST API, version 1: one file per resource.

mod compare;
mod docs;
mod extract;
mod files;
mod jobs;
mod models;
mod names;
mod problems;
mod publish;
mod range;
mod service;
mod uploads;
mod versions;

use crate::table::{DELETE, OPEN, PUBLISH, READ, Table, Takes};

/// Returns the routes of the API.
pub(crate) fn table() -> Table {
    Table::default()
        .get("/api/v1/models", READ, models::list)
        .get("/api/v1/models/{model}/versions", READ, versions::list)
        .post("/api/v1/models/{model}/versions", PUBLISH, Takes::Files, publish::form)
        .get("/api/v1/models/{model}/versions/{version}", READ, versions::one)
        .delete("/api/v1/models/{model}/versions/{version}", DELETE, versions::delete)
        .get("/api/v1/models/{model}/versions/{version}/history", READ, versions::history)
        .get("/api/v1/models/{model}/versions/{version}/link", READ, files::link)
        .post("/api/v1/models/{model}/versions/{version}/verify", READ, Takes::Nothing, jobs::begin)
        .get("/api/v1/models/{model}/versions/{version}/files/{*path}", READ, files::get)
        .put("/api/v1/models/{model}/versions/{version}/files/{*path}", PUBLISH, Takes::File, publish::put)
        .get("/api/v1/models/{model}/compare", READ, compare::compare)
        .post("/api/v1/models/{model}/uploads", PUBLISH, Takes::Json, uploads::begin)
        .delete("/api/v1/uploads/{id}", PUBLISH, uploads::abort)
        .post("/api/v1/uploads/{id}/parts", PUBLISH, Takes::Json, uploads::parts)
        .post("/api/v1/uploads/{id}/complete", PUBLISH, Takes::Nothing, uploads::complete)
        .get("/api/v1/jobs/{id}", READ, jobs::one)
        .get("/api/v1/jobs/{id}/events", READ, jobs::events)
        .get("/api/v1/version", READ, service::version)
        .get("/api/v1/openapi.json", OPEN, docs::openapi)
        .get("/docs", OPEN, docs::get)
        .get("/docs/style.css", OPEN, docs::style)
        .get("/healthz", OPEN, service::health)
        .get("/readyz", OPEN, service::ready)
        .get("/metrics", READ, service::metrics)
}
