//! Carries out a [`Plan`], stage by stage: identity, key, request, answer, installation. Reads top
//! to bottom; each stage consumes the one before it.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::attempts::{Attempt, persist};
use crate::authorise::authorise;
use crate::certificate::DeviceCertificate;
use crate::clock;
use crate::csr::{self, Subject};
use crate::device_api::{RegistrationRequest, backend_words};
use crate::error::{Error, Kind, Result};
use crate::host::{self, HostFacts};
use crate::http::{Answer, Client, NoAnswer, Request, Trust};
use crate::journal::{Journal, Phase, StagedFile, State, UuidOrigin};
use crate::key::{DeviceKey, SoftwareKey};
use crate::plan::{self, Plan};
use crate::response::{
    self, ANSWER_LIMIT, CERTIFICATE, CHAIN, CONFIGURATION, DATABASE, Expected, PRIVATE_KEY,
    Registration,
};
use crate::retry;
use crate::settings::{Authorisation, Settings};
use crate::sota_toml::SotaToml;
use crate::store::{Directory, PRIVATE, PUBLIC};
use crate::ui::Reporter;

mod hsm;

use hsm::Hsm;

/// What must be free before a key is made: bytes for journal and files, and names for them.
const SPACE_NEEDED: (u64, u64) = (256 * 1024, 16);
/// The most bytes of a software key in PEM.
const KEY_LIMIT: usize = 16 * 1024;

/// A device that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// CN.
    pub uuid: String,
    /// Device name.
    pub name: String,
    /// OU.
    pub factory: String,
    /// Production device.
    pub production: bool,
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// URL of the Device Gateway.
    pub gateway: String,
    /// Certificate valid from, RFC 3339.
    pub not_before: String,
    /// Certificate valid until, RFC 3339.
    pub not_after: String,
    /// UUIDs that an interrupted run may have left on the backend.
    pub orphans: Vec<String>,
}

