//! One connection, from its first byte to its last.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::body::{Answer, AtWork, RequestBody};
use crate::limits::Limits;
use crate::seats::{Phase, Seat};
use crate::socket::Socket;
use crate::tls::Tls;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The first byte of every TLS connection.
const HANDSHAKE: u8 = 0x16;

/// The answer to plain HTTP on a TLS port.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\
    content-length: 46\r\n\r\nthis port speaks HTTPS: use a URL of https://\n";

/// How much later than the socket hyper closes an idle connection.
const HYPER_LATER: Duration = Duration::from_secs(60);

/// The other end of a connection. Each request has it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address, which may be that of a proxy.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// Whether the server has more connections than it wants: answer with 503, unless the real answer costs nothing.
    /// The connection closes after the answer.
    pub crowded: bool,
}

/// Tells connections that the server is stopping.
#[derive(Clone)]
pub(crate) struct Ending(pub(crate) watch::Receiver<bool>);

impl Ending {
    async fn begun(&mut self) {
        // If the sender is gone, the tasks end as well.
        let _ = self.0.wait_for(|ending| *ending).await;
    }
}

pub(crate) struct Connection<F> {
    pub(crate) address: SocketAddr,
    pub(crate) seat: Seat,
    pub(crate) limits: Arc<Limits>,
    pub(crate) service: F,
}

impl<F, A, B, E> Connection<F>
where
    F: Fn(Request<RequestBody>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    E: Into<BoxError> + 'static,
{
    pub(crate) async fn serve(self, stream: TcpStream, tls: Option<Tls>, mut ending: Ending) {
        let address = self.address;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = tls else { return self.http(stream, false, ending).await };
        let activity = Arc::clone(&self.seat.activity);
        let encrypted = tokio::select! {
            encrypted = timeout(self.limits.handshake, encrypted(stream, &tls)) => encrypted,
            () = activity.ended() => return,
            () = ending.begun() => return,
        };
        match encrypted {
            Ok(Ok(Some(stream))) => {
                self.seat.activity.enter(Phase::Head);
                self.http(stream, true, ending).await;
            }
            Ok(Ok(None)) => tracing::debug!(%address, "plain HTTP where TLS is spoken"),
            Ok(Err(error)) => tracing::debug!(%address, %error, "no TLS connection came about"),
            Err(_) => tracing::debug!(%address, "no TLS connection came about in time"),
        }
    }

    async fn http(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        encrypted: bool,
        mut ending: Ending,
    ) {
        let Connection { address, seat, limits, service } = self;
        let peer = Peer { address, encrypted, crowded: seat.crowded };
        let activity = Arc::clone(&seat.activity);
        let socket = Socket::new(stream, Arc::clone(&limits), Arc::clone(&activity));
        let (longest_head, for_bodies) = (limits.longest_head, Arc::clone(&limits));
        let serve = service_fn(move |request: Request<Incoming>| {
            let at_work = AtWork::begin(&activity);
            let mut request = request.map(|body| RequestBody::new(body, &for_bodies, Arc::clone(&activity)));
            request.extensions_mut().insert(peer);
            let answer = service(request);
            async move {
                let mut answer = answer.await?;
                if peer.crowded {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, E>(answer.map(|body| Answer::new(body, at_work)))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // The socket tells a slow request head from an idle client. hyper still needs a timeout of its own: without
            // one it does not look for the next request after an answer.
            .header_read_timeout(limits.idle + limits.head + HYPER_LATER)
            .max_header_size(longest_head)
            // How much is read at once. Each of a thousand stalled clients holds a buffer of this size.
            .max_buf_size(longest_head)
            .serve_connection(TokioIo::new(socket), serve);
        let mut connection = pin!(connection);
        let mut stopping = false;
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                () = seat.activity.ended() => {
                    tracing::debug!(%address, "made room for another connection");
                    return;
                }
                () = ending.begun(), if !stopping => {
                    stopping = true;
                    if seat.activity.phase() != Phase::Busy {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%address, error = &error as &dyn std::error::Error, "connection ended");
        }
    }
}

/// Starts TLS on a connection. A client that speaks plain HTTP is told to use HTTPS.
async fn encrypted(mut stream: TcpStream, tls: &Tls) -> io::Result<Option<tokio_rustls::server::TlsStream<TcpStream>>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first[0] != HANDSHAKE {
        // Read what the client sent: closing with unread bytes resets the connection, and the answer would be lost.
        let mut asked = [0; 4096];
        let _ = stream.try_read(&mut asked);
        stream.write_all(PLAIN).await?;
        stream.shutdown().await?;
        return Ok(None);
    }
    tls.refresh().await;
    tls.acceptor().accept(stream).await.map(Some)
}
