//! Pure: `/etc/sota/hsm`, assignments as a shell reads them, without a shell.
//!
//! A file that is incomplete or misspelt is an error: falling back to a software key would give
//! the device a weaker identity than its owner asked for.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HsmFile {
    /// `HSM_MODULE`, path of the PKCS#11 library.
    pub module: String,
    /// `HSM_PIN`, the user PIN.
    pub pin: Secret,
    /// `HSM_SOPIN`, the security officer PIN.
    pub so_pin: Secret,
}

const NAMES: [&str; 3] = ["HSM_MODULE", "HSM_PIN", "HSM_SOPIN"];

/// What is wrong with the file; never its text, which may be a PIN.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each is its documentation")]
pub enum Wrong {
    #[error("line {0} is no assignment")]
    NoAssignment(usize),
    #[error("line {0} sets {1}, which means nothing here")]
    Unknown(usize, String),
    #[error("line {0} sets {1} again")]
    Again(usize, &'static str),
    #[error("line {0} gives {1} a value that only a shell could work out")]
    NoWord(usize, &'static str),
    #[error("line {0} leaves {1} empty")]
    Empty(usize, &'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
}

impl Wrong {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Wrong::Missing(_) => {
                "set HSM_MODULE, HSM_PIN and HSM_SOPIN; no software key is made instead"
            }
            _ => {
                "it takes HSM_MODULE=, HSM_PIN= and HSM_SOPIN=, each once, with plain or quoted \
                 values"
            }
        }
    }
}

/// Reads assignments: blank lines, comments, `export`, bare or quoted values.
///
/// # Errors
/// What is wrong, with the line's number.
pub fn parse(text: &str) -> Result<HsmFile, Wrong> {
    let mut found: [Option<Secret>; 3] = [None, None, None];
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = line.strip_prefix("export ").map_or(line, str::trim_start);
        let (name, value) = assignment
            .split_once('=')
            .ok_or(Wrong::NoAssignment(number))?;
        let Some(place) = NAMES.iter().position(|known| *known == name) else {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            return Err(if !name.is_empty() && name.bytes().all(plain) {
                Wrong::Unknown(number, name.to_owned())
            } else {
                Wrong::NoAssignment(number)
            });
        };
        let name = NAMES[place];
        if found[place].is_some() {
            return Err(Wrong::Again(number, name));
        }
        let value = shell_word(value).ok_or(Wrong::NoWord(number, name))?;
        if value.expose().is_empty() {
            return Err(Wrong::Empty(number, name));
        }
        found[place] = Some(value);
    }
    let [module, pin, so_pin] = found;
    let [module_name, pin_name, so_pin_name] = NAMES;
    Ok(HsmFile {
        module: module
            .ok_or(Wrong::Missing(module_name))?
            .expose()
            .to_owned(),
        pin: pin.ok_or(Wrong::Missing(pin_name))?,
        so_pin: so_pin.ok_or(Wrong::Missing(so_pin_name))?,
    })
}

/// One word without expansions (POSIX shell, section 2.2): `None` if a shell would do more than
/// take off quotes, or if something but a comment follows.
fn shell_word(source: &str) -> Option<Secret> {
    // Never larger than its source: a word that grows would leave copies of itself behind.
    let mut word = Zeroizing::new(String::with_capacity(source.len()));
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => loop {
                match characters.next()? {
                    '\'' => break,
                    literal => word.push(literal),
                }
            },
            '"' => loop {
                match characters.next()? {
                    '"' => break,
                    '$' | '`' => return None,
                    '\\' => match characters.next()? {
                        escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                        other => word.extend(['\\', other]),
                    },
                    literal => word.push(literal),
                }
            },
            '\\' => word.push(characters.next()?),
            '$' | '`' | ';' | '&' | '|' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '~' => {
                return None;
            }
            ' ' | '\t' => {
                // What follows may be a part of the PIN that somebody forgot to quote.
                let next = characters.find(|next| !next.is_whitespace());
                return next.is_none_or(|next| next == '#').then(|| word.into());
            }
            plain => word.push(plain),
        }
    }
    Some(word.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_as_a_shell_reads_them() {
        let file = parse(
            "# the token\nHSM_MODULE=\"/usr/lib/soft hsm.so\"\n\nexport HSM_PIN='12\"34'\n  \
             HSM_SOPIN=a\\ b\"c\\\"\"   # why\n",
        )
        .unwrap();
        assert_eq!(file.module, "/usr/lib/soft hsm.so");
        assert_eq!(file.pin.expose(), "12\"34");
        assert_eq!(file.so_pin.expose(), "a bc\"");
    }

    #[test]
    fn a_partial_or_misspelt_file_is_an_error() {
        let whole = "HSM_MODULE=/m\nHSM_PIN=1234\nHSM_SOPIN=5678\n";
        assert!(parse(whole).is_ok());
        let broken = [
            whole.replace("HSM_PIN=", "HSM_PI="),
            whole.replace("HSM_PIN=1234\n", ""),
            whole.replace("HSM_SOPIN=5678\n", ""),
            whole.replace("HSM_MODULE=/m\n", ""),
            whole.replace("1234", ""),
            whole.replace("1234", "\"1234"),
            whole.replace("1234", "$(cat /pin)"),
            whole.replace("1234", "\"$PIN\""),
            whole.replace("1234", "1234; rm -rf /"),
            whole.replace("1234", "1234 5678"),
            whole.replace("HSM_PIN=", "HSM_PIN = "),
            whole.replace("HSM_PIN=", "hsm_pin="),
            format!("{whole}HSM_PIN=4321\n"),
            format!("{whole}echo hello\n"),
            String::new(),
        ];
        for text in broken {
            let error = parse(&text).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("1234"),
                "a PIN in {error}"
            );
        }
    }
}
