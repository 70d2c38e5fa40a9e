//! People approve devices: the device grant (RFC 8628), and the page where somebody logs in and decides.
//! It must never register a device.

pub(crate) mod activation;
pub(crate) mod grants;
pub(crate) mod page;
pub(crate) mod password;
pub(crate) mod user_code;
pub(crate) mod visit;
