//! Determines the client of a request, and whether its connection is encrypted.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use modeldepot_listen::Peer;

use crate::guard::is_loopback_name;
use crate::remote::{Encrypted, Remote};
use crate::state::App;

/// One year, as is usual. Not for subdomains, which may not have HTTPS.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Returns true for names that all services on a machine share, whatever their port: one of them must not decide for
/// the others.
fn is_of_this_machine(host: &HeaderValue) -> bool {
    host.to_str().is_ok_and(is_loopback_name)
}

/// The middleware.
pub(crate) async fn remote(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let mut encrypted = peer.is_some_and(|peer| peer.encrypted);
    if let Some(peer) = peer.map(|peer| peer.address.ip()) {
        let proxies = &app.service.proxies;
        let remote = proxies.client(peer, request.headers());
        encrypted = encrypted || proxies.encrypted(peer, request.headers());
        request.extensions_mut().insert(Remote(remote));
    }
    request.extensions_mut().insert(Encrypted(encrypted));
    let pinned = encrypted && request.headers().get(header::HOST).is_some_and(|host| !is_of_this_machine(host));
    let mut response = next.run(request).await;
    if pinned {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if encrypted {
        secure(response.headers_mut());
    }
    response
}

/// Restricts cookies that are set over HTTPS to HTTPS.
fn secure(headers: &mut HeaderMap) {
    let cookies: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        let is_secure = cookie.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("; secure"));
        let secured = HeaderValue::try_from([cookie.as_bytes(), b"; Secure"].concat());
        let mut secured = if is_secure { cookie } else { secured.unwrap_or(cookie) };
        secured.set_sensitive(true);
        headers.append(header::SET_COOKIE, secured);
    }
}
