//! Registered and denied devices.

use serde::Serialize;
use sqlx::FromRow;

use super::database::{Statement, Store};
use crate::error::Error;
use crate::time::Timestamp;

/// A registered device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Device {
    /// CN of its certificate.
    pub uuid: String,
    /// The name a person gave it; its UUID if nobody did.
    pub name: String,
    /// OU of its certificate.
    pub factory: String,
    /// The device group it asked for.
    #[sqlx(rename = "device_group")]
    pub group: Option<String>,
    /// The board's type; unknown for a device that the gateway entered.
    pub hardware_id: Option<String>,
    /// Whether its certificate says businessCategory = `production`.
    #[serde(rename = "is-prod")]
    pub production: bool,
    /// SHA-256 of its DER `SubjectPublicKeyInfo`, in lower-case hex.
    pub public_key_sha256: String,
    /// When it was entered.
    pub created_at: Timestamp,
}

/// A certificate that we signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) certificate_pem: String,
    pub(crate) issuer_pem: String,
    /// notAfter.
    pub(crate) ends: Timestamp,
}

/// A device with the certificate that we signed for it, if we did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) device: Device,
    pub(crate) issued: Option<Issued>,
}

impl Entry {
    /// A statement with this entry as $1 to $11, in the order of [`COLUMNS`].
    fn bind<'q>(&'q self, statement: &'q str) -> Statement<'q> {
        let (device, issued) = (&self.device, self.issued.as_ref());
        sqlx::query(statement)
            .bind(&device.uuid)
            .bind(&device.name)
            .bind(&device.factory)
            .bind(&device.group)
            .bind(&device.hardware_id)
            .bind(device.production)
            .bind(&device.public_key_sha256)
            .bind(device.created_at)
            .bind(issued.map(|issued| &issued.certificate_pem))
            .bind(issued.map(|issued| &issued.issuer_pem))
            .bind(issued.map(|issued| issued.ends))
    }
}

/// What a UUID was last called.
#[derive(Debug, FromRow)]
pub(crate) struct KnownName {
    pub(crate) name: String,
    /// The device was deleted: its UUID is denied.
    pub(crate) deleted: bool,
}

/// How a UUID stands that comes with a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is registered with this key.
    Known(Box<Entry>),
    /// It is registered with another key.
    OtherKey,
    /// It was deleted.
    Denied,
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    device: Device,
    certificate_pem: Option<String>,
    issuer_pem: Option<String>,
    certificate_ends: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

impl Row {
    fn standing(self, key: &str) -> Standing {
        if self.deleted_at.is_some() {
            return Standing::Denied;
        }
        if self.device.public_key_sha256 != key {
            return Standing::OtherKey;
        }
        let issued = match (self.certificate_pem, self.issuer_pem, self.certificate_ends) {
            (Some(certificate_pem), Some(issuer_pem), Some(ends)) => Some(Issued {
                certificate_pem,
                issuer_pem,
                ends,
            }),
            _ => None,
        };
        Standing::Known(Box::new(Entry {
            device: self.device,
            issued,
        }))
    }
}

const COLUMNS: &str = "uuid, name, factory, device_group, hardware_id, production, \
     public_key_sha256, created_at, certificate_pem, issuer_pem, certificate_ends, deleted_at";

