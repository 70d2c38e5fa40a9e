//! Carries out a [`Plan`], stage by stage: identity, key, request, answer, installation. Reads top
//! to bottom; each stage consumes the one before it.

use reqwest::header::HeaderMap;

use crate::backend::answer::Expected;
use crate::backend::authorisation::{Authorisation, authorise};
use crate::backend::device_api::{DeviceApi, Failure};
use crate::backend::grant::DeviceGrant;
use crate::backend::http::{Client, Trust};
use crate::board::clock;
use crate::board::facts::HostFacts;
use crate::board::process;
use crate::error::{Error, Kind, Result};
use crate::key::csr::{self, Subject};
use crate::key::{DeviceKey, SoftwareKey};
use crate::report::Reporter;
use crate::settings::Settings;
use crate::sota::directory::Directory;
use crate::sota::files::PRIVATE_KEY;
use crate::sota::journal::{Journal, Phase, State};

mod backend;
mod install;
mod key_store;
mod plan;
mod rehearsal;
mod request;

use backend::ask;
use install::{install, stage};
use key_store::Hsm;

pub(crate) use install::Registered;
pub(crate) use plan::Plan;
pub(crate) use rehearsal::{Rehearsal, RehearsedToken, rehearse};

/// What must be free before a key is made: bytes for journal and files, and names for them.
const SPACE_NEEDED: (u64, u64) = (256 * 1024, 16);
/// The most bytes of a software key in PEM.
const KEY_LIMIT: usize = 16 * 1024;

/// Registers this device, or finishes an interrupted registration.
///
/// # Errors
/// Every [`Kind`]; what was begun is rolled back, or stays in the journal for the next run.
pub(crate) fn register(settings: &Settings, reporter: &Reporter) -> Result<Registered> {
    let sota = Directory::open(&settings.sota_dir)?;
    if !sota.try_lock()? {
        return Err(Error::new(
            Kind::Busy,
            format!("another registration is running in {:?}", sota.path()),
        )
        .hint("wait for it to end"));
    }
    sota.check_writable()?;
    lock_memory(settings, reporter)?;
    clock::wait(settings.wait_clock, reporter);
    let facts = HostFacts::read(&sota, &settings.update_client_lock)?;
    let journal = Journal::load(&sota)?;
    let plan = plan::decide(settings, &facts, journal.as_ref().map(Journal::state))?;
    let mut hsm = Hsm::new(settings, reporter, journal.is_some());

    let installable = match (plan, journal) {
        (Plan::Begin { replaces }, leftover) => {
            if let Some(leftover) = leftover {
                reporter
                    .step("An earlier run was interrupted before it sent anything: starting again");
                abandon(leftover, &sota, &mut hsm)?;
            }
            begin(settings, &sota, replaces, &mut hsm, reporter)?
        }
        (Plan::AskAgain, Some(journal)) => {
            reporter.step(&format!(
                "An earlier run was interrupted: asking again for device {}",
                journal.state().request.uuid
            ));
            ask_again(settings, &sota, journal, &mut hsm, reporter)?
        }
        (Plan::Install, Some(journal)) => {
            reporter.step("An earlier run was interrupted: installing what it received");
            journal
        }
        (Plan::CleanUp, Some(journal)) => journal,
        (Plan::AskAgain | Plan::Install | Plan::CleanUp, None) => {
            return Err(Error::bug("a journal was expected"));
        }
    };
    install(&sota, installable, &mut hsm, reporter)
}

fn lock_memory(settings: &Settings, reporter: &Reporter) -> Result<()> {
    if !settings.mlock_all {
        return Ok(());
    }
    match process::lock_memory() {
        Err(error) if !settings.mlock_required => {
            reporter.warn(&error.full_message());
            Ok(())
        }
        locked => locked,
    }
}

/// A fresh registration, up to a journal that can be installed.
fn begin(
    settings: &Settings,
    sota: &Directory,
    replaces: bool,
    hsm: &mut Hsm<'_>,
    reporter: &Reporter,
) -> Result<Journal> {
    check_space(sota)?;
    let token_uuid = match settings.uuid {
        Some(_) => None,
        None => hsm.uuid()?,
    };
    let random_uuid = uuid::Uuid::new_v4().to_string();
    let identity = plan::identity(settings, token_uuid, random_uuid);
    let client = connect(settings)?;
    let mut api = device_api(settings, &client, reporter);
    if hsm.is_wanted() {
        hsm.open(None)?;
        api.reach()?;
    }
    // A PIN that is wrong, or a key in the way, is found before a person is asked.
    let place = hsm.choose_place(sota)?;
    api.headers = allow(settings, &identity.uuid, &client, reporter)?;
    let beginning = plan::beginning(settings, identity, place, replaces)?;
    reporter.step(&format!(
        "Registering device {} with factory {}",
        beginning.request.uuid, beginning.factory
    ));
    let mut journal = Journal::begin(sota, beginning)?;
    let key = match make_key(&mut journal, hsm) {
        Ok(key) => key,
        Err(error) => return Err(give_up(journal, sota, hsm, error, reporter)),
    };
    reporter.detail("Made an EC P-256 key and its signing request");
    obtain(&api, sota, journal, &key, hsm, reporter)
}

