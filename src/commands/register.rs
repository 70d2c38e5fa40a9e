//! Carries out a [`Plan`], stage by stage: identity, key, request, answer, installation. Reads top
//! to bottom; each stage consumes the one before it. Never decides what a finding means: that is
//! `plan`, which is pure.

use crate::backend::answer::Expected;
use crate::backend::device_api::{DeviceApi, Failure};
use crate::board::clock;
use crate::board::facts::HostFacts;
use crate::board::{process, update_client};
use crate::error::{Error, Result};
use crate::key::DeviceKey;
use crate::report::Reporter;
use crate::settings::Settings;
use crate::sota::directory::Directory;
use crate::sota::journal::{Journal, KeyPlace, Planned, Progress, TokenPlace};

mod backend;
mod connect;
mod install;
mod key_store;
mod plan;
mod preflight;
mod rehearsal;
mod request;

use backend::ask;
use connect::{allow, connect, device_api};
use key_store::KeyStore;
use request::{asked, signing_request};

pub(crate) use install::Registered;
pub(crate) use plan::Plan;
pub(crate) use rehearsal::{Rehearsal, RehearsedToken, rehearse};

/// Registers this device, or finishes an interrupted registration.
///
/// # Errors
/// Every [`crate::error::Kind`]; what was begun is rolled back, or stays in the journal for the
/// next run.
pub(crate) fn register(settings: &Settings, reporter: &Reporter) -> Result<Registered> {
    let sota = preflight::open(settings, reporter)?;
    clock::wait(settings.wait_clock, reporter);
    let facts = HostFacts::read(&sota, &settings.update_client_lock)?;
    let journal = Journal::load(&sota)?;
    let mut run = Run {
        settings,
        sota: &sota,
        keys: KeyStore::new(settings, reporter, journal.is_some()),
        reporter,
    };
    let received = match plan::decide(settings, &facts, journal)? {
        Plan::Begin { replaces, leftover } => run.begin(replaces, leftover)?,
        Plan::AskAgain(journal) => run.ask_again(journal)?,
        Plan::Install(journal) => {
            reporter.step("An earlier run was interrupted: installing what it received");
            run.warn_of_other_settings(&journal)?;
            journal
        }
        Plan::CleanUp(journal) => {
            run.warn_of_other_settings(&journal)?;
            journal
        }
        Plan::Replace(journal) => {
            run.install(journal)?;
            run.begin(true, None)?
        }
    };
    run.install(received)
}

/// One run of the program.
struct Run<'a> {
    settings: &'a Settings,
    sota: &'a Directory,
    keys: KeyStore<'a>,
    reporter: &'a Reporter,
}

