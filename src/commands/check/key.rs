//! Certificate and private key, in the files or on the token that `sota.toml` names.

use std::sync::Arc;

use super::facts::{Facts, needed};
use super::finding::Outcome;
use crate::board::clock;
use crate::error::{Error, Result};
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{Access, Token};
use crate::key::{DeviceKey, SoftwareKey};
use crate::sota::files::CONFIGURATION;
use crate::sota::installed::{required_text, token_settings, unusable, unusable_file};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Opens the token, and says who else may read a secret.
pub(super) fn store(facts: &mut Facts) -> Result<Outcome> {
    let mut warnings = Vec::new();
    let settings = token_settings(needed(facts.configuration.as_ref())?)?;
    let (secret, others, ok) = if let Some((settings, ids)) = settings {
        let mut token = Token::open(&settings, Access::Read)?;
        for warning in token.log_in()? {
            warnings.push((warning, None));
        }
        let (label, serial) = (token.label(), token.serial());
        let ok = format!("the token {label:?}, serial {serial:?}");
        facts.token = Some((token, ids));
        // It holds the PIN. The configuration daemon lets its group read it.
        (CONFIGURATION.to_owned(), 0o007, ok)
    } else {
        let path = facts.imported("tls_pkey_path")?;
        (path, 0o077, "files".to_owned())
    };
    let sota = needed(facts.sota.as_ref())?;
    let mode = sota.permissions(&secret)?;
    if let Some(mode) = mode.filter(|mode| mode & others != 0) {
        let path = sota.path().join(secret);
        warnings.push((
            format!("{path:?} has mode {mode:o}: others than its owner may read its secret"),
            Some(format!("chmod 600 {path:?}")),
        ));
    }
    Ok(Outcome::of(warnings, ok))
}

pub(super) fn certificate(facts: &mut Facts) -> Result<Outcome> {
    let (certificate, ok) = if let Some((token, ids)) = &facts.token {
        let ok = format!("on the token with id {:02x}", ids.certificate);
        let der = token.certificate(*ids)?;
        (
            DeviceCertificate::from_der(der.into()).map_err(unusable),
            ok,
        )
    } else {
        let path = facts.imported("tls_clientcert_path")?;
        let pem = required_text(needed(facts.sota.as_ref())?, &path)?;
        let certificate = DeviceCertificate::from_pem(&pem);
        (certificate.map_err(unusable_file(&path)), path)
    };
    facts.certificate = Some(certificate?);
    Ok(Outcome::Ok(ok))
}

/// A key on a token must never leave it.
pub(super) fn private_key(facts: &mut Facts) -> Result<Outcome> {
    let (key, ok) = if let Some((token, ids)) = &facts.token {
        if token.is_readable(*ids)? {
            return Err(unusable(
                "the private key on the token can be read out: it is not SENSITIVE, or EXTRACTABLE",
            ));
        }
        let ok = format!("on the token with id {:02x}", ids.key);
        (DeviceKey::on_token(token.find_key(*ids)?), ok)
    } else {
        let path = facts.imported("tls_pkey_path")?;
        let pem = required_text(needed(facts.sota.as_ref())?, &path)?;
        let key = SoftwareKey::from_pem(&pem).map_err(unusable_file(&path))?;
        (DeviceKey::software(key), path)
    };
    facts.key = Some(Arc::new(key));
    Ok(Outcome::Ok(ok))
}

pub(super) fn pair(facts: &mut Facts) -> Result<Outcome> {
    let public_key = needed(facts.key.as_ref())?.public_key_info();
    let certificate = needed(facts.certificate.as_ref())?;
    certificate.check_key(&public_key).map_err(unusable)?;
    Ok(Outcome::Ok(String::new()))
}

pub(super) fn validity(facts: &mut Facts) -> Result<Outcome> {
    let certificate = needed(facts.certificate.as_ref())?;
    let now = clock::now();
    let early = certificate.check_validity(now).map_err(|flaw| {
        if facts.rotates_alone {
            Error::registration(flaw).hint("finish the key rotation: fioconfig extract")
        } else {
            unusable(flaw).hint(
                "compare the clock: date -u; if it is right, register again: lmp-device-register \
                 --force 1",
            )
        }
    })?;
    let left = certificate.not_after - now;
    // A fifth of a life that is a month long, and a month of one that is twenty years long.
    let soon = (30 * DAY).min((certificate.not_after.saturating_sub(certificate.not_before)) / 5);
    let mut warnings: Vec<_> = early
        .map(|words| (words, Some("compare the clock: date -u".to_owned())))
        .into_iter()
        .collect();
    if left < soon {
        warnings.push((
            format!(
                "the certificate ends on {}, in {} days",
                certificate.not_after_text,
                left / DAY
            ),
            Some(
                "renew it before: fioconfig renew-cert URL, or lmp-device-register --force 1"
                    .to_owned(),
            ),
        ));
    }
    let ok = format!("until {}", certificate.not_after_text);
    Ok(Outcome::of(warnings, ok))
}
