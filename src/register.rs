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
use crate::journal::{Beginning, Journal, Phase, StagedFile, State, UuidOrigin};
use crate::key::{DeviceKey, SoftwareKey};
use crate::plan::{self, Plan};
use crate::response::{
    self, ANSWER_LIMIT, CERTIFICATE, CHAIN, CONFIGURATION, DATABASE, Expected, PRIVATE_KEY,
    Registration,
};
use crate::settings::{Authorisation, KeySetting, Settings};
use crate::sota_toml::SotaToml;
use crate::store::{Directory, PRIVATE, PUBLIC};
use crate::ui::Reporter;

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
    let random_uuid = uuid::Uuid::new_v4().to_string();
    let plan = plan::decide(
        settings,
        &facts,
        journal.as_ref().map(Journal::state),
        &random_uuid,
    )?;

    let installable = match (plan, journal) {
        (Plan::Begin(beginning), leftover) => {
            if let Some(leftover) = leftover {
                reporter
                    .step("An earlier run was interrupted before it sent anything: starting again");
                leftover.abandon(&sota)?;
            }
            begin(settings, &sota, *beginning, reporter)?
        }
        (Plan::AskAgain, Some(journal)) => {
            reporter.step(&format!(
                "An earlier run was interrupted: asking again for device {}",
                journal.state().request.uuid
            ));
            ask_again(settings, &sota, journal, reporter)?
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
    install(&sota, installable, reporter)
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
    plan::decide(settings, &facts, journal.as_ref(), "a random one")
}

fn lock_memory(settings: &Settings, reporter: &Reporter) -> Result<()> {
    match host::protect_memory(settings.mlock_all) {
        Err(error) if settings.mlock_required => Err(error),
        Err(error) => {
            reporter.warn(&error.full_message());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// A fresh registration, up to a journal that can be installed.
fn begin(
    settings: &Settings,
    sota: &Directory,
    beginning: Beginning,
    reporter: &Reporter,
) -> Result<Journal> {
    if let KeySetting::Token { .. } = settings.key {
        return Err(
            Error::configuration("keys on a PKCS#11 token are not part of this build")
                .hint("leave --hsm-module out for a software key"),
        );
    }
    check_space(sota)?;
    let client = connect(settings)?;
    let headers = authorise(settings, &beginning.request.uuid, &client, reporter)?;
    let backend = Backend {
        settings,
        client: &client,
        headers,
    };
    reporter.step(&format!(
        "Registering device {} with factory {}",
        beginning.request.uuid, beginning.factory
    ));
    let mut journal = Journal::begin(sota, beginning)?;
    let key = match make_key(&mut journal) {
        Ok(key) => key,
        Err(error) => return Err(give_up(journal, sota, error, reporter)),
    };
    reporter.detail("Made an EC P-256 key and its signing request");
    obtain(&backend, sota, journal, &key, false, reporter)
}

/// The same request once more: the backend may have signed it already.
fn ask_again(
    settings: &Settings,
    sota: &Directory,
    journal: Journal,
    reporter: &Reporter,
) -> Result<Journal> {
    let client = connect(settings)?;
    let headers = authorise(settings, &journal.state().request.uuid, &client, reporter)?;
    let backend = Backend {
        settings,
        client: &client,
        headers,
    };
    let pem = zeroize::Zeroizing::new(journal.staged(PRIVATE_KEY, KEY_LIMIT)?);
    let pem = std::str::from_utf8(&pem)
        .map_err(|_| Error::configuration("the key in the journal is damaged"))?;
    let key = DeviceKey::software(SoftwareKey::from_pem(pem)?);
    obtain(&backend, sota, journal, &key, true, reporter)
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

fn make_key(journal: &mut Journal) -> Result<DeviceKey> {
    let key = SoftwareKey::generate()?;
    let pem = key.to_pem()?;
    let key = DeviceKey::software(key);
    let csr = signing_request(journal.state(), &journal.state().request.uuid, &key)?;
    journal.key_ready(csr, Some(pem.as_bytes()))?;
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
    may_be_known: bool,
    reporter: &Reporter,
) -> Result<Journal> {
    let untrusted = match ask(backend, &mut journal, key, may_be_known, reporter) {
        Ok(untrusted) => untrusted,
        Err(Failure {
            error,
            backend_may_know: false,
        }) => {
            return Err(give_up(journal, sota, error, reporter));
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
    let verified = response::verify(
        &untrusted.0,
        Expected {
            uuid: &state.request.uuid,
            factory: &state.factory,
            public_key_info: &key.public_key_info(),
            now: host::now(),
        },
    )?;
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
                        return Attempt::Failed(error);
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
        409 => Verdict::Exists(
            error(Kind::Refused)
                .hint("delete that device on the backend, or register with another --uuid"),
        ),
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

/// Rolls back, and reports the first error; one of the rollback is a warning beside it.
fn give_up(journal: Journal, sota: &Directory, error: Error, reporter: &Reporter) -> Error {
    if let Err(second) = journal.abandon(sota) {
        reporter.warn(&second.full_message());
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

/// Installs what the journal holds; needs nothing from outside.
fn install(sota: &Directory, mut journal: Journal, reporter: &Reporter) -> Result<Registered> {
    if journal.state().phase < Phase::Installed {
        journal.install(sota)?;
    }
    let registered = describe(sota, journal.state())?;
    // The device is registered whatever happens now; the next run cleans up what is left.
    if let Err(error) = journal.close(sota) {
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
