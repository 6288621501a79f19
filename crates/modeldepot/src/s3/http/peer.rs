//! What is at the other end of the connections: S3, or something else.
//!
//! Until the peer has answered once as S3 does, an answer that S3 would not give is looked at, and a connection that
//! fails is looked into: by one more short request that shows no login, once in a while at most. Afterwards a strange
//! answer is an incident on the way, to be tried again as any other.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::header::CONTENT_LENGTH;
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::body::Arriving;
use super::secrets::{Secrets, text};
use crate::diagnosis::{Content, Page, Spoken, Stranger, TlsFault, TlsSaid, is_s3_error, spoken, wants_tls};

/// How long what was found out holds.
const FRESH: Duration = Duration::from_secs(30);

/// How long one more request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest error of S3. What is longer is none, and is not read to its end.
const LONGEST: usize = 64 * 1024;

/// The most that is read of an answer to it.
const READ: usize = 16 * 1024;

/// Ends a request: no S3 API is there, and to ask again would show the same.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::s3) struct Foreign(pub(in crate::s3) Stranger);

/// Ends a request: no TLS connection comes about, and to ask again would show the same.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::s3) struct NoTls(pub(in crate::s3) TlsFault);

/// What is known of the other end. Shared by all clients of one endpoint.
#[derive(Debug, Default)]
pub(in crate::s3) struct Peer {
    is_s3: AtomicBool,
    /// What the last look found, and when.
    looked: Mutex<Option<(Instant, Option<Stranger>)>>,
}

/// How far a connection came that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::s3) enum Connection {
    /// There was none, or it ended on this side.
    None,
    /// It was taken, and ended before it could be used.
    Begun,
    /// It was used.
    Used,
}

/// An answer whose body is here, or still comes.
pub(in crate::s3) enum Heard {
    Whole(Response<Bytes>),
    Coming(Box<Response<Arriving>>),
}

/// Sends one more request without a login, for what a `GET` of this path brings.
pub(in crate::s3) type Asks<'a> =
    &'a (dyn Fn(Uri) -> Pin<Box<dyn Future<Output = Option<Response<Arriving>>> + Send + 'a>> + Send + Sync);

impl Peer {
    /// Returns true once it has answered as S3 does.
    pub(in crate::s3) fn is_s3(&self) -> bool {
        self.is_s3.load(Ordering::Relaxed)
    }

    fn knows(&self) {
        self.is_s3.store(true, Ordering::Relaxed);
    }

    /// Looks at an answer, and refuses one that S3 would not give.
    pub(in crate::s3) async fn hears(
        &self,
        method: &Method,
        uri: &Uri,
        mut answer: Response<Arriving>,
        secrets: &Secrets,
        asks: Asks<'_>,
    ) -> Result<Heard, ConnectorError> {
        if !self.is_s3() {
            // Of what is not S3, all that is shown comes from here.
            secrets.hide_in_headers(answer.headers_mut());
        }
        let headers = answer.headers();
        // moto says `text/html` of answers that are empty, as S3's are to what stores or deletes.
        let empty = *method != Method::HEAD && answer.body().size_hint().exact() == Some(0);
        if is_s3s(method, headers, empty) {
            self.knows();
        }
        if self.is_s3() {
            return Ok(Heard::Coming(Box::new(answer)));
        }
        let status = answer.status();
        if status.is_redirection()
            && let Some(to) = text(headers, "location")
        {
            return Err(foreign(Stranger::redirect(status.as_u16(), &uri.to_string(), to)));
        }
        match suspicion(method, status, headers, empty) {
            Suspicion::None => return Ok(Heard::Coming(Box::new(answer))),
            Suspicion::Head => {
                let Some(stranger) = self.asked(uri, status.as_u16(), secrets, asks).await else {
                    return Ok(Heard::Coming(Box::new(answer)));
                };
                return Err(foreign(stranger));
            }
            Suspicion::Body => {}
        }
        let (mut head, body) = answer.into_parts();
        let body = match read(body, LONGEST).await {
            Ok(body) => body,
            // Go's servers take no more of a request in plain HTTP than shows that it is none in TLS, and what they answer is
            // lost when the connection is reset for the rest.
            Err(error) => {
                return Err(self.look(uri).await.map_or_else(|| ConnectorError::other(error, None), foreign));
            }
        };
        let body = secrets.hide_bytes(body);
        if is_s3_error(&body) && !Page::read(status.as_u16(), |name| text(&head.headers, name), &body).is_known() {
            self.knows();
            head.headers.remove(CONTENT_LENGTH);
            return Ok(Heard::Whole(Response::from_parts(head, body)));
        }
        if uri.scheme_str() == Some("http") && wants_tls(status.as_u16(), &String::from_utf8_lossy(&body)) {
            return Err(foreign(Stranger::Tls));
        }
        let mut page = Page::read(status.as_u16(), |name| text(&head.headers, name), &body);
        if page.is_nameless() {
            self.name(&mut page, uri, secrets, asks).await;
        }
        Err(foreign(Stranger::Page(page)))
    }

