//! Compresses responses where it pays and is safe: JSON, metrics, the stylesheet and the script.
//!
//! Never compressed are files, whose ranges and digests are of their bytes, and responses with `Cache-Control:
//! no-store` and pages, in which a secret may stand next to text that someone else chose (BREACH).

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// Smaller responses fit into one packet.
const WORTH_IT: SizeAbove = SizeAbove::new(1400);

/// The media types that are compressed.
const TYPES: [&str; 4] = ["application/json", "application/openmetrics-text", "text/css", "text/javascript"];

/// Decides which responses are compressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compressible;

impl Predicate for Compressible {
    fn should_compress<B: HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        let headers = response.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        TYPES.contains(&media_type.as_str())
            && !text(CACHE_CONTROL).contains("no-store")
            && !headers.contains_key(ACCEPT_RANGES)
            && WORTH_IT.should_compress(response)
    }
}

/// Returns the compression layer.
pub(crate) fn compression() -> CompressionLayer<Compressible> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(Compressible)
}

/// The middleware around [`compression`]. Only GET reaches it, because the layer answers 406 if a client accepts no
/// known encoding, even after something was published, and removes the length from the answer to a HEAD. It also
/// weakens the ETag of a compressed response, whose bytes differ from others with that ETag.
pub(crate) async fn encoded(mut request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    let mut response = next.run(request).await;
    weaken(response.headers_mut());
    response
}

fn weaken(headers: &mut HeaderMap) {
    let strong = |etag: &&HeaderValue| !etag.as_bytes().starts_with(b"W/");
    if let Some(etag) = headers.get(ETAG).filter(strong).filter(|_| headers.contains_key(CONTENT_ENCODING))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn response(headers: &[(HeaderName, &'static str)], size: usize) -> axum::http::Response<Body> {
        let mut response = Response::new(Body::from(vec![b'x'; size]));
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    #[test]
    fn only_what_is_worth_it_and_safe_is_compressed() {
        let json = (CONTENT_TYPE, "application/json");
        let compressed =
            |headers: &[(HeaderName, &'static str)], size| Compressible.should_compress(&response(headers, size));
        assert!(compressed(std::slice::from_ref(&json), 10_000));
        assert!(compressed(&[(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], 10_000));
        assert!(compressed(&[json.clone(), (CACHE_CONTROL, "private, no-cache")], 10_000));
        assert!(!compressed(std::slice::from_ref(&json), 100), "it is small");
        assert!(!compressed(&[json.clone(), (CACHE_CONTROL, "no-store")], 10_000), "it may hold a secret");
        assert!(!compressed(&[json, (ACCEPT_RANGES, "bytes")], 10_000), "it is a file");
        for other in ["text/html; charset=utf-8", "application/octet-stream", "text/event-stream", "image/png"] {
            assert!(!compressed(&[(CONTENT_TYPE, other)], 10_000), "{other}");
        }
    }

    #[test]
    fn the_etag_of_a_compressed_response_is_weak() {
        let of = |headers: &[(HeaderName, &'static str)]| {
            let mut headers = response(headers, 1).headers().clone();
            weaken(&mut headers);
            headers.get(ETAG).cloned()
        };
        assert_eq!(of(&[(ETAG, "\"e\""), (CONTENT_ENCODING, "gzip")]).unwrap(), "W/\"e\"");
        assert_eq!(of(&[(ETAG, "W/\"e\""), (CONTENT_ENCODING, "gzip")]).unwrap(), "W/\"e\"");
        assert_eq!(of(&[(ETAG, "\"e\"")]).unwrap(), "\"e\"");
        assert_eq!(of(&[(CONTENT_ENCODING, "gzip")]), None);
    }
}
