//! The `lmp-factory` program: parse, run, map the outcome to an exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = cli::Args::parse();
    cli::start_log();
    match cli::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::failure(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
