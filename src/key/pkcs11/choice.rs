//! Pure: which of a library's tokens is ours, and what its flags forbid. Nothing here calls a token.

use std::fmt::Write as _;

use super::settings::TokenChoice;
use crate::error::{Error, Kind, Result};

/// Tries that are left for a PIN, as far as a token tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the token")]
pub(super) struct Tries {
    /// A wrong PIN was given since the last right one.
    pub count_low: bool,
    /// One more wrong PIN locks it.
    pub final_try: bool,
    /// It is locked.
    pub locked: bool,
}

/// What a slot's token says of itself (PKCS#11 `CK_TOKEN_INFO`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the token")]
pub(super) struct TokenFacts {
    pub slot_id: u64,
    pub label: String,
    pub serial: String,
    pub manufacturer: String,
    pub model: String,
    pub initialised: bool,
    /// It has a label, but nobody ever set a PIN: `SoftHSM`'s flags of a token whose initialisation
    /// was cut off. That the security officer's is locked is not true then.
    pub without_pins: bool,
    pub login_required: bool,
    pub protected_path: bool,
    pub write_protected: bool,
    pub user: Tries,
    pub officer: Tries,
    /// Bytes of a PIN: at least, at most (0 if not known).
    pub pin_bytes: (usize, usize),
}

/// A token that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The one at this index.
    Use(usize),
    /// The one at this index is blank and takes our label.
    Initialise(usize),
}

fn has(wanted: Option<&String>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == found)
}

/// Everything but the label, which a blank token does not have yet.
fn fits(wanted: &TokenChoice, token: &TokenFacts) -> bool {
    let TokenChoice {
        label: _,
        serial,
        manufacturer,
        model,
        slot_id,
    } = wanted;
    has(serial.as_ref(), &token.serial)
        && has(manufacturer.as_ref(), &token.manufacturer)
        && has(model.as_ref(), &token.model)
        && slot_id.is_none_or(|id| id == token.slot_id)
}

/// The one token that is meant. A blank one is taken only if no token has the label yet.
pub(super) fn choose(tokens: &[TokenFacts], wanted: &TokenChoice) -> Result<Chosen> {
    let label = &wanted.label;
    let is_ours = |token: &TokenFacts| token.initialised && token.label == *label;
    let indices = |wanted: &dyn Fn(&TokenFacts) -> bool| -> Vec<usize> {
        let all = tokens.iter().enumerate();
        all.filter_map(|(index, token)| wanted(token).then_some(index))
            .collect()
    };
    let ours = indices(&|token| is_ours(token) && fits(wanted, token));
    match ours[..] {
        [index] => return Ok(Chosen::Use(index)),
        [] => {}
        _ => {
            let candidates = ours.iter().map(|index| &tokens[*index]);
            return Err(Error::token(format!(
                "{} tokens are labelled {label:?}: {}",
                ours.len(),
                list(candidates)
            ))
            .hint(
                "say which one: --hsm-module 'pkcs11:token=LABEL;serial=SERIAL?module-path=PATH'",
            ));
        }
    }
    let blank = indices(&|token| !token.initialised && fits(wanted, token));
    match blank.first() {
        Some(index) if !tokens.iter().any(is_ours) => Ok(Chosen::Initialise(*index)),
        _ => Err(Error::token(format!(
            "there is no token labelled {label:?} that fits, and no blank one to initialise: {}",
            list(tokens.iter())
        ))
        .hint("give --hsm-token-label LABEL, or plug the token in")),
    }
}

/// The tokens, for a person who must choose one.
fn list<'a>(tokens: impl Iterator<Item = &'a TokenFacts>) -> String {
    let mut text = String::new();
    for token in tokens {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}slot {}: ", token.slot_id);
        let _ = if token.initialised {
            write!(text, "{:?}, serial {:?}", token.label, token.serial)
        } else {
            write!(text, "blank")
        };
    }
    if text.is_empty() {
        text.push_str("the library shows no token");
    }
    text
}

/// aktualizr takes the first initialised token unless it is told a label.
pub(super) fn is_first_initialised(tokens: &[TokenFacts], token: &TokenFacts) -> bool {
    tokens
        .iter()
        .find(|token| token.initialised)
        .is_some_and(|first| first.slot_id == token.slot_id)
}

/// Whose PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// The one that uses the key.
    Normal,
    /// The security officer.
    Officer,
}

impl User {
    pub(super) fn name(self) -> &'static str {
        match self {
            User::Normal => "user PIN",
            User::Officer => "security officer PIN",
        }
    }
}

/// Decides before any try is spent whether a PIN may be given to a token; returns a warning.
pub(super) fn check_tries(
    token: &TokenFacts,
    user: User,
    allow_final_try: bool,
) -> Result<Option<String>> {
    let Tries {
        count_low,
        final_try,
        locked,
    } = match user {
        User::Normal => token.user,
        User::Officer => token.officer,
    };
    let (name, label) = (user.name(), &token.label);
    if locked {
        let error = Error::new(
            Kind::Unauthorised,
            format!("the {name} of the token {label:?} is locked"),
        );
        return Err(match user {
            User::Normal => error.hint(
                "set a new one with the security officer PIN: pkcs11-tool --module PATH --login \
                 --login-type so --init-pin",
            ),
            User::Officer => error.hint("only the maker of the token can help now"),
        });
    }
    if final_try && !allow_final_try {
        return Err(Error::new(
            Kind::Unauthorised,
            format!("one more wrong {name} locks the token {label:?}"),
        )
        .hint("make sure that the PIN is right, then give --hsm-allow-final-try"));
    }
    Ok((count_low || final_try).then(|| {
        format!("the token {label:?} has seen a wrong {name}: few tries are left before it locks")
    }))
}

/// A PIN whose length cannot be right is not tried.
pub(super) fn check_length(token: &TokenFacts, user: User, pin: &str) -> Result<()> {
    let (least, most) = token.pin_bytes;
    let name = user.name();
    if pin.len() < least || (most >= least.max(1) && pin.len() > most) {
        return Err(Error::new(
            Kind::Unauthorised,
            format!(
                "the {name} has a length that the token does not take: {least} to {most} bytes"
            ),
        )
        .hint("no try was spent; give the right PIN"));
    }
    Ok(())
}

/// A token that takes its PIN only from a key pad would stop the update client, too.
pub(super) fn check_path(token: &TokenFacts) -> Result<()> {
    if token.protected_path {
        return Err(Error::token(format!(
            "the token {:?} takes its PIN at a device of its own (protected authentication \
                 path), where the update client could not log in",
            token.label
        ))
        .hint("use a token that takes its PIN from a program"));
    }
    Ok(())
}

/// The first UUID in a slot's description: 8-4-4-4-12 lower-case hexadecimal digits.
pub(super) fn uuid_in(description: &str) -> Option<String> {
    let is_uuid = |bytes: &[u8]| {
        bytes
            .iter()
            .enumerate()
            .all(|(index, byte)| match (index, byte) {
                (8 | 13 | 18 | 23, byte) => *byte == b'-',
                (_, byte) => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            })
    };
    let found = description.as_bytes().windows(36).find(|w| is_uuid(w))?;
    String::from_utf8(found.to_vec()).ok()
}

#[cfg(test)]
mod tests;
