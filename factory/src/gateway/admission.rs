//! Which device asks, by the certificate that it proved.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::http::listener::PeerCertificate;
use crate::http::reply::Reply;
use crate::pki::read_peer;
use crate::site::Site;
use crate::store::{Device, Entry, Standing, Store};

/// A device that may pass; one that is not known yet is entered. Each request asks anew, so that a
/// deletion also ends connections that are open.
#[derive(Debug, Clone)]
pub(super) struct Admitted(pub(super) Device);

impl<S> FromRequestParts<S> for Admitted
where
    Store: FromRef<S>,
    Arc<Site>: FromRef<S>,
    S: Sync,
{
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Reply> {
        // The router's layer was here before the handler.
        if let Some(admitted) = parts.extensions.get::<Self>() {
            return Ok(admitted.clone());
        }
        let (store, site) = (Store::from_ref(state), Arc::<Site>::from_ref(state));
        let peer = parts.extensions.get::<PeerCertificate>();
        let admitted = Self(admit(&store, &site.factory, peer).await?);
        parts.extensions.insert(admitted.clone());
        Ok(admitted)
    }
}

async fn admit(
    store: &Store,
    factory: &str,
    peer: Option<&PeerCertificate>,
) -> Result<Device, Reply> {
    let refused = |why: &str| {
        tracing::info!(why, "device refused");
        Reply::message(StatusCode::FORBIDDEN, why)
    };
    let (subject, key) = peer
        .and_then(|PeerCertificate(certificate)| read_peer(certificate.as_deref()?))
        .ok_or_else(|| refused("not a device's certificate"))?;
    if subject.factory != factory {
        return Err(refused("the certificate is of another factory"));
    }
    let entry = Entry {
        name: subject.common_name.clone(),
        uuid: subject.common_name,
        factory: subject.factory,
        group: None,
        hardware_id: None,
        production: subject.production,
        public_key_sha256: key.fingerprint()?,
        issued: None,
    };
    let find = || store.find(&entry.uuid, &entry.public_key_sha256);
    let mut standing = find().await?;
    if standing.is_none() {
        standing = store.enter(&entry).await?;
    }
    if standing.is_none() {
        tracing::info!(uuid = entry.uuid, "device registered by its first request");
        standing = find().await?;
    }
    match standing {
        Some(Standing::Known(known)) => Ok(known.device),
        Some(Standing::OtherKey) => Err(refused("the device is registered with another key")),
        Some(Standing::Denied) | None => Err(refused("the device is denied")),
    }
}
