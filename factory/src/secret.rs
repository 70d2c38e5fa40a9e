//! Random bearer secrets: shown once to whoever needs them, kept only as a hash.
//! Never in a log or an error.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::Error;

/// A secret string; `Debug` hides it and it is wiped when dropped.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Nearly 256 random bits in URL-safe base64: 43 characters that fit into a header.
    pub(crate) fn generate() -> Result<Self, Error> {
        loop {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            getrandom::fill(bytes.as_mut_slice())?;
            let text = URL_SAFE_NO_PAD.encode(bytes.as_slice());
            // On a command line that would be an option.
            if !text.starts_with('-') {
                return Ok(Self(Zeroizing::new(text)));
            }
        }
    }

    /// A secret that somebody presents.
    pub(crate) fn presented(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up. 256 random bits need no slow hash and no salt, and comparing
    /// hashes in an index tells nothing about the secret.
    pub(crate) fn digest(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// 20 random bytes with the top bit clear: the longest positive serial of RFC 5280, 4.1.2.2.
pub(crate) fn random_serial() -> Result<[u8; 20], Error> {
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes)?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_it_and_two_differ() {
        let (one, two) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_eq!(format!("{one:?}"), "Secret(..)");
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.digest(), two.digest());
    }

    #[test]
    fn none_looks_like_an_option() {
        let secrets = (0..2000).map(|_| Secret::generate().unwrap());
        assert!(
            secrets
                .into_iter()
                .all(|secret| !secret.expose().starts_with('-'))
        );
    }

    #[test]
    fn digest_is_sha256_in_hex() {
        assert_eq!(
            Secret::presented("abc".into()).digest(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
