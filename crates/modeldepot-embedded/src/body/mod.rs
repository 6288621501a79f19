//! Bodies of requests and answers: streamed to and from files, or collected in memory by the protocol layer.

pub(crate) mod bounded;
pub(crate) mod budget;
pub(crate) mod cdata;
pub(crate) mod receive;
pub(crate) mod reframe;
pub(crate) mod send;
pub(crate) mod share;
pub(crate) mod watch;
