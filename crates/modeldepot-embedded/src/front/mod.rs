//! What every request passes before the protocol layer, and every answer after it.

pub(crate) mod answers;
pub(crate) mod origin;
pub(crate) mod seen;
pub(crate) mod signing;
pub(crate) mod xml;
