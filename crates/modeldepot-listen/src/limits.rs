//! How much of a server its clients may use.

use std::time::Duration;

use crate::network::Network;
use crate::tls::Tls;

/// How a server listens.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// What its clients may use.
    pub limits: Limits,
    /// Its certificate. Without one it speaks plain HTTP.
    pub tls: Option<Tls>,
}

/// How many connections there may be, and how slow a client may be. Only time that the server spends waiting for the
/// client counts; a client may wait for its answer for as long as that takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. At the limit, the connection that has waited longest for a request is closed. If all are
    /// busy, the new one is [crowded](crate::Peer::crowded).
    pub connections: usize,
    /// Connections per client at once (see [`client`](crate::client)). Loopback addresses are exempt.
    pub each: usize,
    /// Addresses to which `each` does not apply: reverse proxies, which connect on behalf of many clients.
    pub proxies: Vec<Network>,
    /// Connections beyond the limit, which are answered that the server is busy. At this limit the oldest is closed.
    pub crowded: usize,
    /// Time for the head of a request to arrive, from its first byte or from the start of the connection.
    pub head: Duration,
    /// The longest head of a request, in bytes. A longer one is answered with status 431.
    pub longest_head: usize,
    /// How long a connection may be idle between two requests.
    pub idle: Duration,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// How far the body of a request may fall behind the slowest pace.
    pub body: Duration,
    /// How far a client may fall behind the slowest pace in reading its answer.
    pub answer: Duration,
    /// The slowest pace, in bytes per second.
    pub slowest: u32,
    /// How long running requests may take to finish after the server is stopped.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // Even if each is stalled at its most expensive point, they use less than 200 MiB.
            connections: 768,
            each: 128,
            proxies: Vec::new(),
            crowded: 64,
            head: Duration::from_secs(30),
            longest_head: 64 << 10,
            // Longer than most clients keep an unused connection: the client should be the one to close it.
            idle: Duration::from_secs(75),
            handshake: Duration::from_secs(10),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            slowest: 512,
            stop: Duration::from_secs(10),
        }
    }
}