impl Store {
    /// Looks a device up; `None` if its UUID was never seen.
    pub(crate) async fn find(&self, uuid: &str, key: &str) -> Result<Option<Standing>, Error> {
        let query = format!("SELECT {COLUMNS} FROM devices WHERE uuid = $1");
        let query = sqlx::query_as(&query).bind(uuid);
        let row: Option<Row> = query.fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.standing(key)))
    }

    /// Enters a device, unless its UUID is taken: then how it stands. One statement decides, so of two at the same time
    /// exactly one enters, and a caller that goes away leaves one entry or none.
    pub(crate) async fn enter(&self, entry: &Entry) -> Result<Option<Standing>, Error> {
        let query = format!(
            "INSERT INTO devices ({COLUMNS}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL) \
             ON CONFLICT (uuid) DO NOTHING"
        );
        if self.change(entry.bind(&query)).await? == 1 {
            return Ok(None);
        }
        // Rows are never removed, so the one that was in the way is still there.
        let device = &entry.device;
        self.find(&device.uuid, &device.public_key_sha256).await
    }

    /// Brings the entry of a device that registers again up to date; false if it was deleted, or
    /// another key took its place, in the meantime.
    pub(crate) async fn update(&self, entry: &Entry) -> Result<bool, Error> {
        let query = "UPDATE devices SET name = $2, factory = $3, device_group = $4, hardware_id = $5, \
             production = $6, certificate_pem = $9, issuer_pem = $10, certificate_ends = $11 \
             WHERE uuid = $1 AND public_key_sha256 = $7 AND deleted_at IS NULL";
        Ok(self.change(entry.bind(query)).await? == 1)
    }

    /// The name of a device, deleted or not.
    pub(crate) async fn name_of(&self, uuid: &str) -> Result<Option<KnownName>, Error> {
        let query = "SELECT name, deleted_at IS NOT NULL AS deleted FROM devices WHERE uuid = $1";
        let query = sqlx::query_as(query).bind(uuid);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// The registered devices, oldest first.
    pub(crate) async fn devices(&self) -> Result<Vec<Device>, Error> {
        let query = format!(
            "SELECT {COLUMNS} FROM devices WHERE deleted_at IS NULL ORDER BY created_at, uuid"
        );
        Ok(sqlx::query_as(&query).fetch_all(&self.pool).await?)
    }

    /// A registered device.
    pub(crate) async fn device(&self, uuid: &str) -> Result<Option<Device>, Error> {
        let query = format!("SELECT {COLUMNS} FROM devices WHERE uuid = $1 AND deleted_at IS NULL");
        let query = sqlx::query_as(&query).bind(uuid);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Deletes a device; its UUID is denied from now on.
    pub(crate) async fn delete(&self, uuid: &str) -> Result<(), Error> {
        let query = "UPDATE devices SET deleted_at = $1, certificate_pem = NULL, \
             issuer_pem = NULL, certificate_ends = NULL WHERE uuid = $2 AND deleted_at IS NULL";
        let query = sqlx::query(query).bind(Timestamp::now()).bind(uuid);
        if self.change(query).await? == 0 {
            return Err(Error::NoDevice(uuid.into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::{at, store};
    use super::*;

    fn entry(uuid: &str, key: &str) -> Entry {
        let device = Device {
            uuid: uuid.into(),
            name: "board".into(),
            factory: "acme".into(),
            group: Some("lab".into()),
            hardware_id: None,
            production: true,
            public_key_sha256: key.into(),
            created_at: at(5),
        };
        let issued = Some(Issued {
            certificate_pem: "certificate".into(),
            issuer_pem: "issuer".into(),
            ends: at(7),
        });
        Entry { device, issued }
    }

    #[tokio::test]
    async fn a_uuid_belongs_to_one_key_and_stays_denied_once_deleted() {
        let (_dir, store) = store().await;
        let one = entry("one", "key");
        assert_eq!(store.find("one", "key").await.unwrap(), None);
        assert_eq!(store.enter(&one).await.unwrap(), None);
        assert_eq!(
            store.devices().await.unwrap(),
            std::slice::from_ref(&one.device)
        );
        let known = Standing::Known(Box::new(entry("one", "key")));
        assert_eq!(store.enter(&one).await.unwrap(), Some(known));
        let other = store.enter(&entry("one", "other")).await.unwrap();
        assert_eq!(other, Some(Standing::OtherKey));
        assert!(!store.update(&entry("one", "other")).await.unwrap());
        assert!(store.update(&one).await.unwrap());

        store.delete("one").await.unwrap();
        assert!(matches!(store.delete("one").await, Err(Error::NoDevice(_))));
        assert_eq!(store.enter(&one).await.unwrap(), Some(Standing::Denied));
        assert!(!store.update(&one).await.unwrap());
        assert!(store.devices().await.unwrap().is_empty());
    }
}
