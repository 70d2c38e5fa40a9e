//! Pure: settings that files give, by the name of the long option; each layer has one origin.
//!
//! A configuration file may set any option. What the auto-register wrapper used to read
//! (`/etc/sota/tag`, `/etc/sota/hsm`, ...) becomes a layer of the same form. A value of a layer
//! means what it would mean if it were typed, and gives way to what was typed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory as _};
use toml_edit::{Document, Item, Value};

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::settings::Origin;
use crate::settings::args::{self, CommandLine};

/// Options that make no sense in a file, or that decide which files are read.
const ONLY_TYPED: [&str; 4] = ["help", "version", "config-dir", "dry-run"];

/// Values of one origin, by long option name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Where they came from.
    pub origin: Origin,
    /// Long option name to value, as it would be typed.
    pub values: BTreeMap<String, Secret>,
}

/// Names only: values may be PINs.
impl std::fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { origin, values } = self;
        write!(formatter, "Layer({origin}: {:?})", values.keys())
    }
}

/// All layers, the one that wins first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layers(Vec<Layer>);

impl Layers {
    /// Puts `layer` above those that are there.
    pub(crate) fn push_above(&mut self, layer: Layer) {
        self.0.insert(0, layer);
    }

    /// Puts `layer` below those that are there.
    pub(crate) fn push_below(&mut self, layer: Layer) {
        self.0.push(layer);
    }

    /// Whether files say nothing at all.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the layers say about an option, if nobody types it.
    #[must_use]
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find_map(|layer| layer.values.get(name));
        value.map(Secret::expose)
    }

    /// What the words of a command line leave open and `shadowed` does not cover: the names of
    /// options that the environment sets.
    ///
    /// # Errors
    /// [`crate::error::Kind::Configuration`] for a value that could not be typed either, or for two
    /// of one layer that contradict each other.
    pub(crate) fn complete(
        &self,
        words: &[OsString],
        shadowed: &BTreeSet<&str>,
    ) -> Result<Additions> {
        let mut additions = Additions::default();
        let Ok(matches) = args::matches(words.iter().cloned()) else {
            // What is wrong with them is said when they are parsed for good.
            return Ok(additions);
        };
        let (command, known) = command_options(&matches);
        let mut taken: BTreeSet<String> = known
            .iter()
            .filter(|name| is_typed(&matches, name))
            .map(|name| slot(name))
            .collect();
        taken.extend(shadowed.iter().map(|name| slot(name)));
        for Layer { origin, values } in &self.0 {
            let mut added = Vec::new();
            for (name, value) in values {
                if !known.contains(name) || taken.contains(&slot(name)) {
                    continue;
                }
                if added.contains(&slot(name)) {
                    return Err(contradiction(name, origin));
                }
                if args::SECRETS.contains(&name.as_str()) {
                    additions.secrets.insert(name.clone(), value.clone());
                } else if let Some(word) = word(&command, name, value.expose()) {
                    check_alone(&matches, name, &word, origin)?;
                    additions.words.push(word);
                }
                additions.origins.insert(name.clone(), origin.clone());
                added.push(slot(name));
            }
            taken.extend(added);
        }
        Ok(additions)
    }
}

/// What layers add to a command line.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    /// Words to append.
    pub words: Vec<OsString>,
    /// Values of [`args::SECRETS`], past the parser: it keeps copies that nobody can wipe.
    pub secrets: BTreeMap<String, Secret>,
    /// Where all of them came from.
    pub origins: Origins,
}

fn contradiction(name: &str, origin: &Origin) -> Error {
    Error::setting(format!("{origin} sets both {} and {name}", slot(name)))
        .hint("leave one of them out")
}

/// Where values that nobody typed came from, by long option name.
pub(crate) type Origins = BTreeMap<String, Origin>;

/// `--api-token` and `--api-token-file` say the same thing in two ways: one of them is enough.
fn slot(name: &str) -> String {
    name.strip_suffix("-file").unwrap_or(name).to_owned()
}

