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

/// The middleware around [`compression`]. The layer answers 406 to a client that accepts no encoding it knows, even
/// after something was published and in place of any refusal, and removes the length from the answer to a HEAD. So it
/// sees no more than that a GET may be answered in gzip. Others get the plain bytes, even if they refuse those too, as
/// RFC 9110, section 12.5.3, allows.
///
/// It also weakens the ETag of a compressed response, whose bytes differ from others with that ETag.
pub(crate) async fn encoded(mut request: Request, next: Next) -> Response {
    let gzip = request.method() == Method::GET && prefers_gzip(request.headers());
    let headers = request.headers_mut();
    headers.remove(ACCEPT_ENCODING);
    if gzip {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut response = next.run(request).await;
    weaken(response.headers_mut());
    response
}

/// Returns true if a client accepts gzip, and does not prefer plain bytes.
fn prefers_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for item in
        headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','))
    {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let Some(weight) = weight_of(weight.trim()) else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = gzip.max(Some(weight)),
            "*" => any = any.max(Some(weight)),
            "identity" => identity = identity.max(Some(weight)),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or_default();
    gzip > 0 && gzip >= identity.unwrap_or_default()
}

/// Reads a weight such as `q=0.5`, in thousandths.
fn weight_of(text: &str) -> Option<u16> {
    let number = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if !matches!(whole, "0" | "1") || part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{part:0<3}").parse().ok().filter(|weight| *weight <= 1000)
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
    fn gzip_is_only_for_those_who_accept_it() {
        let prefers = |lines: &[&'static str]| {
            prefers_gzip(&lines.iter().map(|line| (ACCEPT_ENCODING, HeaderValue::from_static(line))).collect())
        };
        for yes in ["gzip", "GZIP", "x-gzip", "*", "br, gzip;q=0.001", "identity;q=0.5, *", "gzip ; q=1.000, identity"]
        {
            assert!(prefers(&[yes]), "{yes}");
        }
        for no in ["", "br", "identity", "identity;q=0", "*;q=0", "gzip;q=0", "gzip;q=0, *", "gzip;q=0.5, identity"] {
            assert!(!prefers(&[no]), "{no}");
        }
        for malformed in ["gzip;q=", "gzip;q=abc", "gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;level=1"] {
            assert!(!prefers(&[malformed]), "{malformed}");
        }
        assert!(prefers(&["br", "gzip"]) && !prefers(&[]));
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
