//! The names of this PKI: CN, OU and, for a production device, businessCategory.

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::{BUSINESS_CATEGORY, COMMON_NAME, ORGANIZATIONAL_UNIT_NAME};
use x509_cert::der::{Decode as _, Encode as _, Tag, Tagged as _};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use crate::error::Error;

/// A subject with exactly these attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// CN: the UUID of a device.
    pub(crate) common_name: String,
    /// OU: the factory.
    pub(crate) factory: String,
    /// businessCategory = `production`.
    pub(crate) production: bool,
}

/// Why a name is not a subject of this PKI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubjectError {
    #[error("the subject has no {0}")]
    Missing(&'static str),
    #[error("the subject has more than one {0}")]
    Repeated(ObjectIdentifier),
    #[error("the subject has the attribute {0}, which is not CN, OU or businessCategory")]
    Unknown(ObjectIdentifier),
    #[error("the subject's attribute {0} is not a UTF8String or PrintableString")]
    Encoding(ObjectIdentifier),
    #[error("the subject's businessCategory can only be 'production'")]
    Category,
}

impl Subject {
    pub(crate) fn new(common_name: &str, factory: &str) -> Self {
        Self {
            common_name: common_name.into(),
            factory: factory.into(),
            production: false,
        }
    }

    /// Reads a name in any order of attributes.
    pub(crate) fn read(name: &Name) -> Result<Self, SubjectError> {
        let (mut common_name, mut factory, mut category) = (None, None, None);
        for attribute in name.iter() {
            let slot = match attribute.oid {
                COMMON_NAME => &mut common_name,
                ORGANIZATIONAL_UNIT_NAME => &mut factory,
                BUSINESS_CATEGORY => &mut category,
                other => return Err(SubjectError::Unknown(other)),
            };
            let text = text(&attribute.value).ok_or(SubjectError::Encoding(attribute.oid))?;
            if slot.replace(text).is_some() {
                return Err(SubjectError::Repeated(attribute.oid));
            }
        }
        Ok(Self {
            common_name: common_name.ok_or(SubjectError::Missing("CN"))?,
            factory: factory.ok_or(SubjectError::Missing("OU"))?,
            production: match category.as_deref() {
                None => false,
                Some("production") => true,
                Some(_) => return Err(SubjectError::Category),
            },
        })
    }

    /// The name as we write it: UTF8String, CN before OU.
    pub(crate) fn to_name(&self) -> Result<Name, Error> {
        let Self {
            common_name,
            factory,
            production,
        } = self;
        let mut sequence = RdnSequence::default();
        sequence.push(attribute(COMMON_NAME, common_name)?);
        sequence.push(attribute(ORGANIZATIONAL_UNIT_NAME, factory)?);
        if *production {
            sequence.push(attribute(BUSINESS_CATEGORY, "production")?);
        }
        Ok(Name::from_der(&sequence.to_der()?)?)
    }
}

fn attribute(oid: ObjectIdentifier, text: &str) -> Result<RelativeDistinguishedName, Error> {
    let value = Any::encode_from(&Utf8StringRef::new(text)?)?;
    Ok(vec![AttributeTypeAndValue { oid, value }].try_into()?)
}

fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => value
            .decode_as::<Utf8StringRef<'_>>()
            .ok()
            .map(|text| text.as_str().into()),
        Tag::PrintableString => value
            .decode_as::<PrintableStringRef<'_>>()
            .ok()
            .map(|text| text.as_str().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn survives_the_round_trip() {
        let subject = Subject {
            production: true,
            ..Subject::new("some-uuid", "acme")
        };
        assert_eq!(Subject::read(&subject.to_name().unwrap()), Ok(subject));
    }

    #[test]
    fn refuses_other_names() {
        let read = |text| Subject::read(&Name::from_str(text).unwrap());
        assert_eq!(read("CN=a,OU=b"), Ok(Subject::new("a", "b")));
        assert_eq!(read("CN=a"), Err(SubjectError::Missing("OU")));
        assert!(matches!(
            read("CN=a,OU=b,O=c"),
            Err(SubjectError::Unknown(_))
        ));
        assert!(matches!(
            read("CN=a,OU=b,CN=c"),
            Err(SubjectError::Repeated(_))
        ));
    }
}
