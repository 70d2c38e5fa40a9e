//! The code that a person reads off a device and types (RFC 8628, 6.1): eight of twenty consonants,
//! which spell no word and have no look-alikes, shown in two groups.

use crate::error::Error;

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const GROUP: usize = 4;

/// A code with 34 bits of chance, as it is shown: `WDJB-MJHT`.
pub(crate) fn generate() -> Result<String, Error> {
    let mut letters = String::new();
    while letters.len() < 2 * GROUP {
        let mut byte = [0];
        getrandom::fill(&mut byte)?;
        // 240 is the largest multiple of 20 in a byte: above it, some letters would be likelier.
        if byte[0] < 240 {
            letters.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
        }
    }
    Ok(shown(&letters))
}

/// What a person typed, as it is shown: case, spaces and dashes do not matter. `None` if it cannot be a
/// code.
pub(crate) fn normalise(typed: &str) -> Option<String> {
    let mut letters = String::new();
    for letter in typed.chars() {
        let letter = letter.to_ascii_uppercase();
        if letter.is_ascii_whitespace() || letter == '-' || letter == '_' {
            continue;
        }
        if !LETTERS.contains(&u8::try_from(letter).ok()?) || letters.len() == 2 * GROUP {
            return None;
        }
        letters.push(letter);
    }
    (letters.len() == 2 * GROUP).then(|| shown(&letters))
}

fn shown(letters: &str) -> String {
    let (first, second) = letters.split_at(GROUP);
    format!("{first}-{second}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_read_back_however_it_is_typed() {
        let code = generate().unwrap();
        assert_eq!(code.len(), 9);
        assert_eq!(normalise(&code).as_ref(), Some(&code));
        let sloppy = format!("  {} ", code.to_lowercase().replace('-', " "));
        assert_eq!(normalise(&sloppy), Some(code));
    }

    #[test]
    fn refuses_what_cannot_be_a_code() {
        for typed in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTT",
            "WDJB-MJH1",
            "AEIO-UAEI",
            "WDJB\u{2011}MJHé",
        ] {
            assert_eq!(normalise(typed), None, "{typed}");
        }
    }
}
