//! Which token, and how to log in to it.

use crate::secret::Secret;

/// The label that both readers of `sota.toml` look for when it names none.
pub(crate) const DEFAULT_TOKEN_LABEL: &str = "aktualizr";

/// A key on a PKCS#11 token: which library, which token, and how to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenSettings {
    /// Path of the PKCS#11 library, absolute.
    pub module: String,
    /// Which of its tokens.
    pub choice: TokenChoice,
    /// User PIN.
    pub pin: Secret,
    /// Security officer PIN, needed only to initialise a token.
    pub so_pin: Option<Secret>,
    /// Log in although one wrong PIN would lock the token.
    pub allow_final_try: bool,
}

/// What a token must be to be used; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TokenChoice {
    /// `CK_TOKEN_INFO.label`; always asked for.
    pub label: String,
    /// Serial number.
    pub serial: Option<String>,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// The slot it is in.
    pub slot_id: Option<u64>,
}

impl TokenChoice {
    /// The only token of that label.
    pub(crate) fn labelled(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            ..Self::default()
        }
    }
}

/// What a token is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing changes, and a blank token is none.
    Read,
    /// Nothing changes, and a blank token is one that `Write` would initialise.
    Rehearse,
    /// Objects may be made and removed, and a blank token may be initialised.
    Write,
}