/// Registers this device, or finishes an interrupted registration.
///
/// # Errors
/// Every [`Kind`]; what was begun is rolled back, or stays in the journal for the next run.
pub fn register(settings: &Settings, reporter: &Reporter) -> Result<Registered> {
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
    let mut hsm = Hsm::new(settings, reporter);

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

/// What [`register`] would do; changes nothing.
///
/// # Errors
/// As [`register`], as far as it can be told.
pub fn rehearse(settings: &Settings) -> Result<Plan> {
    let sota = Directory::open(&settings.sota_dir)?;
    sota.check_writable()?;
    check_space(&sota)?;
    let facts = HostFacts::read(&sota, &settings.update_client_lock)?;
    let journal = Journal::peek(&sota)?;
    plan::decide(settings, &facts, journal.as_ref())
}

fn lock_memory(settings: &Settings, reporter: &Reporter) -> Result<()> {
    if !settings.mlock_all {
        return Ok(());
    }
    match host::lock_memory() {
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
    if hsm.is_wanted() {
        hsm.open(None)?;
        find_backend(settings, &client, reporter)?;
    }
    // A PIN that is wrong, or a key in the way, is found before a person is asked.
    let place = hsm.choose_place(sota)?;
    let headers = authorise(settings, &identity.uuid, &client, reporter)?;
    let backend = Backend {
        settings,
        client: &client,
        headers,
    };
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
    obtain(&backend, sota, journal, &key, hsm, reporter)
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
    let headers = authorise(settings, &state.request.uuid, &client, reporter)?;
    let backend = Backend {
        settings,
        client: &client,
        headers,
    };
    obtain(&backend, sota, journal, &key, hsm, reporter)
}

/// The software key that the journal holds.
fn staged_key(journal: &Journal) -> Result<DeviceKey> {
    let pem = zeroize::Zeroizing::new(journal.staged(PRIVATE_KEY, KEY_LIMIT)?);
    let pem = std::str::from_utf8(&pem)
        .map_err(|_| Error::configuration("the key in the journal is damaged"))?;
    SoftwareKey::from_pem(pem).map(DeviceKey::software)
}

/// Makes sure that the backend answers before a key is made on a token: every status below 500
/// does (401 and 405 are normal). The connection is used again for the request.
fn find_backend(settings: &Settings, client: &Client, reporter: &Reporter) -> Result<()> {
    persist(settings.retry_for, reporter, || {
        let answer = client.send(Request {
            method: Method::HEAD,
            url: &settings.device_api,
            headers: HeaderMap::new(),
            body: None,
            limit: ANSWER_LIMIT,
        });
        match answer {
            Ok(Answer { status, .. }) if status < 500 => Attempt::Done(()),
            Ok(Answer {
                status,
                retry_after,
                ..
            }) => Attempt::Again(
                Error::new(Kind::Temporary, format!("the backend answered {status}"))
                    .hint("run this again later"),
                retry_after.and_then(|text| retry::parse_retry_after(&text, host::now())),
            ),
            Err(NoAnswer { error, .. }) => Attempt::Again(error, None),
        }
    })
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
    let trust = match &settings.ca_file {
        Some(path) => Trust::File(path.clone()),
        None => Trust::System,
    };
    let mut urls = vec![&settings.device_api];
    if let Authorisation::DeviceGrant { base } = &settings.authorisation {
        urls.push(base);
    }
    Client::new(&urls, &trust, None, settings.timeouts)
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
    backend: &Backend<'_>,
    sota: &Directory,
    mut journal: Journal,
    key: &DeviceKey,
    hsm: &mut Hsm<'_>,
    reporter: &Reporter,
) -> Result<Journal> {
    let may_be_known = journal.state().phase == Phase::Sent;
    let untrusted = match ask(backend, &mut journal, key, may_be_known, reporter) {
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
    let mut verified = response::verify(
        &untrusted.0,
        Expected {
            uuid: &state.request.uuid,
            factory: &state.factory,
            public_key_info: &key.public_key_info(),
            now: host::now(),
        },
    )?;
    verified.configuration = hsm.configure(&state.key, verified.configuration)?;
    verified.configuration.check_complete()?;
    for warning in &verified.warnings {
        reporter.warn(warning);
        if let Some(doubt) = clock::doubt_now() {
            reporter.warn(&doubt);
        }
    }
    reporter.detail("The backend's answer is verified");
    stage(sota, &mut journal, &verified)?;
    Ok(journal)
}

/// The body of a 201: nobody has looked at it yet.
struct Untrusted(Vec<u8>);

/// No 201, and whether the device may exist on the backend all the same.
struct Failure {
    error: Error,
    backend_may_know: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            backend_may_know: true,
        }
    }
}

/// Where a request goes, and what allows it.
struct Backend<'a> {
    settings: &'a Settings,
    client: &'a Client,
    headers: HeaderMap,
}

impl Backend<'_> {
    /// What a server said, for people: if it says the token back, that is left out.
    fn without_token(&self, said: &[u8]) -> String {
        // Shorter words of a header are no secret and may be part of any text.
        const SHORTEST: usize = 8;
        let text = String::from_utf8_lossy(said).into_owned();
        self.headers
            .values()
            .filter(|value| value.is_sensitive())
            .filter_map(|value| value.to_str().ok())
            .flat_map(str::split_whitespace)
            .filter(|secret| secret.len() >= SHORTEST)
            .fold(text, |text, secret| text.replace(secret, "[secret]"))
    }
}

