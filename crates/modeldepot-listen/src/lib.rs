//! The sockets of both servers: connections, their limits, and TLS. Knows nothing of S3, nor of models.

mod network;

pub use network::{Network, NetworkError, client};
