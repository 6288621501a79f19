//! Why an endpoint does not answer as S3, in types: every front end says the same, and nobody reads a message back.
//!
//! [`Stranger`] is what answers instead of S3, [`TlsFault`] why no TLS connection comes about, [`Unreached`] why there is
//! no connection at all. [`crate::Error`] carries them, and [`crate::advice`] is what to do.

mod look;
mod page;
mod product;
mod stranger;
mod tls;
mod unreached;

pub(crate) use self::look::{Spoken, spoken, wants_tls};
pub(crate) use self::page::is_s3_error;
pub use self::page::{Content, Page};
pub use self::product::Product;
pub use self::stranger::Stranger;
pub use self::tls::TlsFault;
pub(crate) use self::tls::{Said as TlsSaid, said as tls_said};
pub use self::unreached::Unreached;

use std::error::Error as StdError;
use std::{io, iter};

use crate::visible::visible;

/// Returns the deepest cause, the one that says something: `Connection refused`, not `dispatch failure`.
pub(crate) fn root(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Returns an error with all its causes, those that errors of the system hold among them.
pub(crate) fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    fn next<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // Its `source` is that of the error that it holds.
            Some(held) => Some(held),
            None => error.source(),
        }
    }
    iter::successors(Some(error), |error| next(*error))
}

/// The most of a stranger's text that a message shows.
const SHOWN: usize = 80;

/// Returns the beginning of a stranger's text, fit for a message: in one line, without backticks or what is unseen.
fn shown(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut start: String = words.chars().take(SHOWN).collect();
    if start.len() < words.len() {
        start.push('…');
    }
    visible(&start).replace('`', "'")
}
