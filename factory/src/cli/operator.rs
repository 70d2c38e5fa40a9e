//! `operator add` and `operator delete`, and how a password is read.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use lmp_factory::{Error, Factory, Password};
use zeroize::Zeroizing;

use super::args::OperatorCommand;

pub(super) fn run(command: OperatorCommand) -> Result<(), Error> {
    match command {
        OperatorCommand::Add {
            dir,
            password_file,
            name,
        } => {
            let password = match password_file {
                Some(path) => read_password(&path)?,
                None => ask_password(&name)?,
            };
            Factory::open(&dir.data_dir)?.add_operator(&name, &password)
        }
        OperatorCommand::Delete { dir, name } => {
            Factory::open(&dir.data_dir)?.delete_operator(&name)
        }
    }
}

/// The first line of a file, or of standard input for `-`.
fn read_password(path: &Path) -> Result<Password, Error> {
    let failed = |source| Error::File {
        action: "read",
        path: path.into(),
        source,
    };
    let mut line = String::new();
    if path.as_os_str() == "-" {
        io::stdin().read_line(&mut line).map_err(failed)?;
    } else {
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        file.read_line(&mut line).map_err(failed)?;
    }
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(Password::new(line))
}

/// Asks on the terminal, twice and without echo.
fn ask_password(name: &str) -> Result<Password, Error> {
    let failed = |source| Error::File {
        action: "read the password from",
        path: "/dev/tty".into(),
        source,
    };
    let ask = |text: &str| rpassword::prompt_password(text).map_err(failed);
    loop {
        let first = Zeroizing::new(ask(&format!("Password of {name}: "))?);
        let second = Zeroizing::new(ask("Again: ")?);
        if first == second {
            return Ok(Password::new(first.to_string()));
        }
        let _ = writeln!(io::stderr(), "They differ.");
    }
}
