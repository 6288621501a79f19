//! An S3 server in one process and one folder.
//!
//! It serves the S3 protocol over HTTP/1.1 from a folder on disk. Bytes are files under opaque ids, everything
//! else (names, metadata, multipart uploads, listing order) lives in one transactional index. It knows nothing of
//! models: any S3 client may use it.
//!
//! ```no_run
//! # async fn run() -> Result<(), modeldepot_embedded::Error> {
//! use modeldepot_embedded::{Config, Server};
//!
//! let server = Server::start(Config {
//!     buckets: vec!["models".into()],
//!     ..Config::new("objects", "minioadmin", "minioadmin")
//! })
//! .await?;
//! assert!(server.endpoint().starts_with("http://127.0.0.1:"));
//! server.stop().await
//! # }
//! ```
//!
//! # What it promises
//!
//! - **Whole or absent.** A write is verified (length, `Content-MD5`, checksums in headers and trailers), made durable
//!   and only then made visible, in one transaction. A crash at any moment leaves every acknowledged object whole and
//!   no other one visible.
//! - **Conditions decide inside that transaction**, so of any number of racing `If-None-Match: *` creates exactly one
//!   succeeds.
//! - **Completing a multipart upload moves no bytes**: an object is a list of the parts' files.
//! - **A read ends with the bytes it began with**, whatever happens to the object meanwhile.
//! - **Memory does not grow with the object.**
//!
//! # What it is not
//!
//! No object lock, no encryption, no policies, one machine.
//! A request for one of these is refused, never silently ignored.
//!
//! # The modules
//!
//! | module | holds |
//! |---|---|
//! | `server` | [`Config`], [`Server`]: the socket, start and stop |
//! | `origin` | requests that browsers send for web pages |
//! | `access`, `keys` | who may do what: key pairs, and the right that each operation needs |
//! | `signing` | what a signature has to cover; presigned URLs of version 2 |
//! | `form` | uploads by HTML form, and the policies that sign them |
//! | `gateway` | the S3 operations: request in, answer out |
//! | `reframe`, `bounded` | what a body passes before the protocol layer |
//! | `xml` | answers that every parser reads |
//! | `receive`, `send` | a body on its way to and from a file |
//! | `room` | what happens when the disk is full |
//! | `coding`, `saving` | bytes at rest, compressed where it pays |
//! | `share` | how much memory one of many bodies may hold |
//! | `disk`, `private` | the data folder and its blob files, closed to other users |
//! | `index`, `settings` | the tables and transactions |
//! | `multipart`, `listing` | transactions on uploads; pages of keys |
//! | `versions` | versions of objects and delete markers |
//! | `record` | what the index stores |
//! | `subresource`, `sweep` | what is configured of a bucket; carrying out lifecycle rules |
//! | `refusal`, `answers` | errors that more than one operation answers; errors as AWS words them |
//! | `double`, `fault`, `rules` | what makes it behave like other servers, for tests of clients; feature `testing` |
//! | `checksum`, `conditions` | digests and preconditions |

mod access;
mod answers;
mod bounded;
mod budget;
mod cdata;
mod checksum;
mod coding;
mod conditions;
mod disk;
mod double;
mod error;
#[cfg(feature = "testing")]
mod fault;
mod form;
#[cfg(test)]
mod fuzz;
mod gateway;
mod index;
mod keys;
mod listing;
mod multipart;
mod opened;
mod origin;
mod private;
mod receive;
mod record;
mod reframe;
mod refusal;
mod room;
#[cfg(feature = "testing")]
mod rules;
mod saving;
mod seen;
mod send;
mod server;
mod settings;
mod share;
mod signing;
mod subresource;
mod sweep;
mod versions;
mod xml;

pub use error::Error;
#[cfg(feature = "testing")]
pub use fault::{Fault, FaultHit, Faults};
pub use keys::{Grant, Key, Keys, KeysError, Right};
pub use origin::Origin;
#[cfg(feature = "testing")]
pub use rules::AwsRules;
pub use saving::Saving;
pub use seen::{OnRequest, Seen};
pub use server::{Config, Server};
pub use sweep::Swept;
