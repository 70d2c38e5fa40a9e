//! One value of all options for each source, in a list whose order is the precedence.

use std::mem::take;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::args::{
    Command, CommandLine, CommonOptions, RETRY_RANGE, RegisterOptions, TIMEOUT_RANGE, WAIT_RANGE,
};
use super::checks::not_empty;
use super::origin::Origin;
use super::words::parse_bool;
use crate::secret::Secret;

/// What one source says; `None` where it says nothing.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Options of every command.
    pub common: CommonOptions,
    /// Options of a registration.
    pub register: RegisterOptions,
}

/// Options of one origin.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where they came from.
    pub origin: Origin,
    /// What it says.
    pub options: Options,
}

/// One of the options, to read it.
pub(crate) type Field<T> = fn(&Options) -> &Option<T>;
/// One of the options, to set it.
pub(crate) type FieldMut<T> = fn(&mut Options) -> &mut Option<T>;

impl Source {
    /// A source that says one thing, if it says anything.
    pub(crate) fn one<T>(origin: Origin, field: FieldMut<T>, value: Option<T>) -> Option<Self> {
        let mut options = Options::default();
        *field(&mut options) = Some(value?);
        Some(Self { origin, options })
    }
}

/// All sources, the one that wins first: what was typed, then what is above the files, the files,
/// what is below them, and last what counts if nobody says anything.
#[derive(Debug)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    /// What was typed, the configuration files, and the defaults.
    pub(crate) fn new(typed: Options, files: Vec<Source>, defaults: Source) -> Self {
        let options = typed;
        let origin = Origin::CommandLine;
        let mut all = vec![Source { origin, options }];
        all.extend(files);
        for Source { options, .. } in &mut all {
            options.drop_empty();
        }
        all.push(defaults);
        Self(all)
    }

    /// Adds what only the command line overrules, the first one first.
    pub(crate) fn put_above_files(&mut self, sources: Vec<Source>) {
        self.0.splice(1..1, sources);
    }

    /// Adds what overrules only the defaults, the first one first.
    pub(crate) fn put_below_files(&mut self, sources: Vec<Source>) {
        let defaults = self.0.len() - 1;
        self.0.splice(defaults..defaults, sources);
    }

    /// What was typed.
    pub(crate) fn typed(&self) -> &Options {
        &self.0[0].options
    }

    /// All of them, the one that wins first.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Source> {
        self.0.iter()
    }

    /// Takes what the command at hand does not know away from all of them.
    pub(crate) fn for_each(&mut self, change: fn(&mut Options)) {
        self.0
            .iter_mut()
            .for_each(|source| change(&mut source.options));
    }

    /// What the first source says that says anything of `field`.
    pub(crate) fn first<T>(&self, field: Field<T>) -> Option<(&T, &Origin)> {
        self.0.iter().find_map(|Source { origin, options }| {
            let value = field(options).as_ref()?;
            Some((value, origin))
        })
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, field: Field<bool>) -> bool {
        self.first(field).is_some_and(|(on, _)| *on)
    }
}

