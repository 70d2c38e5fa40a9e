//! `lmp-device-register`: parse, run, map the outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A bug must not look like a killed process, nor print what it was working on.
    std::panic::set_hook(Box::new(|panic| {
        lmp_device_register::bug(panic.location());
        std::process::exit(lmp_device_register::Kind::Bug.exit_code().into());
    }));
    ExitCode::from(lmp_device_register::run(std::env::args_os()))
}
