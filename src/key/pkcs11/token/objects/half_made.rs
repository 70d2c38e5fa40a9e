//! Objects that a crash left half made.
//!
//! `SoftHSM` writes an object in some thirty steps, each of them visible, and gives it its label and
//! id in one of the last. What was cut off before that has nothing by which it could be told to be
//! ours, but nothing by which anybody could use it either.

use cryptoki::error::{Error as Cause, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::error::Result;
use crate::key::pkcs11::module::refused;

/// Removes all of them. Lists the whole token: for a run that follows an interrupted one.
pub(super) fn remove(session: &Session) -> Result<()> {
    let unread = |cause| refused("the token did not list its objects", cause);
    for handle in session.find_objects(&[]).map_err(unread)? {
        if is_half_made(session, handle).map_err(unread)? {
            session
                .destroy_object(handle)
                .map_err(|cause| refused("the token did not remove a half made object", cause))?;
        }
    }
    Ok(())
}

fn is_half_made(session: &Session, handle: ObjectHandle) -> cryptoki::error::Result<bool> {
    let read = |wanted: &[AttributeType]| match session.get_attributes(handle, wanted) {
        // SoftHSM's answer for an object that has no class yet.
        Err(Cause::Pkcs11(RvError::AttributeValueInvalid, _)) => Ok(Vec::new()),
        other => other,
    };
    let name = read(&[
        AttributeType::Class,
        AttributeType::Label,
        AttributeType::Id,
    ])?;
    if !is_nameless(&name) {
        return Ok(false);
    }
    let content: &[AttributeType] = match class(&name) {
        None => return Ok(true),
        Some(ObjectClass::PUBLIC_KEY | ObjectClass::PRIVATE_KEY) => {
            &[AttributeType::KeyType, AttributeType::EcParams]
        }
        Some(ObjectClass::CERTIFICATE) => &[AttributeType::Value],
        // We make no other.
        Some(_) => return Ok(false),
    };
    Ok(is_empty(&read(content)?))
}

fn class(attributes: &[Attribute]) -> Option<ObjectClass> {
    attributes.iter().find_map(|attribute| match attribute {
        Attribute::Class(class) => Some(*class),
        _ => None,
    })
}

fn is_nameless(attributes: &[Attribute]) -> bool {
    attributes.iter().all(|attribute| match attribute {
        Attribute::Label(bytes) | Attribute::Id(bytes) => bytes.is_empty(),
        _ => true,
    })
}

/// An EC key without a curve, a certificate without bytes.
fn is_empty(attributes: &[Attribute]) -> bool {
    attributes.iter().all(|attribute| match attribute {
        Attribute::KeyType(kind) => *kind == KeyType::EC,
        Attribute::EcParams(bytes) | Attribute::Value(bytes) => bytes.is_empty(),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_enough() {
        assert!(is_nameless(&[]));
        assert!(is_nameless(&[
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(Vec::new()),
            Attribute::Id(Vec::new()),
        ]));
        assert!(!is_nameless(&[Attribute::Label(b"x".to_vec())]));
        assert!(!is_nameless(&[
            Attribute::Label(Vec::new()),
            Attribute::Id(vec![0]),
        ]));
    }

    #[test]
    fn content_is_a_curve_a_certificate_or_another_kind_of_key() {
        assert!(is_empty(&[]));
        assert!(is_empty(&[
            Attribute::KeyType(KeyType::EC),
            Attribute::EcParams(Vec::new()),
        ]));
        assert!(!is_empty(&[
            Attribute::KeyType(KeyType::EC),
            Attribute::EcParams(vec![6]),
        ]));
        assert!(!is_empty(&[Attribute::KeyType(KeyType::RSA)]));
        assert!(!is_empty(&[Attribute::Value(vec![48])]));
    }
}
