//! The key pair: made once, found again, never read out.

use cryptoki::error::{Error as Cause, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::inventory::{KEY_LABEL, missing};
use crate::error::{Error, Result};
use crate::key::pkcs11::encoding::{P256, point, wrapped};
use crate::key::pkcs11::ids::NoDerive;
use crate::key::pkcs11::module::refused;
use crate::key::point::POINT_BYTES;

/// Generates the pair with `CKA_DERIVE`, else without.
pub(super) fn generate(
    session: &Session,
    id: u8,
) -> Result<(ObjectHandle, ObjectHandle, Option<NoDerive>)> {
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(P256.to_vec()),
        Attribute::Label(KEY_LABEL.into()),
        Attribute::Id(vec![id]),
    ];
    let mut private = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(KEY_LABEL.into()),
        Attribute::Id(vec![id]),
        Attribute::Derive(true),
    ];
    let unmade = |cause| refused("the token did not make a key pair", cause);
    let mechanism = Mechanism::EccKeyPairGen;
    let code = match session.generate_key_pair(&mechanism, &public, &private) {
        Ok((public, private)) => return Ok((public, private, None)),
        Err(Cause::Pkcs11(code, _)) if may_be_derive(code) => code,
        Err(cause) => return Err(unmade(cause)),
    };
    private.pop();
    let (public, private) = session
        .generate_key_pair(&mechanism, &public, &private)
        .map_err(unmade)?;
    let downgrade = NoDerive {
        warning: "this token makes no EC key with CKA_DERIVE: the key signs, but fioconfig cannot \
                  decrypt configuration with it (ECDH1-DERIVE)",
        failed: matches!(code, RvError::FunctionFailed | RvError::GeneralError),
    };
    Ok((public, private, Some(downgrade)))
}

/// The codes by which tokens refuse an attribute.
pub(super) fn may_be_derive(code: RvError) -> bool {
    matches!(
        code,
        RvError::TemplateInconsistent
            | RvError::AttributeValueInvalid
            | RvError::AttributeTypeInvalid
            | RvError::AttributeReadOnly
            | RvError::KeyFunctionNotPermitted
            | RvError::ArgumentsBad
            | RvError::FunctionFailed
            | RvError::GeneralError
    )
}

/// (`CKA_SENSITIVE`, `CKA_EXTRACTABLE`); what a token does not tell counts as bad.
pub(super) fn secrecy(session: &Session, private: ObjectHandle) -> Result<(bool, bool)> {
    let wanted = [AttributeType::Sensitive, AttributeType::Extractable];
    let (mut sensitive, mut extractable) = (false, true);
    let read = session.get_attributes(private, &wanted);
    for attribute in read.map_err(|cause| refused("the token did not describe its key", cause))? {
        match attribute {
            Attribute::Sensitive(is) => sensitive = is,
            Attribute::Extractable(is) => extractable = is,
            _ => {}
        }
    }
    Ok((sensitive, extractable))
}

pub(super) fn find_private(session: &Session, id: u8) -> Result<ObjectHandle> {
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Id(vec![id]),
    ];
    let found = session
        .find_objects(&template)
        .map_err(|cause| refused("the token did not search its objects", cause))?;
    match found[..] {
        [handle] => Ok(handle),
        [] => Err(missing(format!("private key with id {id:02x}"))),
        _ => Err(Error::token(format!(
            "the token has {} private keys with id {id:02x}",
            found.len()
        ))),
    }
}

/// The point of the public key object; `None` if there is no such object.
pub(super) fn find_public(session: &Session, id: u8) -> Result<Option<[u8; POINT_BYTES]>> {
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Id(vec![id]),
    ];
    let found = session
        .find_objects(&template)
        .map_err(|cause| refused("the token did not search its objects", cause))?;
    let Some(handle) = found.first() else {
        return Ok(None);
    };
    match read_point(session, *handle)? {
        Some(bytes) => point(&bytes).map(Some),
        None => Err(Error::token(
            "the token's public key object does not tell its key",
        )),
    }
}

pub(super) fn read_point(session: &Session, handle: ObjectHandle) -> Result<Option<Vec<u8>>> {
    let attributes = session
        .get_attributes(handle, &[AttributeType::EcPoint])
        .map_err(|cause| refused("the token did not tell its public key", cause))?;
    Ok(attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::EcPoint(bytes) => Some(bytes),
            _ => None,
        }))
}

/// A public key object for a token that keeps it implied: fioconfig fails without one.
pub(super) fn create_public(
    session: &Session,
    id: u8,
    public: ObjectHandle,
    private: ObjectHandle,
) -> Result<[u8; POINT_BYTES]> {
    let from = |handle| read_point(session, handle).ok().flatten();
    let bytes = from(public)
        .or_else(|| from(private))
        .ok_or_else(|| Error::token("the token does not tell the public key that it made"))?;
    let point = point(&bytes)?;
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(P256.to_vec()),
        Attribute::EcPoint(wrapped(&point)),
        Attribute::Label(KEY_LABEL.into()),
        Attribute::Id(vec![id]),
    ];
    session
        .create_object(&template)
        .map_err(|cause| refused("the token did not store the public key", cause))?;
    Ok(point)
}
