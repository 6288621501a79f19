//! The layers that a request passes, from the outside in: `remote`, `record`, `guard`, and for each route `admit`.

mod admit;
mod guard;
mod record;
mod remote;

pub(crate) use self::admit::admit;
pub(crate) use self::guard::guard;
pub(crate) use self::record::record;
pub(crate) use self::remote::remote;
