//! Operators' passwords: argon2id with the crate's defaults (19 MiB, two passes: OWASP's choice).

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::error::Error;

/// Hashes at the same time: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
const SHORTEST: usize = 8;
const LONGEST: usize = 1024;

/// A password as it was typed; `Debug` hides it and it is wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password of any length; an operator's has 8 to 1024 bytes.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// The hash of a new password.
pub(crate) fn hash(password: &Password) -> Result<String, Error> {
    if !(SHORTEST..=LONGEST).contains(&password.bytes().len()) {
        return Err(Error::PasswordLength);
    }
    let hash = Argon2::default().hash_password(password.bytes())?;
    Ok(hash.to_string())
}

/// Compares passwords with hashes, a few at a time.
#[derive(Debug)]
pub(crate) struct Verifier {
    slots: Semaphore,
}

/// Checked when there is no such operator, which must take as long as when there is. It has our
/// parameters and the hash of nothing in particular.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA\
     $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl Verifier {
    pub(crate) fn new() -> Self {
        Self {
            slots: Semaphore::new(AT_ONCE),
        }
    }

    /// Whether a password is the one that was hashed; never, if there is no hash.
    pub(crate) async fn verify(&self, password: Password, hash: Option<String>) -> bool {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DECOY.to_owned());
        let Ok(_slot) = self.slots.acquire().await else {
            return false;
        };
        let matches = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| {
                let verified = Argon2::default().verify_password(password.bytes(), &hash);
                verified.is_ok()
            })
        });
        matches.await.unwrap_or(false) && known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_an_operator_matches() {
        let password = |text: &str| Password::new(text.into());
        let hash = hash(&password("correct horse")).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verifier = Verifier::new();
        assert!(
            verifier
                .verify(password("correct horse"), Some(hash.clone()))
                .await
        );
        assert!(!verifier.verify(password("wrong horse"), Some(hash)).await);
        assert!(!verifier.verify(password("correct horse"), None).await);
        assert_eq!(format!("{:?}", password("x")), "Password(..)");
    }

    #[test]
    fn the_decoy_costs_what_a_hash_costs() {
        let hash = hash(&Password::new("correct horse".into())).unwrap();
        let (decoy, hash) = (PasswordHash::new(DECOY), PasswordHash::new(&hash));
        assert_eq!(decoy.unwrap().params, hash.unwrap().params);
    }

    #[test]
    fn a_short_password_is_refused() {
        let short = hash(&Password::new("1234567".into()));
        assert!(matches!(short, Err(Error::PasswordLength)));
    }
}
