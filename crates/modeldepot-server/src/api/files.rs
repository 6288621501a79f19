//! The files of a version.

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use headers::{ETag, HeaderMapExt as _};
use modeldepot::s3::disposition;
use modeldepot::{ArtifactPath, Endpoint, ErrorKind, ModelName, StoredFile, Version};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;
use time::OffsetDateTime;
use url::Host;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Path, Query, flag_schema};
use super::problems::Problems;
use super::range::range;
use crate::auth::Reader;
use crate::conditions::{etag, is_known, is_other};
use crate::config::Redirect;
use crate::links;
use crate::problem::{Problem, Result};
use crate::state::App;

/// Files of this size or more are fetched from the S3 endpoint directly, if the client can reach it.
const LARGE: u64 = 16 << 20;

/// Files up to this size are verified before the first byte is sent.
const SMALL: u64 = 1 << 20;

/// Files may be cached if each use is revalidated.
const KEPT: &str = "private, no-cache";

/// Files are untrusted: a browser may do nothing with one.
const FILE_CSP: &str = "default-src 'none'; sandbox";

/// How a file is fetched.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read as it comes")]
struct FileQuery {
    /// Have the service send the file itself, verified part by part, rather than a redirect to the S3 endpoint. Without a
    /// value (`?stream`) it is true.
    #[param(schema_with = flag_schema)]
    stream: Option<bool>,
}

/// The path parameters of a file.
#[derive(Deserialize)]
pub(crate) struct OfFile {
    model: String,
    version: String,
    path: String,
}

impl OfFile {
    pub(crate) fn parse(&self) -> Result<(ModelName, &str, ArtifactPath)> {
        Ok((self.model.parse()?, &self.version, self.path.parse()?))
    }
}

/// Fetch a file
///
/// For a large file the response is a redirect to the S3 endpoint if the client can reach it. Otherwise, or with
/// `stream`, the service sends the file itself and verifies it against the published digest, if there is one: the last
/// bytes of a damaged part are withheld, so the download of a damaged file fails. With `Range`, only parts that lie
/// entirely within the range are verified.
#[utoipa::path(
    operation_id = "get_file",
    get, path = "/api/v1/models/{model}/versions/{version}/files/{path}", tag = "files",
    params(
        ("model" = String, Path),
        ("version" = String, Path, description = "The version, or `latest`"),
        ("path" = String, Path, description = "The path of the file in the version; may contain `/`"),
        FileQuery,
    ),
    responses(
        (status = 200, content_type = "*/*", description = "The file"),
        (status = 206, content_type = "*/*", description = "The range of the file"),
        (status = 302, description = "Redirect to the file on the S3 endpoint"),
        (status = 304, description = "Not modified: it matches `If-None-Match`"),
        Problems,
    ),
)]
pub(crate) async fn get(
    by: Reader,
    State(app): State<App>,
    Path(of): Path<OfFile>,
    query: Query,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let (model, version, path) = of.parse()?;
    let streamed = query.only(&["stream"])?.flag("stream")?;
    let version = app.catalog.resolve(&model, version).await?;
    let found = app.catalog.version(&model, &version).await?;
    let reader = app.storage.open_described(&found, &path)?;
    let file = reader.file().clone();
    let etag = digest(&file);
    if is_other(&headers, etag.as_ref()) {
        return Err(Problem::new(ErrorKind::Conflict, format!("`{path}` does not match `If-Match`"))
            .status(StatusCode::PRECONDITION_FAILED));
    }
    let mut answer =
        Response::builder().header(header::ACCEPT_RANGES, "bytes").header(header::CONTENT_SECURITY_POLICY, FILE_CSP);
    if let (Some(etag), Some(headers_of_answer)) = (&etag, answer.headers_mut()) {
        headers_of_answer.typed_insert(etag.clone());
    }
    if is_known(&headers, etag.as_ref()) {
        return finished(answer.status(StatusCode::NOT_MODIFIED).header(header::CACHE_CONTROL, KEPT), Body::empty());
    }
    if method == Method::GET && !streamed && redirects(&app, &file, peer, &headers) {
        let url = app.storage.link(&found, Some(&path), by.0.life(links::READER_LIFE)).await?;
        let mut location = HeaderValue::try_from(url).map_err(|_| Problem::invalid("the file has no URL"))?;
        location.set_sensitive(true);
        let answer = answer.status(StatusCode::FOUND).header(header::LOCATION, location);
        return finished(answer.header(header::CACHE_CONTROL, "no-store"), Body::empty());
    }
    // A range has a meaning for GET only (RFC 9110, section 14.2).
    let wanted = if method == Method::GET { range(&headers, file.size, etag.as_ref()) } else { Ok(None) };
    let range = wanted.map_err(|()| {
        Problem::invalid(format!("the range is outside `{path}`, which has {} bytes", file.size))
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .value(header::CONTENT_RANGE, format!("bytes */{}", file.size))
    })?;
    answer = answer
        .header(header::CACHE_CONTROL, KEPT)
        .header(header::CONTENT_TYPE, media_type(path.file_name()))
        .header(header::CONTENT_DISPOSITION, disposition("attachment", path.file_name()));
    let (status, span) = match range {
        Some(span) => {
            answer =
                answer.header(header::CONTENT_RANGE, format!("bytes {}-{}/{}", span.start, span.end - 1, file.size));
            (StatusCode::PARTIAL_CONTENT, span)
        }
        None => (StatusCode::OK, 0..file.size),
    };
    let length = span.end - span.start;
    answer = answer.status(status).header(header::CONTENT_LENGTH, length);
    if method == Method::HEAD {
        return finished(answer, Body::empty());
    }
    let sent = app.service.metrics.sent.clone();
    let mut bytes = Box::pin(reader.stream(span).inspect(move |bytes| {
        match bytes {
            Ok(bytes) => drop(sent.inc_by(bytes.len() as u64)),
            // Breaking the connection is the only way left to tell the client.
            Err(error) => tracing::warn!(%error, "a download was aborted"),
        }
    }));
    // Read the first bytes before the answer begins, so that missing data becomes an error response; small files are
    // read whole.
    let mut first = Vec::new();
    let mut taken = 0;
    while taken < length.min(if length <= SMALL { SMALL } else { 1 }) {
        let Some(bytes) = bytes.next().await else { break };
        let bytes = bytes?;
        taken += bytes.len() as u64;
        first.push(Ok(bytes));
    }
    finished(answer, Body::from_stream(stream::iter(first).chain(bytes)))
}

