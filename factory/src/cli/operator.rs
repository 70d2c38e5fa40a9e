//! How an operator's password is read.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use lmp_factory::{Error, Password};
use zeroize::Zeroizing;

/// The first line of a file, or of standard input for `-`; without a file, what is typed on the terminal,
/// twice and without echo.
pub(super) fn password(file: Option<&Path>, name: &str) -> Result<Password, Error> {
    let failed = |action, path: &Path| {
        let path = path.into();
        move |source| Error::File {
            action,
            path,
            source,
        }
    };
    let Some(path) = file else {
        let tty = Path::new("/dev/tty");
        let ask = |text: &str| {
            let typed = rpassword::prompt_password(text);
            typed.map_err(failed("read the password from", tty))
        };
        loop {
            let first = Zeroizing::new(ask(&format!("Password of {name}: "))?);
            let second = Zeroizing::new(ask("Again: ")?);
            if first == second {
                return Ok(Password::new(first.to_string()));
            }
            let _ = writeln!(io::stderr(), "They differ.");
        }
    };
    let mut line = String::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().read_line(&mut line)
    } else {
        File::open(path).and_then(|file| BufReader::new(file).read_line(&mut line))
    };
    read.map_err(failed("read", path))?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Password::new(line))
}
