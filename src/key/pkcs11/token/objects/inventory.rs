//! What is on a token under our labels and ids, and how it makes room.

use std::fmt::Write as _;

use cryptoki::error::{Error as Cause, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::error::{Error, Result};
use crate::key::pkcs11::ids::Ids;
use crate::key::pkcs11::module::refused;

/// `CKA_LABEL` of both keys.
pub(super) const KEY_LABEL: &str = "tls";
/// `CKA_LABEL` of the certificate.
pub(super) const CERTIFICATE_LABEL: &str = "client";
/// The ids of keys; fioconfig's rotation goes from one to the other.
pub(super) const KEY_IDS: [u8; 2] = [1, 7];
/// The ids of certificates, likewise.
pub(super) const CERTIFICATE_IDS: [u8; 2] = [3, 9];

/// An object on the token.
#[derive(Debug, Clone)]
pub(super) struct Found {
    handle: ObjectHandle,
    class: Option<ObjectClass>,
    pub(super) id: Vec<u8>,
    label: String,
}

impl Found {
    fn is_key(&self) -> bool {
        matches!(
            self.class,
            Some(ObjectClass::PRIVATE_KEY | ObjectClass::PUBLIC_KEY)
        )
    }

    fn is_certificate(&self) -> bool {
        self.class == Some(ObjectClass::CERTIFICATE)
    }

    fn is(&self, part: Part) -> bool {
        match part {
            Part::Keys => self.is_key(),
            Part::Certificate => self.is_certificate(),
        }
    }

    fn description(&self) -> String {
        let class = match self.class {
            Some(ObjectClass::PRIVATE_KEY) => "private key",
            Some(ObjectClass::PUBLIC_KEY) => "public key",
            Some(ObjectClass::CERTIFICATE) => "certificate",
            _ => "object",
        };
        let mut text = format!("{class} {:?} id ", self.label);
        for byte in &self.id {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// A half of a registration's objects; both halves alternate between two ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Keys,
    Certificate,
}

impl Part {
    fn label(self) -> &'static str {
        match self {
            Part::Keys => KEY_LABEL,
            Part::Certificate => CERTIFICATE_LABEL,
        }
    }

    fn ids(self) -> [u8; 2] {
        match self {
            Part::Keys => KEY_IDS,
            Part::Certificate => CERTIFICATE_IDS,
        }
    }

    pub(super) fn of(self, ids: Ids) -> u8 {
        match self {
            Part::Keys => ids.key,
            Part::Certificate => ids.certificate,
        }
    }
}

pub(super) fn destroy<'a>(
    session: &Session,
    objects: impl Iterator<Item = &'a Found>,
) -> Result<()> {
    for object in objects {
        match session.destroy_object(object.handle) {
            // Some tokens remove the public key with the private one.
            Ok(()) | Err(Cause::Pkcs11(RvError::ObjectHandleInvalid, _)) => {}
            Err(cause) => {
                let message = format!("the token did not remove its {}", object.description());
                return Err(refused(message, cause));
            }
        }
    }
    Ok(())
}

pub(super) fn list(objects: &[Found]) -> String {
    let words: Vec<String> = objects.iter().map(Found::description).collect();
    words.join(", ")
}

pub(super) fn search(session: &Session, template: &[Attribute]) -> Result<Vec<Found>> {
    let unread = |cause| refused("the token did not search its objects", cause);
    let wanted = [
        AttributeType::Class,
        AttributeType::Id,
        AttributeType::Label,
    ];
    let handles = session.find_objects(template).map_err(unread)?;
    handles
        .into_iter()
        .map(|handle| {
            let mut found = Found {
                handle,
                class: None,
                id: Vec::new(),
                label: String::new(),
            };
            for attribute in session.get_attributes(handle, &wanted).map_err(unread)? {
                match attribute {
                    Attribute::Class(class) => found.class = Some(class),
                    Attribute::Id(id) => found.id = id,
                    Attribute::Label(label) => {
                        found.label = String::from_utf8_lossy(&label).into_owned();
                    }
                    _ => {}
                }
            }
            Ok(found)
        })
        .collect()
}

/// What has the label of this part, and is of its class.
pub(super) fn labelled(session: &Session, part: Part) -> Result<Vec<Found>> {
    let mut found = search(session, &[Attribute::Label(part.label().into())])?;
    found.retain(|object| object.is(part));
    Ok(found)
}

pub(super) fn missing(what: String) -> Error {
    Error::registration(format!("the token has no {what}"))
        .hint("register again: lmp-device-register --force 1")
}

/// The first id of this part that nothing has. Consumers look for id and class only, so that an
/// object of another label is in the way too. If both ids are taken, what has our label and is not
/// in use makes room.
pub(super) fn free_id(
    session: &Session,
    part: Part,
    replace: bool,
    in_use: Option<Ids>,
) -> Result<u8> {
    let mut in_the_way = Vec::new();
    let in_use = in_use.map(|ids| part.of(ids));
    let mut removable = None;
    for id in part.ids() {
        let mut holders = search(session, &[Attribute::Id(vec![id])])?;
        holders.retain(|object| object.is(part));
        if holders.is_empty() && in_use != Some(id) {
            return Ok(id);
        }
        let ours = holders.iter().all(|object| object.label == part.label());
        if replace && ours && in_use != Some(id) && removable.is_none() {
            removable = Some((id, holders.clone()));
        }
        in_the_way.extend(holders);
    }
    if let Some((id, holders)) = removable {
        destroy(session, holders.iter())?;
        return Ok(id);
    }
    let [first, second] = part.ids();
    Err(Error::token(format!(
            "the ids {first:02x} and {second:02x} are both taken on the token: {}",
            list(&in_the_way)
        ),
    )
    .hint("remove or renumber one of these objects: pkcs11-tool --module PATH --login --delete-object"))
}
