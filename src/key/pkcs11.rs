//! Keys on a PKCS#11 token. The files of this folder are the only ones that name the PKCS#11 crate;
//! they never write a file, never talk to a network and never try a PIN twice.

#[cfg(feature = "pkcs11")]
mod choice;
#[cfg(feature = "pkcs11")]
mod encoding;
mod ids;
#[cfg(feature = "pkcs11")]
mod module;
mod settings;
#[cfg(feature = "pkcs11")]
mod token;
#[cfg(not(feature = "pkcs11"))]
#[path = "pkcs11/without.rs"]
mod token;
mod uri;

pub(crate) use ids::{Ids, NoDerive, Room};
pub(crate) use settings::{Access, DEFAULT_TOKEN_LABEL, TokenChoice, TokenSettings};
pub(crate) use token::{Token, TokenKey};
pub(crate) use uri::SCHEME;
pub use uri::{Pkcs11Uri, UriPin};