    /// Asks for what a `HEAD` could not show. None when that is S3's.
    async fn asked(&self, uri: &Uri, refused: u16, secrets: &Secrets, asks: Asks<'_>) -> Option<Stranger> {
        let (status, headers, body) = short(asks(uri.clone()), secrets).await?;
        if is_s3_error(&body) || is_s3s(&Method::GET, &headers, body.is_empty()) {
            self.knows();
            return None;
        }
        if uri.scheme_str() == Some("http") && wants_tls(status, &String::from_utf8_lossy(&body)) {
            return Some(Stranger::Tls);
        }
        let page = Page { status: refused, ..Page::read(status, |name| text(&headers, name), &body) };
        // With less to go by it may be a server of S3 that says little.
        let tells = page.is_known() || matches!(page.content, Content::Html | Content::Json | Content::Text);
        tells.then_some(Stranger::Page(page))
    }

    /// Asks for the first page of a server whose answer does not say what it is.
    async fn name(&self, page: &mut Page, uri: &Uri, secrets: &Secrets, asks: Asks<'_>) {
        let first = Uri::builder().scheme(uri.scheme_str().unwrap_or("http"));
        let Some(authority) = uri.authority() else { return };
        let Ok(first) = first.authority(authority.clone()).path_and_query("/").build() else { return };
        if let Some((status, headers, body)) = short(asks(first), secrets).await {
            let other = Page::read(status, |name| text(&headers, name), &body);
            page.product = other.product;
        }
    }

    /// Explains a connection that failed, or brought no answer, with what TLS said of it. None when nothing is known.
    pub(in crate::s3) async fn explained(
        &self,
        uri: &Uri,
        said: Option<TlsSaid>,
        lost: Connection,
    ) -> Option<ConnectorError> {
        if self.is_s3() {
            return None;
        }
        if let Some(TlsSaid::Fault(fault)) = said {
            return Some(ConnectorError::other(NoTls(fault).into(), None));
        }
        let not_tls = matches!(said, Some(TlsSaid::NotTls));
        if !not_tls && lost == Connection::None {
            return None;
        }
        match self.look(uri).await {
            Some(stranger) => Some(foreign(stranger)),
            None if not_tls => Some(foreign(Stranger::NotTls)),
            None if lost == Connection::Begun && uri.scheme_str() == Some("https") => {
                Some(ConnectorError::io(NoTls(TlsFault::Cut).into()))
            }
            None => None,
        }
    }