/// The command that is run and the long options that it takes.
fn command_options(matches: &ArgMatches) -> (Command, BTreeSet<String>) {
    let mut root = CommandLine::command();
    root.build();
    let command = matches
        .subcommand_name()
        .and_then(|name| root.find_subcommand(name))
        .unwrap_or(&root)
        .clone();
    let known = command
        .get_arguments()
        .filter_map(|argument| argument.get_long());
    let known = known.map(str::to_owned).collect();
    (command, known)
}

fn is_typed(matches: &ArgMatches, name: &str) -> bool {
    let id = name.replace('-', "_");
    let innermost = matches.subcommand().map_or(matches, |(_, inner)| inner);
    [matches, innermost].into_iter().any(|matches| {
        matches.try_contains_id(&id).is_ok()
            && matches.value_source(&id) == Some(ValueSource::CommandLine)
    })
}

/// The word that sets an option; none for a switch that stays off.
fn word(command: &Command, name: &str, value: &str) -> Option<OsString> {
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(name))?;
    if argument.get_action().takes_values() {
        return Some(format!("--{name}={value}").into());
    }
    args::parse_bool(value)
        .unwrap_or(true)
        .then(|| format!("--{name}").into())
}

/// Parses one word by itself, so that an error can name its file; the value is not quoted.
fn check_alone(matches: &ArgMatches, name: &str, word: &OsString, origin: &Origin) -> Result<()> {
    let program = OsString::from(env!("CARGO_PKG_NAME"));
    let command = matches.subcommand_name().map(OsString::from);
    let words = std::iter::once(program)
        .chain(command)
        .chain([word.clone()]);
    match args::matches(words) {
        Ok(_) => Ok(()),
        Err(_) => Err(
            Error::setting(format!("{name} has no usable value in {origin}")).hint(format!(
                "look at its description: {} --help",
                env!("CARGO_PKG_NAME")
            )),
        ),
    }
}

/// Reads the text of a configuration file.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] naming the file and the key that is unknown or of the
/// wrong kind.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Layer> {
    // The parser's own message quotes the line, which may hold a PIN.
    let document = Document::parse(text).map_err(|cause| {
        let line = cause.span().map_or(0, |span| {
            text.bytes()
                .take(span.start)
                .filter(|byte| *byte == b'\n')
                .count()
                + 1
        });
        Error::setting(format!(
            "{path:?} is no TOML: line {line}: {}",
            cause.message()
        ))
    })?;
    let known = option_names();
    let mut values = BTreeMap::new();
    // By value, so that a PIN is moved and not copied.
    for (name, item) in document.into_table() {
        if !known.contains(&name) {
            return Err(
                Error::setting(format!("{path:?} sets {name:?}, which is no option"))
                    .hint("use the names of the long options: lmp-device-register --help"),
            );
        }
        let value = plain_value(item).ok_or_else(|| {
            Error::setting(format!("{path:?}: {name} is no text, number or boolean"))
        })?;
        values.insert(name, value);
    }
    Ok(Layer {
        origin: Origin::File(path.to_owned()),
        values,
    })
}

fn plain_value(item: Item) -> Option<Secret> {
    match item.into_value().ok()? {
        Value::String(text) => Some(text.into_value().into()),
        Value::Integer(number) => Some(number.value().to_string().into()),
        Value::Boolean(flag) => Some(flag.value().to_string().into()),
        Value::Array(items) => {
            let texts = items
                .iter()
                .map(Value::as_str)
                .collect::<Option<Vec<_>>>()?;
            Some(texts.join(",").into())
        }
        _ => None,
    }
}

