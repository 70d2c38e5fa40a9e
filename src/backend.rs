//! The other side of the network: HTTP, when to try again, what allows a registration, the
//! registration API and its wire format, and the untrusted answer that becomes a verified one. Never
//! writes a file, never knows the journal; an answer leaves this room only if it is this device's.

pub(crate) mod answer;
pub(crate) mod authorisation;
pub(crate) mod censor;
pub(crate) mod device_api;
pub(crate) mod grant;
pub(crate) mod http;
mod retry;
pub(crate) mod wire;
