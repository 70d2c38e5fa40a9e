//! HTTP for whoever answers: connections, replies, limits, and who is calling. It must never know a path
//! that is served.

pub(crate) mod caller;
pub(crate) mod listener;
pub(crate) mod reply;
pub(crate) mod throttle;
pub(crate) mod tls;
