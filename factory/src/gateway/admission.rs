//! Which device asks, by the certificate that it proved.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use crate::http::listener::Peer;
use crate::http::reply::Reply;
use crate::pki::{PublicKey, read_peer};
use crate::site::{Site, is_uuid};
use crate::store::{Device, Entry, Standing, Store};
use crate::time::Timestamp;

/// What the gateway admits devices to, and by.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) store: Store,
    pub(crate) site: Arc<Site>,
    pub(crate) tuf_root: String,
}

/// Lets a device pass; one that is not known yet is entered. Each request asks anew, so that a deletion also
/// ends connections that are open.
pub(super) async fn admit(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Result<Response, Reply> {
    let (device, key) = gateway.device(&peer).await?;
    request.extensions_mut().insert(device);
    request.extensions_mut().insert(key);
    Ok(next.run(request).await)
}

impl Gateway {
    async fn device(&self, peer: &Peer) -> Result<(Device, PublicKey), Reply> {
        let refused = |why: &str| {
            tracing::info!(why, "device refused");
            Reply::message(StatusCode::FORBIDDEN, why)
        };
        let certificate = peer.certificate.as_deref();
        let (subject, key) = certificate
            .and_then(read_peer)
            .ok_or_else(|| refused("not a device's certificate"))?;
        if subject.factory != self.site.factory {
            return Err(refused("the certificate is of another factory"));
        }
        let device = Device {
            name: subject.common_name.clone(),
            uuid: subject.common_name,
            factory: subject.factory,
            group: None,
            hardware_id: None,
            production: subject.production,
            public_key_sha256: key.fingerprint()?,
            created_at: Timestamp::now(),
        };
        let found = self.store.find(&device.uuid, &device.public_key_sha256);
        let mut standing = found.await?;
        let issued = None;
        let entry = Entry { device, issued };
        if standing.is_none() {
            // One device has one spelling, and nobody's terminal is written to.
            if !is_uuid(&entry.device.uuid) {
                return Err(refused("the certificate's CN is not a UUID in lower case"));
            }
            standing = self.store.enter(&entry).await?;
        }
        match standing {
            None => {
                let uuid = &entry.device.uuid;
                tracing::info!(uuid, "device registered by its first request");
                Ok((entry.device, key))
            }
            Some(Standing::Known(known)) => Ok((known.device, key)),
            Some(Standing::OtherKey) => Err(refused("the device is registered with another key")),
            Some(Standing::Denied) => Err(refused("the device is denied")),
        }
    }
}
