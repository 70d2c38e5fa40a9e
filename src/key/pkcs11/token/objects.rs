//! The objects of a registration: key pair and certificate, found by label and id, made, read and
//! removed. Templates do the searching: listing a token takes seconds on some.

use cryptoki::error::{Error as Cause, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeType, CertificateType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::super::ids::{Ids, NoDerive, Room};
use super::super::module::refused;
use super::{Token, TokenKey};
use crate::error::{Error, Result};
use crate::key::certificate::DeviceCertificate;
use crate::key::point::POINT_BYTES;

mod half_made;
mod inventory;
mod pair;

use inventory::{
    CERTIFICATE_IDS, CERTIFICATE_LABEL, KEY_IDS, Part, destroy, free_id, labelled, list, missing,
};
use pair::{create_public, find_private, find_public, generate, secrecy};

impl Token {
    /// Finds ids for a new pair. Objects of an earlier registration are an error unless `replace`;
    /// those that `in_use` names are never touched.
    pub(crate) fn room(&self, replace: bool, in_use: Option<Ids>) -> Result<Room> {
        let fresh = Room {
            ids: Ids {
                key: KEY_IDS[0],
                certificate: CERTIFICATE_IDS[0],
            },
            supersedes: false,
        };
        if self.just_initialised {
            return Ok(fresh);
        }
        self.with_session(|session| {
            let mut ours = labelled(session, Part::Keys)?;
            ours.extend(labelled(session, Part::Certificate)?);
            if !ours.is_empty() && !replace {
                return Err(Error::token(format!(
                    "the token {:?} holds objects of an earlier registration: {}",
                    self.facts.label,
                    list(&ours)
                ))
                .hint("give --force 1 to replace them"));
            }
            let key = free_id(session, Part::Keys, replace, in_use)?;
            let certificate = free_id(session, Part::Certificate, replace, in_use)?;
            Ok(Room {
                ids: Ids { key, certificate },
                supersedes: !ours.is_empty(),
            })
        })
    }

    /// Makes a key pair under `ids.key`, never to leave the token; one with less use if the token
    /// refuses the use that fioconfig needs. After an error, what was made has to be removed with
    /// [`Token::remove`].
    pub(crate) fn make_key(&self, ids: Ids) -> Result<(TokenKey, Option<NoDerive>)> {
        self.with_session(|session| {
            let (public, private, downgrade) = generate(session, ids.key)?;
            let secrecy = secrecy(session, private)?;
            if secrecy != (true, false) {
                return Err(Error::token(
                    "the token made a private key that can be read out",
                ));
            }
            let point = match find_public(session, ids.key)? {
                Some(point) => point,
                None => create_public(session, ids.key, public, private)?,
            };
            Ok((self.key(private, point)?, downgrade))
        })
    }

    /// Whether both keys are there under `ids.key` and our label.
    pub(crate) fn holds_key(&self, ids: Ids) -> Result<bool> {
        let found = self.with_session(|session| labelled(session, Part::Keys))?;
        Ok(found.iter().filter(|key| key.id == [ids.key]).count() == 2)
    }

    /// The key pair under `ids.key`, as an earlier run or registration made it.
    pub(crate) fn find_key(&self, ids: Ids) -> Result<TokenKey> {
        self.with_session(|session| {
            let private = find_private(session, ids.key)?;
            let point = find_public(session, ids.key)?.ok_or_else(|| {
                missing(format!("public key object with id {:02x}", ids.key))
                    .hint("fioconfig needs it too; register again: --force 1")
            })?;
            self.key(private, point)
        })
    }

    fn key(&self, private: ObjectHandle, point: [u8; POINT_BYTES]) -> Result<TokenKey> {
        // Some tokens hash themselves and know nothing else.
        let context = self.module.context();
        let hashes = match context.get_mechanism_info(self.slot, MechanismType::ECDSA) {
            Ok(_) => false,
            Err(Cause::Pkcs11(RvError::MechanismInvalid, _)) => true,
            Err(cause) => return Err(refused("the token did not tell how it signs", cause)),
        };
        Ok(TokenKey::new(
            std::sync::Arc::clone(&self.session),
            private,
            hashes,
            point,
        ))
    }

    /// Whether the private key under `ids.key` can be read out.
    pub(crate) fn is_readable(&self, ids: Ids) -> Result<bool> {
        let secrecy =
            self.with_session(|session| secrecy(session, find_private(session, ids.key)?))?;
        Ok(secrecy != (true, false))
    }

    /// The certificate under `ids.certificate`, DER.
    pub(crate) fn certificate(&self, ids: Ids) -> Result<Vec<u8>> {
        self.with_session(|session| read_certificate(session, ids.certificate))?
            .ok_or_else(|| missing(format!("certificate with id {:02x}", ids.certificate)))
    }

    /// Whether the certificate is on the token, and no other one under its id; needs no login.
    pub(crate) fn has_certificate(
        &self,
        ids: Ids,
        certificate: &DeviceCertificate,
    ) -> Result<bool> {
        let found = self.with_session(|session| read_certificate(session, ids.certificate))?;
        match found {
            None => Ok(false),
            Some(der) if der == certificate.der.as_ref() => Ok(true),
            Some(_) => Err(Error::token(format!(
                "another certificate has appeared on the token with id {:02x}",
                ids.certificate
            ))
            .hint("another program writes to this token: stop it, and remove that certificate")),
        }
    }

    /// Stores the certificate under `ids.certificate`.
    pub(crate) fn import_certificate(
        &self,
        ids: Ids,
        certificate: &DeviceCertificate,
    ) -> Result<()> {
        let attributes = certificate.token_attributes().map_err(Error::answer)?;
        let template = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Label(CERTIFICATE_LABEL.into()),
            Attribute::Id(vec![ids.certificate]),
            Attribute::Subject(attributes.subject),
            Attribute::Issuer(attributes.issuer),
            Attribute::SerialNumber(attributes.serial_number),
            Attribute::Value(certificate.der.to_vec()),
        ];
        self.with_session(|session| {
            session
                .create_object(&template)
                .map(drop)
                .map_err(|cause| refused("the token did not store the certificate", cause))
        })
    }

    /// Removes what has these ids and our labels.
    pub(crate) fn remove(&self, ids: Ids) -> Result<()> {
        self.remove_where(|part, id| id == [part.of(ids)])
    }

    /// Removes what has our labels and other ids.
    pub(crate) fn remove_others(&self, ids: Ids) -> Result<()> {
        self.remove_where(|part, id| id != [part.of(ids)])
    }

    /// Removes everything that has our labels.
    pub(crate) fn remove_all(&self) -> Result<()> {
        self.remove_where(|_, _| true)
    }

    /// Removes what a crash left half made: objects that have no name and nothing in them.
    pub(crate) fn remove_half_made(&self) -> Result<()> {
        self.with_session(half_made::remove)
    }

    fn remove_where(&self, wanted: impl Fn(Part, &[u8]) -> bool) -> Result<()> {
        self.with_session(|session| {
            for part in [Part::Keys, Part::Certificate] {
                let found = labelled(session, part)?;
                destroy(
                    session,
                    found.iter().filter(|object| wanted(part, &object.id)),
                )?;
            }
            Ok(())
        })
    }
}

fn read_certificate(session: &Session, id: u8) -> Result<Option<Vec<u8>>> {
    let unread = |cause| refused("the token did not search its certificates", cause);
    let template = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::Id(vec![id]),
    ];
    let Some(handle) = session.find_objects(&template).map_err(unread)?.pop() else {
        return Ok(None);
    };
    let attributes = session
        .get_attributes(handle, &[AttributeType::Value])
        .map_err(unread)?;
    Ok(attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::Value(der) => Some(der),
            _ => None,
        }))
}