/// The same request once more: the backend may have signed it already.
fn ask_again(
    settings: &Settings,
    sota: &Directory,
    journal: Journal,
    hsm: &mut Hsm<'_>,
    reporter: &Reporter,
) -> Result<Journal> {
    let client = connect(settings)?;
    let state = journal.state();
    let key = match state.key.ids() {
        Some(ids) => hsm.find_key(&state.key, ids)?,
        None => staged_key(&journal)?,
    };
    let mut api = device_api(settings, &client, reporter);
    api.headers = allow(settings, &state.request.uuid, &client, reporter)?;
    obtain(&api, sota, journal, &key, hsm, reporter)
}

/// The software key that the journal holds.
fn staged_key(journal: &Journal) -> Result<DeviceKey> {
    let pem = journal.staged(PRIVATE_KEY, KEY_LIMIT)?;
    let pem = std::str::from_utf8(&pem)
        .map_err(|_| Error::configuration("the key in the journal is damaged"))?;
    SoftwareKey::from_pem(pem).map(DeviceKey::software)
}

fn check_space(sota: &Directory) -> Result<()> {
    let (bytes, names) = SPACE_NEEDED;
    let (free_bytes, free_names) = sota.free()?;
    if free_bytes < bytes || free_names < names {
        return Err(Error::new(
            Kind::Storage,
            format!(
                "{:?} has {free_bytes} bytes and {free_names} inodes free; a registration needs \
                 {bytes} and {names}",
                sota.path()
            ),
        )
        .hint("free some space and run this again"));
    }
    Ok(())
}

fn connect(settings: &Settings) -> Result<Client> {
    let mut urls = vec![&settings.device_api];
    if let Authorisation::DeviceGrant { base } = &settings.authorisation {
        urls.push(base);
    }
    Client::new(&urls, &trust(settings), None, settings.timeouts)
}

/// The backend, still without what allows a registration.
fn device_api<'a>(
    settings: &'a Settings,
    client: &'a Client,
    reporter: &'a Reporter,
) -> DeviceApi<'a> {
    DeviceApi {
        client,
        url: &settings.device_api,
        headers: HeaderMap::new(),
        retry_for: settings.retry_for,
        reporter,
    }
}

/// The header that allows `uuid` to be registered.
fn allow<'a>(
    settings: &'a Settings,
    uuid: &'a str,
    client: &'a Client,
    reporter: &'a Reporter,
) -> Result<HeaderMap> {
    authorise(&settings.authorisation, |base| DeviceGrant {
        base,
        factory: &settings.factory,
        uuid,
        retry_for: settings.retry_for,
        client,
        reporter,
    })
}

fn trust(settings: &Settings) -> Trust {
    match &settings.ca_file {
        Some(path) => Trust::File(path.clone()),
        None => Trust::System,
    }
}

fn make_key(journal: &mut Journal, hsm: &mut Hsm<'_>) -> Result<DeviceKey> {
    let state = journal.state();
    let (key, pem) = if let Some(ids) = state.key.ids() {
        (hsm.make_key(&state.key, ids)?, None)
    } else {
        let key = SoftwareKey::generate()?;
        let pem = key.to_pem()?;
        (DeviceKey::software(key), Some(pem))
    };
    let csr = signing_request(state, &state.request.uuid, &key)?;
    journal.key_ready(csr, pem.as_ref().map(|pem| pem.as_bytes()))?;
    Ok(key)
}

fn signing_request(state: &State, uuid: &str, key: &DeviceKey) -> Result<String> {
    csr::build(
        Subject {
            uuid,
            factory: &state.factory,
            production: state.production,
        },
        key,
    )
}

/// Asks the backend and stages its verified answer.
fn obtain(
    api: &DeviceApi<'_>,
    sota: &Directory,
    mut journal: Journal,
    key: &DeviceKey,
    hsm: &mut Hsm<'_>,
    reporter: &Reporter,
) -> Result<Journal> {
    let may_be_known = journal.state().phase == Phase::Sent;
    let untrusted = match ask(api, &mut journal, key, may_be_known) {
        Ok(untrusted) => untrusted,
        Err(Failure {
            error,
            backend_may_know: false,
        }) => {
            return Err(give_up(journal, sota, hsm, error, reporter));
        }
        Err(Failure {
            error,
            backend_may_know: true,
        }) => {
            reporter.step("Running this again will ask for the same device");
            return Err(error);
        }
    };
    let state = journal.state();
    let verified = untrusted
        .verify(Expected {
            uuid: &state.request.uuid,
            factory: &state.factory,
            public_key_info: &key.public_key_info(),
            now: clock::now(),
        })?
        .configured(|sent| hsm.configure(&state.key, sent))?;
    for warning in verified.warnings() {
        reporter.warn(warning);
        if let Some(doubt) = clock::doubt_now() {
            reporter.warn(&doubt);
        }
    }
    reporter.detail("The backend's answer is verified");
    stage(sota, &mut journal, &verified)?;
    Ok(journal)
}

/// Removes what was begun. The state goes back first and the journal goes last: a crash in between
/// leaves a journal by which the next run removes the rest.
fn abandon(mut journal: Journal, sota: &Directory, hsm: &mut Hsm<'_>) -> Result<()> {
    journal.advance(Phase::Planned)?;
    hsm.undo(&journal.state().key)?;
    journal.abandon(sota)
}

/// Rolls back, and reports the first error; one of the rollback is a warning beside it.
fn give_up(
    journal: Journal,
    sota: &Directory,
    hsm: &mut Hsm<'_>,
    error: Error,
    reporter: &Reporter,
) -> Error {
    if let Err(second) = abandon(journal, sota, hsm) {
        reporter.warn(&format!(
            "{}; the next run removes what is left",
            second.full_message()
        ));
    }
    error
}
