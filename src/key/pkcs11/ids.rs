//! The objects of a registration on a token, by id.

use serde::{Deserialize, Serialize};

/// The ids of a registration's objects on a token (`CKA_ID`, one byte each).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// Of both keys.
    pub key: u8,
    /// Of the certificate.
    pub certificate: u8,
}

/// A token refused a key pair with `CKA_DERIVE` and made one without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoDerive {
    /// What a person should know.
    pub warning: &'static str,
    /// It did not refuse, it failed: something half made may be left.
    pub failed: bool,
}

/// Where the new objects go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Ids that are free.
    pub ids: Ids,
    /// There are older objects under our labels, to be removed once these are in use.
    pub supersedes: bool,
}
