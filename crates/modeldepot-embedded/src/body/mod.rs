//! Bodies of requests and answers: on their way to and from a file, and those that the protocol layer gathers in memory.

pub(crate) mod bounded;
pub(crate) mod budget;
pub(crate) mod cdata;
pub(crate) mod receive;
pub(crate) mod reframe;
pub(crate) mod send;
pub(crate) mod share;
pub(crate) mod watch;
