//! How much of a server its clients may have.

use std::time::Duration;

use crate::network::Network;
use crate::tls::Tls;

/// How a server listens.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// What its clients may have of it.
    pub limits: Limits,
    /// Its certificate. Without one it speaks plain HTTP.
    pub tls: Option<Tls>,
}

/// How many connections there may be, and how slow a client may be. Only the time counts in which the server waits for the
/// client: a client that waits for its answer may wait as long as that takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. At the limit the one that has waited longest for a request makes room for the next. If all are
    /// at work, the next is [crowded](crate::Peer::crowded).
    pub connections: usize,
    /// Connections of one client at once ([`client`](crate::client)), unless it is this machine.
    pub each: usize,
    /// Addresses to which `each` does not apply: proxies, which speak for many.
    pub proxies: Vec<Network>,
    /// Connections beyond the limit, which are told so. At this limit the oldest makes room for the next.
    pub crowded: usize,
    /// Until the head of a request is there, from its first byte on, or from the beginning of a connection.
    pub head: Duration,
    /// The longest head of a request, in bytes. A longer one is answered with status 431.
    pub longest_head: usize,
    /// Between two requests.
    pub idle: Duration,
    /// Until a connection is encrypted.
    pub handshake: Duration,
    /// How far the body of a request may be behind the slowest pace.
    pub body: Duration,
    /// How far a client may be behind the slowest pace in reading its answer.
    pub answer: Duration,
    /// The slowest pace, in bytes a second.
    pub slowest: u32,
    /// How long running requests may take to finish once the server is stopped.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // With everything that a silent client can make each of them hold, below 200 MiB.
            connections: 768,
            each: 128,
            proxies: Vec::new(),
            crowded: 64,
            head: Duration::from_secs(30),
            longest_head: 64 << 10,
            // Longer than most clients keep a connection that they do not use: they should be the ones to close it.
            idle: Duration::from_secs(75),
            handshake: Duration::from_secs(10),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            slowest: 512,
            stop: Duration::from_secs(10),
        }
    }
}
