//! Connections: straight to a server, or through a forward proxy.
//!
//! Requests in plain HTTP go to a proxy whole, with the server's address in their first line; for HTTPS it is asked for
//! a tunnel, through which TLS is spoken with the server itself.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use url::Url;

use crate::diagnosis::root;
use crate::settings::{Proxies, Proxy};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The most that is read of what a proxy says before its tunnel begins.
const LONGEST_HEAD: usize = 32 * 1024;

/// Opens connections.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Dial {
    tcp: HttpConnector,
    tls: HttpsConnector<HttpConnector>,
    proxies: Arc<Proxies>,
    /// How long a proxy may take to open a tunnel.
    limit: Duration,
}

/// What a proxy did instead of what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(in crate::s3) enum Fault {
    #[error("{0}")]
    Unreached(String),
    #[error("it answered HTTP {0}")]
    Refused(StatusCode),
    #[error("{0}")]
    Broken(String),
}

/// A request that failed at a proxy.
#[derive(Debug, thiserror::Error)]
#[error("proxy `{proxy}`: {fault}")]
pub(in crate::s3) struct AtProxy {
    pub(in crate::s3) proxy: String,
    /// It was shown a login.
    pub(in crate::s3) login: bool,
    pub(in crate::s3) fault: Fault,
}

impl Dial {
    pub(in crate::s3) fn new(
        tcp: HttpConnector,
        tls: HttpsConnector<HttpConnector>,
        proxies: Arc<Proxies>,
        limit: Duration,
    ) -> Dial {
        Dial { tcp, tls, proxies, limit }
    }

    async fn open(mut self, to: Uri) -> Result<Wire, BoxError> {
        let Some((proxy, found)) = way(&self.proxies, &to) else {
            let tcp = self.tcp.call(to).await?;
            return Ok(Wire::plain(MaybeHttpsStream::Http(tcp), false));
        };
        let login = found.raw_auth().is_some() || found.basic_auth().is_some();
        let at = |fault| BoxError::from(AtProxy { proxy: proxy.clone(), login, fault });
        let opened = timeout(self.limit, self.through(&found, &to)).await;
        let silent = || at(Fault::Broken(format!("it opened no connection within {:?}", self.limit)));
        opened.map_err(|_| silent())?.map_err(at)
    }

    async fn through(&self, proxy: &Intercept, to: &Uri) -> Result<Wire, Fault> {
        let (mut tcp, mut tls) = (self.tcp.clone(), self.tls.clone());
        if proxy.uri().scheme_str().is_some_and(|scheme| scheme.starts_with("socks")) {
            let stream = tcp.call(proxy.uri().clone()).await.map_err(|error| unreached(&error))?;
            // Names are looked up by the proxy, also for socks5://, as Go does.
            let mut socks = SocksV5::new(proxy.uri().clone(), Opened(Some(stream)));
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            let stream = socks.call(with_port(to)).await.map_err(|error| Fault::Broken(error.to_string()))?;
            return Ok(Wire::plain(MaybeHttpsStream::Http(stream), false));
        }
        let stream = match proxy.uri().scheme_str() {
            Some("https") => tls.call(proxy.uri().clone()).await.map_err(|error| unreached(&*error))?,
            _ => MaybeHttpsStream::Http(tcp.call(proxy.uri().clone()).await.map_err(|error| unreached(&error))?),
        };
        if to.scheme_str() == Some("http") {
            return Ok(Wire::plain(stream, true));
        }
        let tunnel = tunnel(stream, to, proxy.basic_auth()).await?;
        Ok(Wire { stream: Kind::Tunnel(tunnel), to_proxy: false })
    }
}

/// Returns the name of the proxy on the way to an address, and how to get there.
pub(in crate::s3) fn way(proxies: &Proxies, to: &Uri) -> Option<(String, Intercept)> {
    if proxies.are_none() {
        return None;
    }
    let to = Url::parse(&to.to_string()).ok()?;
    let proxy: &Proxy = proxies.route(&to)?;
    Some((proxy.to_string(), proxies.intercept(proxy, &to)?))
}

/// A connection that stands already, for what would open it itself.
#[derive(Debug)]
struct Opened(Option<TokioIo<TcpStream>>);

impl Service<Uri> for Opened {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        std::future::ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

/// Returns an address with the port that goes without saying.
fn with_port(to: &Uri) -> Uri {
    let port = to.port_u16().unwrap_or(if to.scheme_str() == Some("http") { 80 } else { 443 });
    let authority = format!("{}:{port}", to.host().unwrap_or_default());
    let scheme = to.scheme_str().unwrap_or("https");
    Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build().unwrap_or_else(|_| to.clone())
}

fn unreached(error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::Unreached(root(error))
}

/// Asks a proxy for a connection to a server.
async fn tunnel(stream: Stream, to: &Uri, login: Option<&HeaderValue>) -> Result<Upgraded, Fault> {
    let broken = |error: hyper::Error| Fault::Broken(root(&error));
    let authority = format!("{}:{}", to.host().unwrap_or_default(), to.port_u16().unwrap_or(443));
    let mut request = Request::builder().method(Method::CONNECT).uri(&authority).header(HOST, &authority);
    if let Some(login) = login {
        request = request.header(PROXY_AUTHORIZATION, login);
    }
    let request = request.body(String::new()).map_err(|error| Fault::Broken(error.to_string()))?;
    let http = hyper::client::conn::http1::Builder::new().max_buf_size(LONGEST_HEAD).handshake(stream).await;
    let (mut sender, connection) = http.map_err(broken)?;
    // It may end before the answer is looked at, and is not to be asked again then.
    let mut connection = std::pin::pin!(connection.with_upgrades().fuse());
    let answer = {
        let sent = sender.send_request(request);
        tokio::pin!(sent);
        tokio::select! {
            biased;
            answer = &mut sent => answer,
            ended = &mut connection => match ended {
                // What came before the end may be the answer.
                Ok(()) => sent.await,
                Err(error) => Err(error),
            },
        }
    };
    let answer = answer.map_err(broken)?;
    if !answer.status().is_success() {
        return Err(Fault::Refused(answer.status()));
    }
    let mut upgraded = std::pin::pin!(hyper::upgrade::on(answer));
    tokio::select! {
        biased;
        upgraded = &mut upgraded => upgraded.map_err(broken),
        _ = &mut connection => upgraded.await.map_err(broken),
    }
}

impl Service<Uri> for Dial {
    type Response = Wire;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().open(to))
    }
}

/// A connection.
pub(in crate::s3) struct Wire {
    stream: Kind,
    /// The other end is a proxy, which is told in each request where it is to go.
    to_proxy: bool,
}

enum Kind {
    Plain(Box<Stream>),
    Tunnel(Upgraded),
}

impl Wire {
    fn plain(stream: Stream, to_proxy: bool) -> Wire {
        Wire { stream: Kind::Plain(Box::new(stream)), to_proxy }
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        match &self.stream {
            Kind::Plain(stream) => stream.connected().proxy(self.to_proxy),
            Kind::Tunnel(_) => Connected::new(),
        }
    }
}

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Kind::Plain(stream) => Pin::new(&mut **stream).poll_read(cx, to),
            Kind::Tunnel(stream) => Pin::new(stream).poll_read(cx, to),
        }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Kind::Plain(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
            Kind::Tunnel(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Kind::Plain(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, bytes),
            Kind::Tunnel(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Kind::Plain(stream) => stream.is_write_vectored(),
            Kind::Tunnel(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Kind::Plain(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Kind::Tunnel(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Kind::Plain(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Kind::Tunnel(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
