//! Asks the backend for the journal's device. One that it knows and will not sign again is given up
//! for another if we made its UUID up.

use super::signing_request;
use crate::backend::answer::Untrusted;
use crate::backend::device_api::{DeviceApi, Failure, Outcome};
use crate::backend::wire::RegistrationRequest;
use crate::error::{Error, Result};
use crate::key::DeviceKey;
use crate::report::Reporter;
use crate::sota::journal::{Journal, Phase, UuidOrigin};

/// Once the journal says that the request was sent, an error of ours leaves it open.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            backend_may_know: true,
        }
    }
}

/// Sends the journal's request until it is signed, refused, or the time is over. The backend
/// `may_know` the device from an earlier run.
pub(super) fn ask(
    api: &DeviceApi<'_>,
    journal: &mut Journal,
    key: &DeviceKey,
    mut may_know: bool,
) -> std::result::Result<Untrusted, Failure> {
    journal.advance(Phase::Sent)?;
    loop {
        let state = journal.state();
        let Failure {
            error,
            backend_may_know,
        } = match api.register(&state.request, may_know) {
            Outcome::Signed(body) => return Ok(body),
            Outcome::Failed(failure) => return Err(failure),
            Outcome::Exists(failure) => failure,
        };
        if !(backend_may_know && state.uuid_origin == UuidOrigin::Generated) {
            let uuid = &state.request.uuid;
            let error = error.hint(if backend_may_know {
                format!("delete device {uuid} on the backend and run this again")
            } else {
                format!("delete device {uuid} on the backend, or give another --uuid")
            });
            return Err(Failure {
                error,
                backend_may_know,
            });
        }
        take_new_uuid(journal, key, api.reporter)?;
        may_know = false;
    }
}

/// The backend knows a UUID that we made up, and will not sign it again: it is given up.
fn take_new_uuid(journal: &mut Journal, key: &DeviceKey, reporter: &Reporter) -> Result<()> {
    let uuid = uuid::Uuid::new_v4().to_string();
    let csr = signing_request(journal.state(), &uuid, key)?;
    let old = journal.state().request.uuid.clone();
    reporter.warn(&format!(
        "the backend knows device {old} from the interrupted run and does not sign it again: \
         registering as {uuid}; delete {old} on the backend"
    ));
    journal.update(|state| {
        let RegistrationRequest {
            name,
            uuid: known,
            csr: request,
            ..
        } = &mut state.request;
        if *name == *known {
            name.clone_from(&uuid);
        }
        *known = uuid;
        *request = csr;
        state.orphans.push(old);
    })
}