fn finished(answer: axum::http::response::Builder, body: Body) -> Result<Response> {
    answer.body(body).map_err(|error| Problem::new(ErrorKind::Internal, format!("cannot build the response: {error}")))
}

/// Returns true if the client is redirected to the S3 endpoint.
fn redirects(app: &App, file: &StoredFile, peer: SocketAddr, headers: &HeaderMap) -> bool {
    match app.service.redirect {
        Redirect::Always => true,
        Redirect::Never => false,
        Redirect::Auto => file.size >= LARGE && reaches_endpoint(app.storage.client().endpoint(), peer, headers),
    }
}

/// Returns true unless the endpoint's name only means something here: on this machine, or in a container network.
fn reaches_endpoint(endpoint: &str, peer: SocketAddr, headers: &HeaderMap) -> bool {
    let Ok(endpoint) = endpoint.parse::<Endpoint>() else { return false };
    if endpoint.is_loopback() {
        // A proxy on this machine forwards requests of clients elsewhere.
        let proxied = ["forwarded", "x-forwarded-for", "via"].iter().any(|name| headers.contains_key(*name));
        return peer.ip().to_canonical().is_loopback() && !proxied;
    }
    !matches!(endpoint.url().host(), Some(Host::Domain(name)) if !name.contains('.'))
}

/// Returns a file's digest as its ETag. A file without a published digest has none.
fn digest(file: &StoredFile) -> Option<ETag> {
    file.blake3.map(etag).or_else(|| file.md5.map(etag))
}

fn media_type(name: &str) -> String {
    let guessed = mime_guess::from_path(name).first_or_octet_stream();
    match guessed.type_() == "text" {
        true => format!("{}; charset=utf-8", guessed.essence_str()),
        false => guessed.essence_str().to_owned(),
    }
}

/// A presigned link.
#[derive(Serialize, ToSchema)]
pub(crate) struct Link {
    /// The URL, on the S3 endpoint.
    url: String,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires: OffsetDateTime,
}

/// The file to link to, and for how long.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read as it comes")]
struct LinkQuery {
    /// The path of the file. Default: the model file.
    #[param(min_length = 1, max_length = 512)]
    file: Option<String>,
    /// Lifetime of the link in seconds: at most seven days, and at most 15 minutes without the scope `share`. Default:
    /// one hour, or the longest lifetime allowed.
    #[param(minimum = 1, maximum = 604800)]
    expires: Option<u32>,
}

/// Create a link to a file
///
/// Anyone with the link can download the file from the S3 endpoint until it expires, without a token. The link expires
/// no later than the token that created it. Browsers always save the file and never display it.
#[utoipa::path(
    operation_id = "get_link",
    get, path = "/api/v1/models/{model}/versions/{version}/link", tag = "files",
    params(
        ("model" = String, Path),
        ("version" = String, Path, description = "The version, or `latest`"),
        LinkQuery,
    ),
    responses((status = 200, body = Link), Problems),
)]
pub(crate) async fn link(
    by: Reader,
    State(app): State<App>,
    Path(of): Path<super::extract::OfVersion>,
    query: Query,
) -> Result<Response> {
    let query = query.only(&["file", "expires"])?;
    let model = of.model()?;
    let asked = query.one("expires")?.is_some().then(|| query.number("expires", 0, 1..=604_800)).transpose();
    let asked = asked.map_err(|problem| problem.hint("`expires` is a number of seconds: 3600 is one hour"))?;
    let life = links::life(&by.0, &model, asked.map(|seconds| Duration::from_secs(seconds as u64)))?;
    let file: Option<ArtifactPath> = query.one("file")?.map(str::parse).transpose()?;
    let version: Version = app.catalog.resolve(&model, of.version()).await?;
    let found = app.catalog.version(&model, &version).await?;
    let expires = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let url = app.storage.link(&found, file.as_ref(), life).await?;
    let link = Link { url, expires: expires + life };
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(link)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_within_reach() {
        let (here, there) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 1], 1)));
        let none = HeaderMap::new();
        let proxied =
            HeaderMap::from_iter([(header::HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static("x"))]);
        assert!(reaches_endpoint("http://localhost:9000", here, &none));
        assert!(!reaches_endpoint("http://localhost:9000", there, &none));
        assert!(!reaches_endpoint("http://localhost:9000", here, &proxied));
        assert!(reaches_endpoint("https://s3.eu-west-1.amazonaws.com", there, &none));
        assert!(reaches_endpoint("http://10.0.0.9:9000", there, &none));
        assert!(!reaches_endpoint("http://minio:9000", there, &none));
    }
}