/// The long options that a file may set.
#[must_use]
pub fn option_names() -> Vec<String> {
    CommandLine::command()
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .filter(|name| !ONLY_TYPED.contains(name))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn read(text: &str) -> Result<Layer> {
        parse(Path::new("/c.toml"), text)
    }

    #[test]
    fn any_option_by_its_long_name() {
        let layer =
            read("factory = \"acme\"\nforce = true\nretry-for = 5\ntags = [\"a\", \"b\"]\n");
        let layer = layer.unwrap();
        let value = |name| layer.values.get(name).map(Secret::expose);
        assert_eq!(value("factory"), Some("acme"));
        assert_eq!(value("force"), Some("true"));
        assert_eq!(value("retry-for"), Some("5"));
        assert_eq!(value("tags"), Some("a,b"));
        assert_eq!(layer.origin, Origin::File("/c.toml".into()));
        assert!(!format!("{layer:?}").contains("acme"));
    }

    #[test]
    fn what_is_unknown_or_of_the_wrong_kind_is_an_error() {
        for text in [
            "factroy = \"x\"",
            "[factory]\na = 1",
            "tags = [1]",
            "x",
            "config-dir = \"/\"",
        ] {
            assert_eq!(
                read(text).unwrap_err().kind(),
                Kind::Configuration,
                "{text}"
            );
        }
    }

    #[test]
    fn a_broken_line_is_named_but_not_quoted() {
        let error = read("factory = \"a\"\nhsm-pin = \"87654321\n")
            .unwrap_err()
            .full_message();
        assert!(
            error.contains("line 2") && !error.contains("87654321"),
            "{error}"
        );
    }

    fn complete(layers: &[&str], typed: &[&str], shadowed: &[&str]) -> Result<(String, Origins)> {
        let mut all = Layers::default();
        for text in layers.iter().rev() {
            all.push_above(read(text)?);
        }
        let words: Vec<OsString> = ["lmp-device-register"]
            .iter()
            .chain(typed)
            .map(OsString::from)
            .collect();
        let added = all.complete(&words, &shadowed.iter().copied().collect())?;
        let words = [words, added.words].concat();
        let text = words[1..].join(std::ffi::OsStr::new(" "));
        let mut text = text.into_string().unwrap();
        for (name, value) in added.secrets {
            text.extend([" ", &name, " past clap: ", value.expose()]);
        }
        Ok((text, added.origins))
    }

    #[test]
    fn typed_words_win_and_the_first_layer_comes_next() {
        let layers = [
            "name = \"above\"",
            "name = \"below\"\ntags = \"t\"\nhwid = \"h\"",
        ];
        let (words, origins) = complete(&layers, &["-i", "typed"], &[]).unwrap();
        assert_eq!(words, "-i typed --name=above --tags=t");
        assert_eq!(origins.keys().collect::<Vec<_>>(), ["name", "tags"]);
    }

    #[test]
    fn the_environment_hides_a_layer() {
        let (words, _) = complete(&["factory = \"f\"\ntags = \"t\""], &[], &["factory"]).unwrap();
        assert_eq!(words, "--tags=t");
    }

    #[test]
    fn a_secret_and_its_file_are_one_setting() {
        let layers = ["api-token-file = \"/above\"", "api-token = \"below\""];
        assert_eq!(
            complete(&layers, &[], &[]).unwrap().0,
            "--api-token-file=/above"
        );
        assert_eq!(complete(&layers, &["-T", "x"], &[]).unwrap().0, "-T x");
        let both = ["hsm-pin = \"1\"\nhsm-pin-file = \"/pin\""];
        let error = complete(&both, &[], &[]).unwrap_err().full_message();
        assert!(error.contains("/c.toml"), "{error}");
        assert!(error.contains("both hsm-pin and hsm-pin-file"), "{error}");
    }

    #[test]
    fn the_parser_of_words_never_sees_a_secret_of_a_file() {
        let layers = ["api-token = \"t\"\nhsm-module = \"/m\"\nhsm-pin = 12\nname = \"n\""];
        let (words, origins) = complete(&layers, &[], &[]).unwrap();
        assert_eq!(
            words,
            " --name=n api-token past clap: t hsm-module past clap: /m hsm-pin past clap: 12"
                .trim_start()
        );
        assert_eq!(origins.len(), 4);
    }

    #[test]
    fn a_command_gets_only_its_own_options() {
        let layer = ["sota-dir = \"/d\"\ntags = \"t\"\njson = true\nverbose = false"];
        assert_eq!(
            complete(&layer, &["check"], &[]).unwrap().0,
            "check --json --sota-dir=/d"
        );
        let (words, _) = complete(&layer, &["-d", "/x", "check"], &[]).unwrap();
        assert_eq!(words, "-d /x check --json");
    }

    #[test]
    fn an_unusable_value_names_its_file_only() {
        let error = complete(&["force = \"s3cret\""], &[], &[])
            .unwrap_err()
            .full_message();
        assert!(
            error.contains("force") && error.contains("/c.toml"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
}
