//! A server with a few paths.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::{Request, Response, StatusCode};
use modeldepot_listen::{BodyError, Limits, Listen, Peer, RequestBody, Serving, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) serving: Serving,
    thinks: Arc<Notify>,
}

/// Limits short enough for tests.
pub(crate) fn short() -> Limits {
    let short = Duration::from_millis(400);
    Limits { head: short, idle: short, handshake: short, body: short, answer: short, ..Limits::default() }
}

impl Stage {
    pub(crate) async fn with(limits: Limits) -> Stage {
        Stage::listening(Listen { limits, tls: None }).await
    }

    pub(crate) async fn encrypted(tls: Tls, limits: Limits) -> Stage {
        Stage::listening(Listen { limits, tls: Some(tls) }).await
    }

    async fn listening(listen: Listen) -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let thinks = Arc::new(Notify::new());
        let noted = Arc::clone(&thinks);
        let serving = modeldepot_listen::serve(listener, listen, move |request| play(request, Arc::clone(&noted)));
        Stage { address, serving, thinks }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects, and sends a text.
    pub(crate) async fn say(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until a request is being handled.
    pub(crate) async fn thinks(&self) {
        self.thinks.notified().await;
    }

    /// Sends a request on a new connection, and returns everything that arrives.
    pub(crate) async fn ask(&self, path: &str) -> String {
        rest(self.say(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await).await
    }
}

/// Lets the clock of the tests be later by so much. Only for what no request waits for in between.
pub(crate) async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

/// Reads an answer on a connection that is kept.
pub(crate) async fn answered(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // The last chunk.
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Waits until the server has closed a connection on which nothing is read. Writing finds that out.
pub(crate) async fn closed(stream: &mut TcpStream) {
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads until the other side closes.
pub(crate) async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // A reset connection is closed as well.
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

/// A body of this many kibibytes.
pub(crate) struct Bulk(pub(crate) usize);

impl Body for Bulk {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static KIBIBYTE: [u8; 1024] = [b'x'; 1024];
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&KIBIBYTE)))))
    }
}

async fn play(request: Request<RequestBody>, thinks: Arc<Notify>) -> Result<Response<Bulk>, &'static str> {
    let peer = *request.extensions().get::<Peer>().unwrap();
    let mut status = StatusCode::OK;
    let mut kibibytes = 1;
    match request.uri().path() {
        // Reads the whole body.
        "/take" => {
            let mut body = request.into_body();
            while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                if let Err(BodyError::Slow) = frame {
                    status = StatusCode::REQUEST_TIMEOUT;
                    break;
                }
            }
        }
        "/refuse" => status = StatusCode::UNAUTHORIZED,
        "/think" => {
            thinks.notify_one();
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        "/bulk" => kibibytes = 64 << 10,
        "/drop" => return Err("dropped"),
        _ if peer.crowded => status = StatusCode::SERVICE_UNAVAILABLE,
        _ => {}
    }
    let mut answer = Response::new(Bulk(kibibytes));
    *answer.status_mut() = status;
    Ok(answer)
}
