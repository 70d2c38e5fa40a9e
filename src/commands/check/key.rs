//! The private key, in its file or on its token, and whether the certificate is for it.

use std::sync::Arc;

use super::facts::{Facts, needed};
use super::finding::Outcome;
use crate::board::clock;
use crate::error::{Error, Result};
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{Access, Ids, Token};
use crate::key::{DeviceKey, SoftwareKey};
use crate::sota::files::PRIVATE_KEY;
use crate::sota::installed::{required_text, token_settings, unusable};

pub(super) fn private_key(facts: &mut Facts) -> Result<Outcome> {
    let certificate = needed(facts.certificate.as_ref())?;
    let mut warnings = Vec::new();
    let settings = token_settings(needed(facts.configuration.as_ref())?)?;
    let key = if let Some((settings, ids)) = settings {
        let token = facts.token.insert(Token::open(&settings, Access::Read)?);
        warnings = token.log_in()?;
        key_on_token(token, ids, certificate)?
    } else {
        let pem = required_text(needed(facts.sota.as_ref())?, PRIVATE_KEY)?;
        DeviceKey::software(SoftwareKey::from_pem(&pem).map_err(Error::registration)?)
    };
    facts.key = Some(Arc::new(key));
    Ok(Outcome::of(warnings))
}

/// The key, after checking that key and certificate on the token are those of this registration,
/// and that the key can never leave it.
fn key_on_token(token: &Token, ids: Ids, certificate: &DeviceCertificate) -> Result<DeviceKey> {
    let objects = token.objects(ids)?;
    if !objects.sensitive || objects.extractable {
        return Err(unusable(
            "the private key on the token can be read out: it is not SENSITIVE, or EXTRACTABLE",
        ));
    }
    if objects.certificate != certificate.der.as_ref() {
        return Err(unusable(
            "the certificate on the token is another than client.pem",
        ));
    }
    token.find_key(ids).map(DeviceKey::on_token)
}

pub(super) fn pair(facts: &mut Facts) -> Result<Outcome> {
    let public_key = needed(facts.key.as_ref())?.public_key_info();
    let certificate = needed(facts.certificate.as_ref())?;
    certificate.check_key(&public_key).map_err(unusable)?;
    Ok(Outcome::Ok)
}

pub(super) fn validity(facts: &mut Facts) -> Result<Outcome> {
    let certificate = needed(facts.certificate.as_ref())?;
    let warning = certificate.check_validity(clock::now()).map_err(unusable)?;
    Ok(Outcome::of(warning.into_iter().collect()))
}
