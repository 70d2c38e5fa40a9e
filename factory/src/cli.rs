//! The program's command line: what was typed, what each command does with the library, and what people
//! read. It must never do what the library does not offer to others.

mod args;
mod operator;
mod output;

use lmp_factory::{Error, Factory, blocking};

pub(crate) use args::Args;
use args::{Command, DeviceCommand, OperatorCommand, TokenCommand};
pub(crate) use output::{failure, start_log};

/// Does what the command line says.
pub(crate) fn run(args: Args) -> Result<(), Error> {
    let open = |dir: args::DirArg| Factory::open(&dir.data_dir);
    match args.command {
        Command::Serve(args) => {
            let json = args.json;
            blocking::serve(args.into_options(), |server| output::serving(server, json))
        }
        Command::Device(DeviceCommand::List { dir, limit, json }) => {
            output::devices(&open(dir)?.devices()?, limit, json);
            Ok(())
        }
        Command::Device(DeviceCommand::Delete { dir, uuid }) => open(dir)?.delete_device(&uuid),
        Command::Operator(OperatorCommand::Add {
            dir,
            password_file,
            name,
        }) => {
            let password = operator::password(password_file.as_deref(), &name)?;
            open(dir)?.add_operator(&name, &password)
        }
        Command::Operator(OperatorCommand::Delete { dir, name }) => {
            open(dir)?.delete_operator(&name)
        }
        Command::Token(TokenCommand::Create { dir, name }) => {
            output::line(&open(dir)?.create_token(&name)?);
            Ok(())
        }
    }
}
