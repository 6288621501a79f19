//! The sockets of both servers: connections, their limits, and TLS.
//!
//! [`serve`] is the one loop that accepts connections. A service behind it is given requests whose bodies keep coming, and
//! need not think of clients that are slow, many or silent. It knows nothing of S3, nor of models.
//!
//! # The modules
//!
//! | module | holds |
//! |---|---|
//! | `accept` | [`serve`], [`Serving`]: the loop, stop and kill |
//! | `limits` | [`Listen`], [`Limits`]: how many, how large, how slow |
//! | `seats` | which connections there are, and which makes room for another |
//! | `connection` | one of them, and its [`Peer`] |
//! | `socket` | its bytes: a head must come, an answer be read |
//! | `body` | [`RequestBody`]: the body of a request must come |
//! | `pace` | what is too slow |
//! | `tls` | [`Tls`]: a certificate that is read again when it is renewed |
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
