//! HTTP for whoever answers: connections, replies and limits. It must never know a path that is served.

pub(crate) mod listener;
pub(crate) mod reply;
pub(crate) mod throttle;
pub(crate) mod tls;