impl<'a> Run<'a> {
    /// A fresh registration, up to a journal that can be installed.
    fn begin(&mut self, replaces: bool, leftover: Option<Journal<'a>>) -> Result<Journal<'a>> {
        let Self {
            settings,
            sota,
            reporter,
            ..
        } = *self;
        preflight::check_space(sota)?;
        let leftover = leftover.map(|journal| self.clear(journal)).transpose()?;
        let (journal, reused) = leftover.unzip();
        let reused = reused.flatten();
        let token_uuid = match (&settings.uuid, self.keys.token()) {
            (None, Some(token)) => token.open(None)?.uuid()?,
            _ => None,
        };
        let identity = plan::identity(settings, token_uuid, uuid::Uuid::new_v4().to_string());
        asked(settings, &identity)?;
        let client = connect(settings, reporter)?;
        let mut api = device_api(settings, &client, reporter);
        // A PIN that is wrong, or a key in the way, is found before a person is asked.
        let key = match self.keys.token() {
            None => KeyPlace::Software,
            Some(token) => {
                token.open(reused.as_ref())?;
                api.reach()?;
                KeyPlace::Token(match &reused {
                    Some(place) => place.clone(),
                    None => token.choose_place(sota, settings.force)?,
                })
            }
        };
        api.headers = allow(settings, &identity.uuid, &client, reporter)?;
        reporter.step(&format!(
            "Registering device {} with factory {}",
            identity.uuid, identity.factory
        ));
        let plan = Planned {
            identity,
            key,
            replaces,
        };
        let mut journal = match journal {
            Some(mut journal) => {
                journal.begin_anew(plan)?;
                journal
            }
            None => Journal::begin(sota, plan)?,
        };
        let key = match self.make_key(&mut journal, reused.is_some()) {
            Ok(key) => key,
            Err(error) => return Err(self.give_up(journal, error)),
        };
        reporter.detail("Made an EC P-256 key and its signing request");
        self.obtain(&api, journal, &key)
    }

    /// Gives up what an interrupted run made, all but a key on a token that can be used again: it
    /// takes seconds to make and wears the token's memory.
    fn clear(&mut self, mut journal: Journal<'a>) -> Result<(Journal<'a>, Option<TokenPlace>)> {
        let record = journal.record();
        self.reporter.step(if record.may_be_known() {
            "An earlier run was interrupted, and other settings make this another device: starting \
             again"
        } else {
            "An earlier run was interrupted before it sent anything: starting again"
        });
        if record.may_be_known() {
            self.reporter.warn(&format!(
                "the backend may know device {0} from the interrupted run: delete {0} there",
                record.plan.identity.uuid
            ));
        }
        journal.take_back()?;
        let KeyPlace::Token(place) = record.plan.key.clone() else {
            return Ok((journal, None));
        };
        let has_key = matches!(record.progress, Progress::KeyReady(_) | Progress::Sent(_));
        if self.keys.token_of(&place).is_none() {
            self.reporter
                .warn(&install::forsaken(&place.module, &place.label, place.ids));
        } else if has_key && self.keys.find(record)?.is_some() {
            return Ok((journal, Some(place)));
        } else {
            let known = record.may_be_known();
            journal.abandon(known)?;
            self.keys.undo(&journal.record().plan.key)?;
        }
        Ok((journal, None))
    }

    fn make_key(&mut self, journal: &mut Journal<'_>, is_there: bool) -> Result<DeviceKey> {
        let record = journal.record();
        let found = if is_there {
            self.keys.find(record)?
        } else {
            None
        };
        let (key, pem) = match found {
            Some(key) => (key, None),
            None => self.keys.make(&record.plan.key)?,
        };
        if self.settings.mlock_all {
            // The key came after what was locked in the beginning; a refusal was told then.
            let _ = process::lock_memory();
        }
        let csr = signing_request(&record.plan.identity, &key)?;
        journal.key_ready(csr, pem)?;
        Ok(key)
    }

    /// The same key and UUID once more: the backend may have signed it already.
    fn ask_again(&mut self, journal: Journal<'a>) -> Result<Journal<'a>> {
        let Some(key) = self.keys.find(journal.record())? else {
            // Somebody has emptied the token.
            let replaces = journal.record().plan.replaces;
            return self.begin(replaces, Some(journal));
        };
        let settings = self.settings;
        let uuid = journal.record().plan.identity.uuid.clone();
        self.reporter.step(&format!(
            "An earlier run was interrupted: asking again for device {uuid}"
        ));
        let client = connect(settings, self.reporter)?;
        let mut api = device_api(settings, &client, self.reporter);
        api.headers = allow(settings, &uuid, &client, self.reporter)?;
        self.obtain(&api, journal, &key)
    }

    /// What was received may have been asked for with other settings.
    fn warn_of_other_settings(&self, journal: &Journal<'_>) -> Result<()> {
        let record = journal.record();
        let now = asked(self.settings, &record.plan.identity)?;
        let then = record.progress.installation().map(|known| &known.asked);
        if !plan::is_same(self.settings, record)
            || then.is_some_and(|then| then.sha256.is_some() && *then != now)
        {
            self.reporter.warn(
                "the interrupted run had other settings, and what it asked for is installed: to \
                 register with those of now, run this again with --force 1",
            );
        }
        Ok(())
    }

    /// Asks the backend and takes its verified answer.
    fn obtain(
        &mut self,
        api: &DeviceApi<'_>,
        mut journal: Journal<'a>,
        key: &DeviceKey,
    ) -> Result<Journal<'a>> {
        let untrusted = match ask(api, self.settings, &mut journal, key) {
            Ok(untrusted) => untrusted,
            Err(Failure {
                error,
                backend_may_know: false,
            }) => return Err(self.give_up(journal, error)),
            Err(Failure {
                error,
                backend_may_know: true,
            }) => {
                self.reporter
                    .step("Running this again will ask for the same device");
                return Err(error);
            }
        };
        let plan = &journal.record().plan;
        let verified = untrusted
            .verify(Expected {
                uuid: &plan.identity.uuid,
                factory: &plan.identity.factory,
                public_key_info: &key.public_key_info(),
                now: clock::now(),
            })?
            .configured(|sent| self.keys.configure(&plan.key, sent))?;
        for warning in verified.warnings() {
            self.reporter.warn(warning);
            if let Some(doubt) = clock::doubt_now() {
                self.reporter.warn(&doubt);
            }
        }
        self.reporter.detail("The backend's answer is verified");
        let asked = asked(self.settings, &plan.identity)?;
        install::stage(self.sota, &mut journal, asked, &verified)?;
        Ok(journal)
    }

    fn install(&mut self, journal: Journal<'_>) -> Result<Registered> {
        // To get here may have taken minutes; from now on files change.
        if let Progress::Received(..) = journal.record().progress {
            let Settings {
                update_client,
                update_client_lock,
                ..
            } = self.settings;
            update_client::check_stopped(update_client, update_client_lock)?;
        }
        install::install(self.sota, journal, &mut self.keys, self.reporter)
    }

    /// Rolls back, and reports the first error; one of the rollback is a warning beside it.
    fn give_up(&mut self, mut journal: Journal<'_>, error: Error) -> Error {
        let undone = journal.abandon(false).and_then(|()| {
            self.keys.undo(&journal.record().plan.key)?;
            journal.close()
        });
        if let Err(second) = undone {
            self.reporter.warn(&format!(
                "{}; the next run removes what is left",
                second.full_message()
            ));
        }
        error
    }
}
