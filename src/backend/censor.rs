//! Pure: cuts secrets out of what a server says back, in whatever form it says them. Never shows why.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reqwest::header::HeaderMap;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::Secret;

/// Shorter words of a header are no secret and may be part of any text.
const SHORTEST: usize = 8;
/// What stands where a secret stood.
const CUT: &str = "[secret]";

/// The secrets of one conversation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Censor(Vec<Secret>);

impl Censor {
    /// The secrets in headers: each word, and what it is the base64 of.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let words = headers.values().filter(|value| value.is_sensitive());
        let words = words.filter_map(|value| value.to_str().ok());
        let mut censor = Self::default();
        for word in words.flat_map(str::split_whitespace) {
            let decoded = Zeroizing::new(STANDARD.decode(word).unwrap_or_default());
            let decoded = std::str::from_utf8(&decoded).unwrap_or_default();
            censor = censor.and(&Secret::from(word)).and(&Secret::from(decoded));
        }
        censor
    }

    /// With another secret.
    pub(super) fn and(mut self, secret: &Secret) -> Self {
        if secret.expose().len() >= SHORTEST {
            self.0.push(secret.clone());
        }
        self
    }

    /// `text` without the secrets. A text that hides one behind escapes is shown without its escapes.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = self.without_encoded(text);
        for plain in [without_json, without_percent] {
            let decoded = plain(&text);
            let cut = self.without(&decoded);
            if cut != decoded {
                text = cut;
            }
        }
        text
    }

    /// An error about what a server said.
    pub(super) fn clean_error(&self, error: Error) -> Error {
        let (said, hint) = (error.full_message(), error.hint_text().unwrap_or_default());
        let (clean, clean_hint) = (self.clean(&said), self.clean(hint));
        if clean == said && clean_hint == hint {
            return error;
        }
        let cleaned = Error::new(error.kind(), clean);
        if clean_hint.is_empty() {
            cleaned
        } else {
            cleaned.hint(clean_hint)
        }
    }

    fn without(&self, text: &str) -> String {
        let secrets = self.0.iter();
        secrets.fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), CUT)
        })
    }

    /// Without the secrets, and without those in base64, wherever they begin in what is encoded.
    fn without_encoded(&self, text: &str) -> String {
        let mut text = self.without(text);
        let alphabets: [&GeneralPurpose; 2] = [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
        for secret in &self.0 {
            for (alphabet, before) in alphabets.iter().flat_map(|a| (0..3).map(move |n| (a, n))) {
                let mut bytes = Zeroizing::new(vec![0; before]);
                bytes.extend_from_slice(secret.expose().as_bytes());
                let encoded = Zeroizing::new(alphabet.encode(&*bytes));
                // The characters at its ends hold bits of what stands beside it, too.
                let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
                text = text.replace(&encoded[own], CUT);
            }
        }
        text
    }
}

/// Without the escapes of JSON strings (RFC 8259 section 7), as far as a secret can hold what they
/// stand for.
fn without_json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = escape.strip_prefix('u').and_then(|hex| hex.get(..4));
        let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let mut after = escape.chars();
        if let Some(character) = code.and_then(char::from_u32) {
            plain.push(character);
            rest = &escape[5..];
        } else {
            plain.extend(after.next());
            rest = after.as_str();
        }
    }
    plain + rest
}

/// Without percent-encoding (RFC 3986 section 2.1).
fn without_percent(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(code.unwrap_or(*byte));
        rest = code.map_or(after, |_| &after[2..]);
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    const TOKEN: &str = "acce55?t0ken/\u{fc}>";

    fn censor() -> Censor {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", STANDARD.encode(TOKEN))).unwrap();
        value.set_sensitive(true);
        Censor::of_headers(&HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    #[test]
    fn every_form() {
        let encoded = STANDARD.encode(TOKEN);
        let json = TOKEN.replace('/', "\\/").replace('\u{fc}', "\\u00fc");
        let percent = TOKEN
            .bytes()
            .fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
        let some = form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect::<String>();
        let mut forms = vec![TOKEN.to_owned(), encoded.clone(), json, percent, some];
        for before in ["", "u", "u:", "u:p"] {
            let pair = format!("{before}{TOKEN}:");
            forms.extend([STANDARD.encode(&pair), URL_SAFE_NO_PAD.encode(&pair)]);
        }
        for form in forms {
            let said = censor().clean(&format!("no \\ {form} 100 %"));
            assert!(
                said.starts_with("no ") && said.contains(CUT),
                "{form}: {said}"
            );
            for part in [TOKEN, &encoded[4..12], "t0ken", "%3f", &form] {
                assert!(!said.contains(part), "{form}: {said}");
            }
        }
    }

    #[test]
    fn other_words_stay() {
        for text in [
            "",
            "Bearer",
            "100 % of \\u0041 \\",
            "%",
            "%zz %4",
            "\\u12",
            "ü",
        ] {
            assert_eq!(censor().clean(text), text);
        }
        let error = censor().clean_error(Error::answer("no").hint("but"));
        assert_eq!(
            (error.full_message().as_str(), error.hint_text()),
            ("no", Some("but"))
        );
        let error = Error::answer("no").because(format!("it is {TOKEN}"));
        assert_eq!(
            censor().clean_error(error).full_message(),
            "no: it is [secret]"
        );
    }
}
