//! One value of all options for each source, in a list whose order is the precedence.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::args::{
    CheckArgs, Command, CommandLine, CommonOptions, RETRY_RANGE, RegisterOptions, TIMEOUT_RANGE,
    UnregisterArgs, WAIT_RANGE, parse_bool,
};
use super::origin::Origin;
use crate::secret::Secret;

/// What one source says; `None` where it says nothing.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Options of every command.
    pub common: CommonOptions,
    /// Options of a registration.
    pub register: RegisterOptions,
    /// URL of the registration API; no option, so that a file cannot set it.
    pub device_api: Option<String>,
    /// URL of the authorisation server, likewise.
    pub oauth_base: Option<String>,
}

/// Options of one origin.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where they came from.
    pub origin: Origin,
    /// What it says.
    pub options: Options,
}

/// What to do, without the options.
#[derive(Debug)]
pub(crate) enum Task {
    /// Register this device.
    Register {
        /// Nobody is watching.
        auto: bool,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Tell whether it is registered.
    Check {
        /// Do not connect.
        offline: bool,
    },
    /// Remove its registration.
    Unregister {
        /// Do not ask.
        yes: bool,
        /// Leave the objects on the token where they are.
        keep_token: bool,
    },
}

/// Takes a command line apart.
#[must_use]
pub(crate) fn split(line: CommandLine) -> (Task, Options) {
    let CommandLine {
        command,
        common,
        register,
    } = line;
    let (task, register) = match command {
        None => {
            let (auto, dry_run) = (false, register.dry_run);
            (Task::Register { auto, dry_run }, register)
        }
        Some(Command::Auto(register)) => {
            let (auto, dry_run) = (true, register.dry_run);
            (Task::Register { auto, dry_run }, *register)
        }
        Some(Command::Check(CheckArgs { offline })) => (Task::Check { offline }, register),
        Some(Command::Unregister(UnregisterArgs {
            yes,
            keep_token,
            hsm_pin_file,
            update_client_lock,
        })) => {
            let register = RegisterOptions {
                hsm_pin_file,
                update_client_lock,
                ..register
            };
            (Task::Unregister { yes, keep_token }, register)
        }
    };
    let options = Options {
        common,
        register,
        ..Options::default()
    };
    (task, options)
}

/// One of the options, to read it.
pub(crate) type Field<T> = fn(&Options) -> &Option<T>;
/// One of the options, to set it.
pub(crate) type FieldMut<T> = fn(&mut Options) -> &mut Option<T>;

impl Source {
    /// A source that says one thing.
    pub(crate) fn one<T>(origin: Origin, field: FieldMut<T>, value: T) -> Self {
        let mut options = Options::default();
        *field(&mut options) = Some(value);
        Self { origin, options }
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

    /// All of them, to take away what the command at hand does not know.
    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Source> {
        self.0.iter_mut()
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

impl Options {
    /// Every option that a file may set, by its long name: all but those that make no sense there
    /// or decide which files are read.
    fn places(&mut self) -> [(&'static str, Place<'_>); 35] {
        let Self {
            common, register, ..
        } = self;
        [
            ("sota-dir", Place::Path(&mut common.sota_dir)),
            ("json", Place::Bool(&mut common.json)),
            ("verbose", Place::Bool(&mut common.verbose)),
            (
                "connect-timeout",
                Place::Seconds(&mut common.connect_timeout, TIMEOUT_RANGE),
            ),
            (
                "read-timeout",
                Place::Seconds(&mut common.read_timeout, TIMEOUT_RANGE),
            ),
            (
                "request-timeout",
                Place::Seconds(&mut common.request_timeout, TIMEOUT_RANGE),
            ),
            ("factory", Place::Text(&mut register.factory)),
            ("uuid", Place::Text(&mut register.uuid)),
            ("name", Place::Text(&mut register.name)),
            ("device-group", Place::Text(&mut register.device_group)),
            ("hwid", Place::Text(&mut register.hwid)),
            ("tags", Place::Text(&mut register.tags)),
            ("production", Place::Bool(&mut register.production)),
            ("validate-uuid", Place::Bool(&mut register.validate_uuid)),
            ("apps", Place::Text(&mut register.apps)),
            (
                "restorable-apps",
                Place::Text(&mut register.restorable_apps),
            ),
            (
                "use-ostree-server",
                Place::Bool(&mut register.use_ostree_server),
            ),
            ("start-daemon", Place::Bool(&mut register.start_daemon)),
            ("api-token", Place::Secret(&mut register.api_token)),
            ("api-token-file", Place::Path(&mut register.api_token_file)),
            (
                "api-token-header",
                Place::Text(&mut register.api_token_header),
            ),
            ("hsm-module", Place::Secret(&mut register.hsm_module)),
            (
                "hsm-token-label",
                Place::Text(&mut register.hsm_token_label),
            ),
            ("hsm-pin", Place::Secret(&mut register.hsm_pin)),
            ("hsm-pin-file", Place::Path(&mut register.hsm_pin_file)),
            ("hsm-so-pin", Place::Secret(&mut register.hsm_so_pin)),
            (
                "hsm-so-pin-file",
                Place::Path(&mut register.hsm_so_pin_file),
            ),
            (
                "hsm-allow-final-try",
                Place::Bool(&mut register.hsm_allow_final_try),
            ),
            (
                "retry-for",
                Place::Seconds(&mut register.retry_for, RETRY_RANGE),
            ),
            ("ca-file", Place::Path(&mut register.ca_file)),
            ("force", Place::Bool(&mut register.force)),
            ("mlock-all", Place::Bool(&mut register.mlock_all)),
            (
                "wait-clock",
                Place::Seconds(&mut register.wait_clock, WAIT_RANGE),
            ),
            ("os-release", Place::Path(&mut register.os_release)),
            (
                "update-client-lock",
                Place::Path(&mut register.update_client_lock),
            ),
        ]
    }

    /// Where the value of an option goes, by its long name; `None` if a file sets no such option.
    pub(super) fn place(&mut self, name: &str) -> Option<Place<'_>> {
        let mut places = self.places().into_iter();
        places.find_map(|(known, place)| (known == name).then_some(place))
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
    let names = options.places().map(|(name, _)| name.to_owned());
    names.to_vec()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

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
            let (_, typed) = split(super::super::args::parse(words).unwrap());
            let mut set = Options::default();
            let place = set.place(&name).unwrap();
            place.take(Secret::from("1")).unwrap();
            assert_eq!(format!("{set:?}"), format!("{typed:?}"), "{name}");
        }
    }
}
