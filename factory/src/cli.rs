//! The program's command line: what was typed, what each command does with the library, and what people
//! read. It must never do what the library does not offer to others.

mod args;
mod device;
mod operator;
mod output;
mod serve;
mod token;

use lmp_factory::Error;

pub(crate) use args::Args;
use args::Command;
pub(crate) use output::{failure, start_log};

/// Does what the command line says.
pub(crate) fn run(args: Args) -> Result<(), Error> {
    match args.command {
        Command::Serve(args) => serve::run(args),
        Command::Device(command) => device::run(command),
        Command::Operator(command) => operator::run(command),
        Command::Token(command) => token::run(command),
    }
}
