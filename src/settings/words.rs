//! Pure: the words of a command line as the incumbent takes them, spelt out for clap: names that
//! may be shortened, values that begin with a dash, and what is empty. Never judges a value.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

/// The incumbent's long options: a prefix that means one of them keeps its meaning, whatever is
/// added.
const INCUMBENT: [&str; 21] = [
    "api-token",
    "api-token-header",
    "apps",
    "device-group",
    "factory",
    "force",
    "help",
    "hsm-module",
    "hsm-pin",
    "hsm-so-pin",
    "hwid",
    "mlock-all",
    "name",
    "production",
    "restorable-apps",
    "sota-dir",
    "start-daemon",
    "tags",
    "use-ostree-server",
    "uuid",
    "validate-uuid",
];

/// Parses a BOOL word in any case: `1 true yes on` or `0 false no off`.
pub(super) fn parse_bool(word: &str) -> Result<bool, String> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected one of 1, 0, true, false, yes, no, on, off".to_owned()),
    }
}

/// The same words, the program's name first, each option with its full name and its value behind
/// `=`. What makes no sense stays as it is, for clap to say so.
pub(super) fn spelt_out(words: Vec<OsString>, command: &Command) -> Vec<OsString> {
    let known = Known::of(command);
    let mut words = words.into_iter().peekable();
    let mut spelt: Vec<OsString> = words.next().into_iter().collect();
    // The incumbent has no commands, so only a registration can be meant by one of its words.
    let mut registers = true;
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            spelt.push(word);
            continue;
        };
        if text == "--" {
            spelt.push(word);
            break;
        }
        if let Some(named) = command.find_subcommand(text) {
            registers = registers && named.get_name() == "auto";
        }
        let Some((option, value)) = known.option(text, registers) else {
            // An empty word is one that a script had no value for.
            spelt.extend(Some(word).filter(|word| !word.is_empty()));
            continue;
        };
        let long = OsString::from(format!("--{}", option.get_long().unwrap_or_default()));
        let value = match value {
            Some(value) => Some(value.into()),
            None if !option.get_action().takes_values() => None,
            None if is_bare(option) => {
                let next = words.next_if(|next| is_bool(next) || is_no_word(next, command));
                Some(next.unwrap_or_else(|| "true".into()))
            }
            None => match words.next_if(|next| !known.is_option(next)) {
                // The incumbent reads it as true, which is the default of each that takes one.
                Some(value) if value.is_empty() && is_switch(option) => continue,
                value => value,
            },
        };
        spelt.push(value.map_or(long.clone(), |value| joined(long, &value)));
    }
    spelt.extend(words);
    spelt
}

/// The options of all commands.
struct Known<'a>(Vec<&'a Arg>);

impl<'a> Known<'a> {
    fn of(command: &'a Command) -> Self {
        let of_commands = command.get_subcommands().flat_map(Command::get_arguments);
        Self(command.get_arguments().chain(of_commands).collect())
    }

    /// The option that a word is, and the value behind its `=`. A short one is only meant if it
    /// stands alone: to clap, what follows it is its value in any case.
    fn option<'w>(&self, word: &'w str, registers: bool) -> Option<(&'a Arg, Option<&'w str>)> {
        let Some(long) = word.strip_prefix("--") else {
            return self.short(word).map(|option| (option, None));
        };
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let meant = INCUMBENT.iter().filter(|long| long.starts_with(name));
        let meant: Vec<_> = meant.collect();
        let full = match meant[..] {
            [only] if registers && !name.is_empty() => *only,
            _ => name,
        };
        let option = self.long(name).or_else(|| self.long(full))?;
        Some((option, value))
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.0.iter().copied().find(|o| o.get_long() == Some(name))
    }

    fn short(&self, word: &str) -> Option<&'a Arg> {
        let mut letters = word.strip_prefix('-')?.chars();
        let letter = letters.next().filter(|_| letters.as_str().is_empty())?;
        let is_it = |option: &&Arg| option.get_short() == Some(letter);
        self.0.iter().copied().find(is_it)
    }

    /// A word that is an option as it stands is no value: the value was forgotten.
    fn is_option(&self, word: &OsStr) -> bool {
        word.to_str().is_some_and(|word| {
            let name = word.strip_prefix("--");
            let name = name.and_then(|long| long.split('=').next());
            name.is_some_and(|name| self.long(name).is_some()) || self.short(word).is_some()
        })
    }
}

/// Neither option nor command: a value that is no BOOL word, for clap to refuse.
fn is_no_word(word: &OsStr, command: &Command) -> bool {
    let is_plain = |word: &str| !word.is_empty() && !word.starts_with('-');
    word.to_str().is_some_and(is_plain) && command.find_subcommand(word).is_none()
}

/// An option whose BOOL may be left out.
fn is_bare(option: &Arg) -> bool {
    let values = option.get_num_args();
    values.is_some_and(|values| values.min_values() == 0 && values.max_values() == 1)
}

fn is_switch(option: &Arg) -> bool {
    let names = option.get_value_names().unwrap_or_default();
    names.iter().any(|name| name == "BOOL")
}

fn is_bool(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| parse_bool(word).is_ok())
}

fn joined(mut option: OsString, value: &OsStr) -> OsString {
    option.push("=");
    option.push(value);
    option
}