/// Sends the journal's request until it is signed, refused, or the deadline has passed.
fn ask(
    backend: &Backend<'_>,
    journal: &mut Journal,
    key: &DeviceKey,
    mut may_be_known: bool,
    reporter: &Reporter,
) -> std::result::Result<Untrusted, Failure> {
    journal.advance(Phase::Sent)?;
    let asked = persist(backend.settings.retry_for, reporter, || {
        loop {
            let answer = match post(backend, journal) {
                Ok(answer) => answer,
                Err(Unanswered::Ours(error)) => return Attempt::Failed(error),
                Err(Unanswered::Theirs(NoAnswer {
                    error,
                    may_have_arrived,
                })) => {
                    may_be_known |= may_have_arrived;
                    return Attempt::Again(error, None);
                }
            };
            return match judge(backend, answer) {
                Verdict::Signed(body) => Attempt::Done(Untrusted(body)),
                Verdict::Refused(error) => Attempt::Failed(error),
                Verdict::Exists(error) => {
                    let ours = journal.state().uuid_origin == UuidOrigin::Generated;
                    if !(may_be_known && ours) {
                        let uuid = &journal.state().request.uuid;
                        return Attempt::Failed(error.hint(if may_be_known {
                            format!("delete device {uuid} on the backend and run this again")
                        } else {
                            format!("delete device {uuid} on the backend, or give another --uuid")
                        }));
                    }
                    if let Err(error) = take_new_uuid(journal, key, reporter) {
                        return Attempt::Failed(error);
                    }
                    may_be_known = false;
                    continue;
                }
                Verdict::Busy(error, pause) => Attempt::Again(error, pause),
                Verdict::Unclear(error) => {
                    may_be_known = true;
                    Attempt::Failed(error)
                }
                Verdict::Broken(error, pause) => {
                    may_be_known = true;
                    Attempt::Again(error, pause)
                }
            };
        }
    });
    asked.map_err(|error| Failure {
        error,
        backend_may_know: may_be_known,
    })
}

/// Why there is no answer: we did not ask, or nobody answered.
enum Unanswered {
    Ours(Error),
    Theirs(NoAnswer),
}

fn post(backend: &Backend<'_>, journal: &Journal) -> std::result::Result<Answer, Unanswered> {
    let body = serde_json::to_vec(&journal.state().request).map_err(|cause| {
        Unanswered::Ours(Error::bug("the request could not be encoded").because(cause))
    })?;
    let mut headers = backend.headers.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let request = Request {
        method: Method::POST,
        url: &backend.settings.device_api,
        headers,
        body: Some(body),
        limit: ANSWER_LIMIT,
    };
    backend.client.send(request).map_err(Unanswered::Theirs)
}

/// What a status means.
enum Verdict {
    /// 201, and nobody has looked at the body yet.
    Signed(Vec<u8>),
    /// It does not know the device and does not want to.
    Refused(Error),
    /// It knows that UUID already.
    Exists(Error),
    /// It did nothing; later it may.
    Busy(Error, Option<Duration>),
    /// It failed, perhaps after it had signed; another attempt may help.
    Broken(Error, Option<Duration>),
    /// It may have signed, and another attempt would not help.
    Unclear(Error),
}

