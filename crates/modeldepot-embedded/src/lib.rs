//! An S3 server in one process and one folder.
//!
//! It serves the S3 protocol over HTTP/1.1 from a folder on disk. Bytes are in files with opaque names; everything else
//! (names, metadata, multipart uploads, listing order) is in one transactional index. It knows nothing of models: any
//! S3 client can use it.
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
//! # Guarantees
//!
//! - **Atomic writes.** A write is verified (length, `Content-MD5`, checksums in headers and trailers), made durable
//!   and only then made visible, in one transaction. A crash at any moment leaves every acknowledged object complete
//!   and makes no other visible.
//! - **Conditions are checked inside that transaction**, so of any number of racing `If-None-Match: *` creates exactly
//!   one succeeds.
//! - **Completing a multipart upload moves no bytes**: an object is a list of the parts' files.
//! - **A read returns the bytes of one object**, whatever happens to its key meanwhile.
//! - **Memory does not grow with the object.**
//!
//! # Not supported
//!
//! Object lock, encryption, policies, more than one machine. A request for one of these is refused, never silently
//! ignored.
//!
//! # The modules
//!
//! | module | holds |
//! |---|---|
//! | `server` | [`Config`], [`Server`]: start and stop; the path of a request through everything below |
//! | `gateway` | the S3 operations, one file per group; uploads by HTML form; the right that each operation needs |
//! | `double` | behaviour of other servers, for tests of clients; feature `testing` |
//! | `front` | before and after the protocol layer: requests from web pages, what a signature must cover, errors in AWS's words, logs |
//! | `store` | the data folder and its index together: lifecycle and CORS rules, what compression saves |
//! | `body` | bodies to and from files, and the memory they may use |
//! | `index` | the tables and transactions: objects, versions, multipart uploads, listings |
//! | `refusal` | errors that several operations have in common |
//! | `disk` | the files that hold bytes; compression; what happens when the disk is full |
//! | `access` | key pairs and their rights; the key file |
//! | `head`, `checksum`, `private` | what the head of a request reveals; digests; files closed to other users |
//!
//! Dependencies point down in this table.

mod access;
mod body;
mod checksum;
mod disk;
mod double;
mod error;
mod front;
#[cfg(test)]
mod fuzz;
mod gateway;
mod head;
mod index;
mod private;
mod refusal;
mod server;
mod store;

pub use access::keys::{Grant, Key, Keys, KeysError, Right};
#[cfg(feature = "testing")]
pub use double::fault::{Fault, FaultHit, Faults};
#[cfg(feature = "testing")]
pub use double::rules::AwsRules;
pub use error::Error;
pub use front::origin::Origin;
pub use front::seen::{OnRequest, Seen};
pub use server::{Config, Server};
pub use store::saving::Saving;
pub use store::sweep::Swept;
