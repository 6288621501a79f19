//! The layers that a request passes, from the outside in: `remote`, `record`, `compress`, `hardened`, `guard`, and for each
//! route `admit`.

mod admit;
mod compress;
mod guard;
mod hardened;
mod record;
mod remote;

pub(crate) use self::admit::admit;
pub(crate) use self::compress::{compression, encoded};
pub(crate) use self::guard::guard;
pub(crate) use self::hardened::{panics, with_headers};
pub(crate) use self::record::record;
pub(crate) use self::remote::remote;