fn judge(backend: &Backend<'_>, answer: Answer) -> Verdict {
    let pause = answer.pause();
    let Answer {
        status,
        retry_after: _,
        location,
        body,
        truncated,
    } = answer;
    let words = backend_words(backend.without_token(&body).as_bytes());
    let said = if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    };
    let error = |kind| Error::new(kind, format!("the backend answered {status}{said}"));
    match status {
        201 if truncated => {
            Verdict::Unclear(Error::answer("the backend's answer is larger than 1 MiB"))
        }
        201 => Verdict::Signed(body),
        200..=299 => Verdict::Unclear(
            error(Kind::Answer).hint("201 was expected: check DEVICE_API and any proxy or portal"),
        ),
        300..=399 => Verdict::Refused(error(Kind::Refused).hint(match location {
            Some(location) => format!(
                "the token is not sent elsewhere; if {:?} is right, set DEVICE_API to it",
                backend.without_token(location.as_bytes())
            ),
            None => "check DEVICE_API".to_owned(),
        })),
        401 | 403 => Verdict::Refused(
            error(Kind::Unauthorised)
                .hint("check the API token: it must be valid and have the scope devices:create"),
        ),
        404 => Verdict::Refused(error(Kind::Refused).hint(format!(
            "check DEVICE_API, which is used verbatim: {:?}",
            backend.settings.device_api.as_str()
        ))),
        409 => Verdict::Exists(error(Kind::Refused)),
        429 => Verdict::Busy(error(Kind::Temporary), pause),
        502..=504 => Verdict::Broken(error(Kind::Temporary).hint("run this again later"), pause),
        500..=599 => Verdict::Unclear(error(Kind::Temporary).hint("run this again later")),
        _ => Verdict::Refused(error(Kind::Refused)),
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

/// Puts the verified files into the journal.
fn stage(sota: &Directory, journal: &mut Journal, verified: &Registration) -> Result<()> {
    let Registration {
        files,
        configuration,
        certificate: _,
        warnings: _,
    } = verified;
    let has_pin = configuration.value("p11", "pass").is_some();
    let mut staged: Vec<StagedFile<'_>> = files
        .iter()
        .map(|(name, text)| StagedFile {
            name: name.as_str(),
            content: text.as_bytes(),
            mode: PUBLIC,
        })
        .collect();
    staged.push(StagedFile {
        name: CONFIGURATION,
        content: configuration.text().as_bytes(),
        mode: if has_pin { PRIVATE } else { PUBLIC },
    });
    let new: Vec<&str> = journal
        .state()
        .installation
        .files
        .iter()
        .map(|file| file.name.as_str())
        .chain(staged.iter().map(|file| file.name))
        .collect();
    let mut superseded = Vec::new();
    // The update client's database names the old keys and would go on using them.
    let database = ["-wal", "-shm", "-journal"].map(|ending| format!("{DATABASE}{ending}"));
    let old = database
        .iter()
        .map(String::as_str)
        .chain([DATABASE, CHAIN, PRIVATE_KEY]);
    for name in old {
        if !new.contains(&name) && sota.has(name)? {
            superseded.push(name.to_owned());
        }
    }
    journal.receive(&staged, superseded)
}

/// Installs what the journal holds; needs no network.
fn install(
    sota: &Directory,
    mut journal: Journal,
    hsm: &mut Hsm<'_>,
    reporter: &Reporter,
) -> Result<Registered> {
    if journal.state().phase < Phase::Installed {
        hsm.store_certificate(&journal, sota)?;
        journal.install(sota)?;
    }
    let registered = describe(sota, journal.state())?;
    // The device is registered whatever happens now; the next run cleans up what is left.
    let cleaned = hsm
        .retire_predecessor(&journal.state().key, sota)
        .and_then(|()| journal.close(sota));
    if let Err(error) = cleaned {
        reporter.warn(&error.full_message());
    }
    Ok(registered)
}

fn describe(sota: &Directory, state: &State) -> Result<Registered> {
    let text = |name: &str| -> Result<String> {
        let bytes = sota.read(name, ANSWER_LIMIT)?.unwrap_or_default();
        String::from_utf8(bytes)
            .map_err(|_| Error::new(Kind::Storage, format!("{name} is not UTF-8 text")))
    };
    let certificate = DeviceCertificate::from_pem(&text(CERTIFICATE)?)?;
    let configuration = SotaToml::parse(&text(CONFIGURATION)?)?;
    let State {
        request,
        factory,
        production,
        installation,
        orphans,
        ..
    } = state;
    Ok(Registered {
        uuid: request.uuid.clone(),
        name: request.name.clone(),
        factory: factory.clone(),
        production: *production,
        files: installation
            .files
            .iter()
            .map(|file| sota.path().join(&file.name))
            .collect(),
        gateway: configuration.gateway()?.to_owned(),
        not_before: certificate.not_before_text,
        not_after: certificate.not_after_text,
        orphans: orphans.clone(),
    })
}