    /// Finds out what the port speaks.
    async fn look(&self, uri: &Uri) -> Option<Stranger> {
        let is_tls = uri.scheme_str() == Some("https");
        let (host, port) = (uri.host()?, uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }));
        let mut looked = self.looked.lock().await;
        if let Some((at, found)) = &*looked
            && at.elapsed() < FRESH
        {
            return found.clone();
        }
        let found = match spoken(host, port).await {
            Spoken::Http if is_tls => Some(Stranger::PlainHttp),
            Spoken::Tls if !is_tls => Some(Stranger::Tls),
            Spoken::Banner(bytes) => Some(Stranger::banner(&bytes)),
            _ => None,
        };
        *looked = Some((Instant::now(), found.clone()));
        found
    }
}

fn foreign(stranger: Stranger) -> ConnectorError {
    ConnectorError::other(Foreign(stranger).into(), None)
}

enum Suspicion {
    None,
    /// The body tells.
    Body,
    /// There is no body: it takes a `GET`.
    Head,
}

/// Returns whether an answer without a header of S3 may be that of something else.
fn suspicion(method: &Method, status: StatusCode, headers: &HeaderMap, empty: bool) -> Suspicion {
    let media_type = text(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
    let page = media_type.starts_with("text/html") || media_type.contains("json");
    let other = if status.is_success() {
        // S3 gives an ETag with every object that it sends, which may well be a page.
        let sends = matches!(*method, Method::GET | Method::HEAD) && headers.contains_key("etag");
        page && !empty && !sends
    } else {
        // What a gateway says of a server that is overloaded or gone passes.
        let passes = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
        // Only a server that read our condition or our range answers this, and any server in between may do so too,
        // without a word of S3.
        let answers = matches!(status, StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE);
        !passes && !answers && status != StatusCode::TOO_MANY_REQUESTS && !status.is_redirection()
    };
    match (other, method == Method::HEAD) {
        (false, _) => Suspicion::None,
        (true, true) if page || status == StatusCode::BAD_REQUEST => Suspicion::Head,
        (true, true) => Suspicion::None,
        (true, false) => Suspicion::Body,
    }
}

/// Returns true for an answer with a header that only S3 has. The web site of a bucket has one too, with pages where S3 has
/// XML, and so do all servers of SeaweedFS.
fn is_s3s(method: &Method, headers: &HeaderMap, empty: bool) -> bool {
    let media_type = text(headers, "content-type").unwrap_or_default();
    let page = media_type.starts_with("text/html") || media_type.starts_with("application/json");
    // An object may well be a page, and S3 gives an ETag with each.
    let sends = matches!(*method, Method::GET | Method::HEAD) && headers.contains_key("etag");
    let server = text(headers, "server").unwrap_or_default();
    let other = server.starts_with("SeaweedFS Volume") || server.starts_with("SeaweedFS Filer");
    headers.keys().any(|name| name.as_str().starts_with("x-amz-")) && (!page || empty || sends) && !other
}

/// Reads a body, or its beginning.
async fn read(mut body: Arriving, most: usize) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let mut bytes = BytesMut::new();
    while bytes.len() < most {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            Some(frame) => bytes.extend_from_slice(frame?.data_ref().map_or(&[][..], |data| data)),
            None => break,
        }
    }
    Ok(bytes.freeze())
}

/// Waits for an answer to one more request, and reads its beginning.
async fn short(
    answer: impl Future<Output = Option<Response<Arriving>>>,
    secrets: &Secrets,
) -> Option<(u16, HeaderMap, Bytes)> {
    let asked = async {
        let (mut head, body) = answer.await?.into_parts();
        let body = read(body, READ).await.unwrap_or_default();
        secrets.hide_in_headers(&mut head.headers);
        Some((head.status.as_u16(), head.headers, secrets.hide_bytes(body)))
    };
    timeout(PATIENCE, asked).await.ok().flatten()
}

impl Heard {
    /// Returns the answer as the SDK takes it.
    pub(in crate::s3) fn for_sdk(self) -> Response<SdkBody> {
        match self {
            Heard::Whole(answer) => answer.map(SdkBody::from),
            Heard::Coming(answer) => (*answer).map(SdkBody::from_body_1_x),
        }
    }
}
