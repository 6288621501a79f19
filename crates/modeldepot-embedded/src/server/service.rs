//! The path of a request: the checks before the protocol layer, and the answer after it.

use std::sync::Arc;

use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use modeldepot_listen::{Peer, RequestBody};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::StreamingBlob;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use tracing::Instrument as _;

use crate::access::{Logins, Secrets, unknown_key};
use crate::body::bounded::{self, MAX_XML};
use crate::body::budget::{self, CHUNKS};
use crate::body::cdata::Plain;
use crate::body::reframe::{Frames, Reframe};
use crate::body::watch::Watch;
use crate::double::{Double, Dropped};
use crate::front::answers::{self, About};
use crate::front::origin::Front;
use crate::front::seen::{Keys, OnRequest, Seen};
use crate::front::signing::{self, v2};
use crate::front::xml;
use crate::gateway::Gateway;
use crate::gateway::gate::Gate;
use crate::head::{is_form, is_framed, waits_for_continue};
use crate::index::record::now;
use crate::refusal::plain_error;

/// Answers requests.
#[derive(Clone)]
pub(super) struct Service {
    front: Arc<Front>,
    protocol: S3Service,
    /// For requests that bypass the protocol layer.
    gateway: Gateway,
    logins: Arc<Logins>,
}

impl Service {
    pub(super) fn new(front: Front, gateway: Gateway, logins: Arc<Logins>, double: &Double) -> Self {
        let protocol = protocol(gateway.clone(), Arc::clone(&logins), double);
        Self { front: Arc::new(front), protocol, gateway, logins }
    }
}

fn protocol(gateway: Gateway, logins: Arc<Logins>, double: &Double) -> S3Service {
    let mut builder = S3ServiceBuilder::new(gateway);
    builder.set_auth(Secrets(Arc::clone(&logins)));
    builder.set_access(Gate(logins, double.clone()));
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML;
    // Uploads by HTML form are handled before the protocol layer, which would collect them in memory.
    config.post_object_max_file_size = 0;
    config.form_max_fields_size = 64 << 10;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
}

/// Answers a request, and reports it to the log and the callback.
pub(super) async fn observed(
    service: Service,
    double: Double,
    on_request: Option<OnRequest>,
    mut request: Request<RequestBody>,
) -> Result<Response<s3s::Body>, Dropped> {
    let Some(on_request) = on_request else { return answer(service, double, request).await };
    let (seen, keys) = (Seen::of(&request), Keys::default());
    request.extensions_mut().insert(keys.clone());
    let answered = answer(service, double, request).await;
    let (id, status) = match &answered {
        Ok(response) => {
            let id = response.headers().get("x-amz-request-id").and_then(|id| id.to_str().ok());
            (id.unwrap_or_default(), response.status().as_u16())
        }
        Err(_) => ("", 0),
    };
    on_request.tell(&seen.ended(&keys, id, status));
    answered
}

/// Answers a request. An error closes the connection without an answer.
async fn answer(
    service: Service,
    double: Double,
    mut request: Request<RequestBody>,
) -> Result<Response<s3s::Body>, Dropped> {
    let about = About::of(&request);
    let is_preflight = request.method() == Method::OPTIONS;
    answers::forgive(&mut request);
    let span = tracing::error_span!("request", id = about.id);
    let mut response = admitted(service, double, request, &about).instrument(span).await?;
    if !is_preflight || response.status().as_u16() >= 400 {
        about.finish(&mut response);
    }
    xml::repair(&mut response);
    Ok(response)
}

async fn admitted(
    service: Service,
    double: Double,
    request: Request<RequestBody>,
    about: &About,
) -> Result<Response<s3s::Body>, Dropped> {
    if request.extensions().get::<Peer>().is_some_and(|peer| peer.crowded) {
        return Ok(plain_error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."));
    }
    let sender = match service.front.admit(&request) {
        Ok(sender) => sender,
        Err(answer) => return Ok(*answer),
    };
    let front = Arc::clone(&service.front);
    let is_head = request.method() == Method::HEAD;
    let waits = waits_for_continue(request.headers());
    let mut response = double.answer(request, |request| serve(service, request)).await?;
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("modeldepot-embedded"));
    // Before CORS headers list the names of all headers.
    about.stamp(headers);
    // A client that is refused before sending its body does not send it, which leaves the connection unusable. Tell the
    // client, so that it does not find the connection closed at its next request.
    if waits && response.status().as_u16() >= 400 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // The protocol layer answers a ranged GET with 206 but a ranged HEAD with 200.
    if is_head && response.headers().contains_key(header::CONTENT_RANGE) && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    front.finish(&sender, &mut response);
    Ok(response)
}

/// Refuses by the head alone, before waiting for a body: a signature for another service is otherwise checked after it.
fn check_head(logins: &Logins, request: &Request<RequestBody>) -> S3Result<()> {
    let query = request.uri().query().unwrap_or_default();
    signing::check(request.headers(), query)?;
    if v2::is_link(query) {
        let link = v2::Link::read(request.method(), request.uri(), request.headers(), now())?;
        let (secret, _) = logins.find(&link.access_key).ok_or_else(unknown_key)?;
        link.verify(&secret)?;
    }
    check_conditions(request)?;
    answers::require_length(request)
}

/// Refuses a write with an unreadable condition: ignoring it would overwrite any existing object.
fn check_conditions(request: &Request<RequestBody>) -> S3Result<()> {
    let unread = |value: &HeaderValue| value.to_str().map_or(true, |text| text.trim().is_empty());
    let conditions = [header::IF_MATCH, header::IF_NONE_MATCH];
    let is_write = [Method::PUT, Method::POST, Method::DELETE].contains(request.method());
    if is_write && conditions.iter().any(|name| request.headers().get_all(name).iter().any(unread)) {
        return Err(s3_error!(InvalidArgument, "If-Match and If-None-Match must hold entity tags"));
    }
    Ok(())
}

async fn serve(service: Service, request: Request<RequestBody>) -> Response<s3s::Body> {
    if is_form(&request) {
        return service.gateway.form(&service.logins, request).await;
    }
    if let Err(error) = check_head(&service.logins, &request) {
        let status = error.status_code().unwrap_or(StatusCode::BAD_REQUEST);
        return plain_error(status, error.code().as_str(), error.message().unwrap_or_default());
    }
    let is_chunked = is_framed(request.headers());
    let watch = Watch::default();
    let is_gathered = bounded::is_gathered(&request);
    let request: Request<s3s::Body> = if is_chunked && is_gathered {
        let request = bounded::bound(request, watch.clone(), &budget::XML);
        request.map(|body| StreamingBlob::wrap(Plain::new(Reframe::new(body, &CHUNKS), watch.clone())).into())
    } else if is_chunked {
        request.map(|body| StreamingBlob::wrap(Reframe::new(Frames(body), &CHUNKS)).into())
    } else if is_gathered {
        let request = bounded::bound(request, watch.clone(), &budget::XML);
        request.map(|body| StreamingBlob::wrap(Plain::new(body, watch.clone())).into())
    } else {
        request.map(s3s::Body::http_body)
    };
    let answer = service.protocol.call(request).await.unwrap_or_else(|error| {
        tracing::error!(?error, "the protocol layer failed");
        plain_error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "Please try again")
    });
    watch.answer().unwrap_or(answer)
}
