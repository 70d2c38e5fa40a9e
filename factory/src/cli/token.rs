//! `token create`.

use lmp_factory::{Error, Factory};

use super::args::TokenCommand;
use super::output;

pub(super) fn run(command: TokenCommand) -> Result<(), Error> {
    let TokenCommand::Create { dir, name } = command;
    output::line(&Factory::open(&dir.data_dir)?.create_token(&name)?);
    Ok(())
}
