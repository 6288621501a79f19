//! The sockets of both servers: connections, their limits, and TLS.
//!
//! [`serve`] is the one loop that accepts connections. It ends connections whose clients are too slow, too many or
//! silent, so that the services behind it need not. It knows nothing of S3 or of models.
//!
//! # The modules
//!
//! | module | holds |
//! |---|---|
//! | `accept` | [`serve`], [`Serving`]: the loop, stop and kill |
//! | `limits` | [`Listen`], [`Limits`]: how many, how large, how slow |
//! | `seats` | the open connections, and which one is closed to make room |
//! | `connection` | one of them, and its [`Peer`] |
//! | `socket` | its bytes: time limits for request heads and for reading answers |
//! | `body` | [`RequestBody`]: the body of a request, with its time limit |
//! | `pace` | the slowest pace a client may have |
//! | `tls` | [`Tls`]: a certificate that is reloaded when renewed |
//! | `network` | [`Network`], [`client`]: addresses |
//! | `stamp` | [`Stamp`]: whether a file has changed |

mod accept;
mod body;
mod connection;
mod limits;
mod network;
mod pace;
mod seats;
mod socket;
mod stamp;
mod tls;

pub use accept::{Serving, serve};
pub use body::{BodyError, RequestBody};
pub use connection::Peer;
pub use limits::{Limits, Listen};
pub use network::{Network, NetworkError, client};
pub use stamp::Stamp;
pub use tls::{Tls, TlsError};
