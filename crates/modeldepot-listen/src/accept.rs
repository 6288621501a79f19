//! The loop that accepts connections, and how to end it.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::body::RequestBody;
use crate::connection::{Connection, Ending};
use crate::limits::Listen;
use crate::seats::Seats;

/// An error of a service or of its bodies.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sent to connections that there is no room for, in plain HTTP.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A running server. Dropping it ends it at once.
#[derive(Debug)]
pub struct Serving {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Stops accepting connections and waits for running requests, for at most [`Limits::stop`](crate::Limits::stop).
    pub async fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the loop has already ended.
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
    }

    /// Ends at once: running requests are dropped unanswered.
    pub async fn kill(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the connections of a listener in the background. Each request has its [`Peer`](crate::Peer) among its
/// extensions. If the service returns an error, the connection closes without an answer.
pub fn serve<F, A, B, E>(listener: TcpListener, listen: Listen, service: F) -> Serving
where
    F: Fn(Request<RequestBody>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    E: Into<BoxError> + 'static,
{
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(accept(listener, listen, service, stopped));
    Serving { stop: Some(stop), task }
}

async fn accept<F, A, B, E>(listener: TcpListener, listen: Listen, service: F, mut stopped: oneshot::Receiver<()>)
where
    F: Fn(Request<RequestBody>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    E: Into<BoxError> + 'static,
{
    let Listen { limits, tls } = listen;
    let (limits, seats) = (Arc::new(limits.clone()), Arc::new(Seats::new(&limits)));
    let (stopping, stops) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let Some(seat) = seats.enter(address.ip()) else {
                        tracing::debug!(%address, "too many connections");
                        if tls.is_none() {
                            refuse(stream);
                        }
                        continue;
                    };
                    let (limits, tls) = (Arc::clone(&limits), tls.clone());
                    let connection = Connection { address, seat, limits, service: service.clone() };
                    connections.spawn(connection.serve(stream, tls, Ending(stops.clone())));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    if !is_of_one_connection(&error) {
                        // Most likely out of file descriptors. Retrying at once would only use CPU time.
                        seats.relieve();
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            },
        }
    }
    drop(listener);
    let _ = stopping.send(true);
    // Connections that do not end in time are dropped with the set.
    let _ = timeout(limits.stop, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
}

/// Answers that there is no room, unless that would block.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(NO_ROOM);
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
