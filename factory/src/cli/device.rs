//! `device list` and `device delete`.

use lmp_factory::{Error, Factory};

use super::args::DeviceCommand;
use super::output;

pub(super) fn run(command: DeviceCommand) -> Result<(), Error> {
    match command {
        DeviceCommand::List { dir, json } => {
            output::devices(&Factory::open(&dir.data_dir)?.devices()?, json);
            Ok(())
        }
        DeviceCommand::Delete { dir, uuid } => Factory::open(&dir.data_dir)?.delete_device(&uuid),
    }
}