/// Where a value from a file goes, by what it must be.
pub(super) enum Place<'a> {
    Text(&'a mut Option<String>),
    Path(&'a mut Option<PathBuf>),
    Bool(&'a mut Option<bool>),
    Seconds(&'a mut Option<u64>, RangeInclusive<u64>),
    Secret(&'a mut Option<Secret>),
}

/// The name of each field, and its place.
macro_rules! places {
    ($options:ident, $($group:ident.$field:ident: $kind:ident $(($range:ident))?,)+) => {
        [$((stringify!($field), Place::$kind(&mut $options.$group.$field $(, $range)?))),+]
    };
}

impl Options {
    /// What was typed; the command keeps what is no setting.
    #[must_use]
    pub(crate) fn typed(line: &mut CommandLine) -> Self {
        let register = match &mut line.command {
            Some(Command::Auto(register)) => take(&mut **register),
            Some(Command::Unregister(args)) => RegisterOptions {
                hsm_pin_file: args.hsm_pin_file.take(),
                update_client_lock: args.update_client_lock.take(),
                ..RegisterOptions::default()
            },
            Some(Command::Check(_)) | None => take(&mut line.register),
        };
        Self {
            common: take(&mut line.common),
            register,
        }
    }

    /// What is empty is not said, as to the incumbent; where it means something else, it stays.
    fn drop_empty(&mut self) {
        let register = &mut self.register;
        for text in [
            &mut register.uuid,
            &mut register.name,
            &mut register.device_group,
            &mut register.hwid,
        ] {
            *text = not_empty(text.take());
        }
        for secret in [&mut register.hsm_pin, &mut register.hsm_so_pin] {
            secret.take_if(|secret| secret.expose().is_empty());
        }
    }

    /// Who reads them knows a secret.
    pub(super) fn holds_a_secret(&self) -> bool {
        let register = &self.register;
        let in_uri = |module: &Secret| module.expose().contains("pin-value=");
        [&register.api_token, &register.hsm_pin, &register.hsm_so_pin]
            .iter()
            .any(|secret| secret.is_some())
            || register.hsm_module.as_ref().is_some_and(in_uri)
    }

    /// Every option that a file may set: all but those that make no sense there or decide which files
    /// are read.
    fn places(&mut self) -> [(&'static str, Place<'_>); 37] {
        places! { self,
            common.sota_dir: Path,
            common.json: Bool,
            common.verbose: Bool,
            common.connect_timeout: Seconds(TIMEOUT_RANGE),
            common.read_timeout: Seconds(TIMEOUT_RANGE),
            common.request_timeout: Seconds(TIMEOUT_RANGE),
            register.factory: Text,
            register.uuid: Text,
            register.name: Text,
            register.device_group: Text,
            register.hwid: Text,
            register.tags: Text,
            register.production: Bool,
            register.validate_uuid: Bool,
            register.apps: Text,
            register.restorable_apps: Text,
            register.use_ostree_server: Bool,
            register.start_daemon: Bool,
            register.api_token: Secret,
            register.api_token_file: Path,
            register.api_token_header: Text,
            register.hsm_module: Secret,
            register.hsm_token_label: Text,
            register.hsm_pin: Secret,
            register.hsm_pin_file: Path,
            register.hsm_so_pin: Secret,
            register.hsm_so_pin_file: Path,
            register.hsm_allow_final_try: Bool,
            register.retry_for: Seconds(RETRY_RANGE),
            register.device_api: Text,
            register.oauth_base: Text,
            register.ca_file: Path,
            register.force: Bool,
            register.mlock_all: Bool,
            register.wait_clock: Seconds(WAIT_RANGE),
            register.os_release: Path,
            register.update_client_lock: Path,
        }
    }

    /// Where the value of an option goes, by its long name; `None` if a file sets no such option.
    pub(super) fn place(&mut self, name: &str) -> Option<Place<'_>> {
        let is_it = |field: &str| field.replace('_', "-") == name;
        let place = self.places().into_iter().find(|(field, _)| is_it(field));
        place.map(|(_, place)| place)
    }
}

impl Place<'_> {
    /// Takes a value as if it were typed; `None` if that would be refused.
    pub(super) fn take(self, value: Secret) -> Option<()> {
        let text = value.expose();
        match self {
            Place::Text(place) => *place = Some(text.to_owned()),
            Place::Path(place) => {
                *place = Some(text)
                    .filter(|path| !path.is_empty())
                    .map(PathBuf::from);
                place.as_ref()?;
            }
            Place::Bool(place) => *place = Some(parse_bool(text).ok()?),
            Place::Seconds(place, range) => {
                let seconds = text.parse().ok().filter(|seconds| range.contains(seconds));
                *place = Some(seconds?);
            }
            Place::Secret(place) => *place = Some(value),
        }
        Some(())
    }
}

/// The long options that a file may set.
#[must_use]
pub fn option_names() -> Vec<String> {
    let mut options = Options::default();
    let names = options.places().map(|(field, _)| field.replace('_', "-"));
    names.to_vec()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::args;
    use super::*;

    /// Options that make no sense in a file, or that decide which files are read.
    const ONLY_TYPED: [&str; 4] = ["help", "version", "config-dir", "dry-run"];

    /// What clap knows a file may set, and the other way round.
    #[test]
    fn no_option_is_forgotten() {
        let command = CommandLine::command();
        let long = command
            .get_arguments()
            .filter_map(|argument| argument.get_long());
        let mut typed: Vec<&str> = long.filter(|name| !ONLY_TYPED.contains(name)).collect();
        let mut known = option_names();
        typed.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, typed);
    }

    /// A value goes to the option of its name, whatever it must be, and nowhere else.
    #[test]
    fn a_value_means_what_it_would_if_it_were_typed() {
        for name in option_names() {
            let switch = ["json", "verbose", "hsm-allow-final-try"].contains(&name.as_str());
            let word = match name.as_str() {
                _ if switch => format!("--{name}"),
                _ => format!("--{name}=1"),
            };
            let words = ["lmp-device-register", &word].map(Into::into);
            let typed = Options::typed(&mut args::parse(words).unwrap());
            let mut set = Options::default();
            let place = set.place(&name).unwrap();
            place.take(Secret::from("1")).unwrap();
            assert_eq!(format!("{set:?}"), format!("{typed:?}"), "{name}");
        }
    }
}
