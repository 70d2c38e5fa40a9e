//! Asks the backend for the journal's device. One that it knows and will not sign again is given up
//! for another if we made its UUID up.

use super::request::{body, signing_request};
use crate::backend::answer::Untrusted;
use crate::backend::device_api::{DeviceApi, Failure, Outcome};
use crate::backend::wire::RegistrationRequest;
use crate::error::{Error, Result};
use crate::key::DeviceKey;
use crate::report::Reporter;
use crate::settings::Settings;
use crate::sota::journal::{Identity, Journal, Record, UuidOrigin};

/// Sends the journal's request until it is signed, refused, or the time is over.
pub(super) fn ask(
    api: &DeviceApi<'_>,
    settings: &Settings,
    journal: &mut Journal<'_>,
    key: &DeviceKey,
) -> std::result::Result<Untrusted, Failure> {
    // An error of ours leaves open what the backend knows, once the request may have been sent.
    let ours = |error| Failure {
        error,
        backend_may_know: true,
    };
    let mut may_know = journal.record().may_be_known();
    journal.sent().map_err(ours)?;
    loop {
        let Failure {
            error,
            backend_may_know,
        } = match api.register(
            &body_of(settings, journal.record()).map_err(ours)?,
            may_know,
        ) {
            Outcome::Signed(body) => return Ok(body),
            Outcome::Failed(failure) => return Err(failure),
            Outcome::Exists(failure) => failure,
        };
        let Identity {
            uuid, uuid_origin, ..
        } = &journal.record().plan.identity;
        if !(backend_may_know && *uuid_origin == UuidOrigin::Generated) {
            // A backend that denies a deleted device has nothing left to delete.
            let error = error.hint(format!(
                "delete device {uuid} on the backend, or allow it there if it is denied, and run \
                 this again; or give another --uuid"
            ));
            return Err(Failure {
                error,
                backend_may_know,
            });
        }
        take_new_uuid(journal, key, api.reporter).map_err(ours)?;
        may_know = false;
    }
}

/// The request of these settings, with what the journal knows.
fn body_of(settings: &Settings, record: &Record) -> Result<RegistrationRequest> {
    let csr = record.progress.request().map_or("", |request| &request.csr);
    body(settings, &record.plan.identity, csr)
}

/// The backend knows a UUID that we made up, and will not sign it again: it is given up.
fn take_new_uuid(
    journal: &mut Journal<'_>,
    key: &DeviceKey,
    reporter: &Reporter,
) -> Result<(), Error> {
    let known = &journal.record().plan.identity;
    let identity = Identity {
        uuid: uuid::Uuid::new_v4().to_string(),
        ..known.clone()
    };
    let csr = signing_request(&identity, key)?;
    let (old, uuid) = (&known.uuid, identity.uuid);
    reporter.warn(&format!(
        "the backend knows device {old} from the interrupted run and does not sign it again: \
         registering as {uuid}; delete {old} on the backend"
    ));
    journal.take_new_uuid(uuid, csr)
}
