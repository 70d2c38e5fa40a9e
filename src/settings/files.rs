//! Configuration files: any option, by its long name. Never quotes a value: it may be a PIN.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use toml_edit::{Document, Item, Value};

use super::options::{Options, Source};
use super::origin::Origin;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::sota::directory::{Directory, is_there, read_text};

/// Directory of `config.toml` and `conf.d`.
const FOLDER: &str = "/etc/lmp-device-register";
/// The most bytes of a file with settings or a secret.
pub(super) const TEXT_LIMIT: usize = 64 * 1024;

/// The configuration files, the one that wins first: `conf.d/*.toml` in the reverse order of names,
/// then `config.toml`; and what somebody should know of them. Unless they are `needed`, those that
/// nobody asked for and this user may not read are passed over.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a file that cannot be read or is wrong, or if a
/// directory was asked for and is not there.
pub(super) fn sources(
    directory: Option<&Path>,
    needed: bool,
) -> Result<(Vec<Source>, Vec<String>)> {
    let typed = directory.is_some();
    let directory = directory.unwrap_or(Path::new(FOLDER));
    if !directory.is_dir() {
        if typed {
            return Err(Error::setting(format!("{directory:?} is no directory"))
                .hint("give --config-dir DIR with the directory of config.toml"));
        }
        return Ok((Vec::new(), Vec::new()));
    }
    let mut warnings = Vec::new();
    let mut may_read = |path: &Path| {
        let passed_over = !needed && !typed && is_forbidden(path);
        if passed_over {
            warnings.push(format!(
                "{path:?} counts for nothing: this user may not read it"
            ));
        }
        !passed_over
    };
    let mut paths = vec![directory.join("config.toml")];
    let parts = directory.join("conf.d");
    if parts.is_dir() && may_read(&parts) {
        let mut names = Directory::open(&parts)?.names()?;
        names.retain(|name| !name.starts_with('.') && name.strip_suffix(".toml").is_some());
        names.sort_unstable();
        paths.extend(names.into_iter().map(|name| parts.join(name)));
    }
    paths.retain(|path| is_there(path) && may_read(path));
    let mut sources = Vec::new();
    for path in paths.iter().rev() {
        let source = parse(path, &read_text(path, TEXT_LIMIT)?)?;
        if source.options.holds_a_secret() && everybody_may_read(path) {
            warnings.push(format!(
                "{path:?} holds a secret and everybody may read it: chmod 600 it, or put the secret \
                 into a file of its own, which an option that ends in -file names"
            ));
        }
        sources.push(source);
    }
    Ok((sources, warnings))
}

/// This user may not read it.
pub(super) fn is_forbidden(path: &Path) -> bool {
    access(path, Access::READ_OK) == Err(Errno::ACCESS)
}

fn everybody_may_read(path: &Path) -> bool {
    let allows = |path: &Path, bit| {
        let facts = path.metadata();
        facts.is_ok_and(|facts| facts.permissions().mode() & bit != 0)
    };
    let mut above = path.ancestors().skip(1);
    allows(path, 0o004) && above.all(|directory| allows(directory, 0o001))
}

/// Reads the text of a configuration file.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] naming the file and the key that is unknown or has no
/// usable value.
pub(super) fn parse(path: &Path, text: &str) -> Result<Source> {
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
    let origin = Origin::File(path.to_owned());
    let mut options = Options::default();
    // By value, so that a PIN is moved and not copied.
    for (name, item) in document.into_table() {
        let place = options.place(&name).ok_or_else(|| {
            Error::setting(format!("{path:?} sets {name:?}, which is no option"))
                .hint("use the names of the long options: lmp-device-register --help")
        })?;
        let value = plain_value(item).ok_or_else(|| {
            Error::setting(format!("{path:?}: {name} is no text, number or boolean"))
        })?;
        place.take(value).ok_or_else(|| {
            Error::setting(format!("{name} has no usable value in {origin}"))
                .hint("look at its description: lmp-device-register --help")
        })?;
    }
    Ok(Source { origin, options })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn read(text: &str) -> Result<Source> {
        parse(Path::new("/c.toml"), text)
    }

    #[test]
    fn any_option_by_its_long_name() {
        let text = "factory = \"acme\"\nforce = true\nretry-for = 5\ntags = [\"a\", \"b\"]\n\
                    hsm-pin = 1234\njson = \"OFF\"\nca-file = \"/ca\"\nname = true\n";
        let Source { origin, options } = read(text).unwrap();
        let register = &options.register;
        assert_eq!(register.factory.as_deref(), Some("acme"));
        assert_eq!(register.force, Some(true));
        assert_eq!(register.retry_for, Some(5));
        assert_eq!(register.tags.as_deref(), Some("a,b"));
        assert_eq!(register.hsm_pin, Some(Secret::from("1234")));
        assert_eq!(options.common.json, Some(false));
        assert_eq!(register.ca_file.as_deref(), Some(Path::new("/ca")));
        assert_eq!(register.name.as_deref(), Some("true"));
        assert_eq!(origin, Origin::File("/c.toml".into()));
        assert!(!format!("{options:?}").contains("1234"));
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

    /// A switch that is misspelt is neither on nor off.
    #[test]
    fn an_unusable_value_names_its_file_only() {
        for name in [
            "force",
            "json",
            "hsm-allow-final-try",
            "retry-for",
            "connect-timeout",
        ] {
            let error = read(&format!("{name} = \"s3cret\"")).unwrap_err();
            assert_eq!(
                error.full_message(),
                format!("{name} has no usable value in file \"/c.toml\"")
            );
        }
        for (name, value) in [
            ("connect-timeout", "0"),
            ("wait-clock", "86401"),
            ("retry-for", "-1"),
            ("ca-file", "\"\""),
        ] {
            assert!(read(&format!("{name} = {value}")).is_err(), "{name}");
        }
    }
}
