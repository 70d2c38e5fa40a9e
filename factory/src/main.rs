//! The `lmp-factory` program: parse, run, map the outcome to an exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use cli::args::{Args, Command, DeviceCommand, OperatorCommand, ServeArgs, TokenCommand};
use cli::output as ui;
use lmp_factory::{
    Error, add_operator, create_token, delete_device, delete_operator, list_devices,
};

fn main() -> ExitCode {
    let args = Args::parse();
    ui::start_log();
    match run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::failure(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve(args).await,
            Command::Device(DeviceCommand::List { data_dir, json }) => {
                ui::devices(&list_devices(&data_dir).await?, json);
                Ok(())
            }
            Command::Device(DeviceCommand::Delete { data_dir, uuid }) => {
                delete_device(&data_dir, &uuid).await
            }
            Command::Operator(OperatorCommand::Add {
                data_dir,
                password_file,
                name,
            }) => {
                let password = match password_file {
                    Some(path) => ui::read_password(&path)?,
                    None => ui::ask_password(&name)?,
                };
                add_operator(&data_dir, &name, &password).await
            }
            Command::Operator(OperatorCommand::Delete { data_dir, name }) => {
                delete_operator(&data_dir, &name).await
            }
            Command::Token(TokenCommand::Create { data_dir, name }) => {
                ui::line(&create_token(&data_dir, &name).await?);
                Ok(())
            }
        }
    })
}

async fn serve(args: ServeArgs) -> Result<(), Error> {
    // Before the ports open: whoever reads the URLs may send the signal at once.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let json = args.json;
    let running = lmp_factory::start(args.into_options()).await?;
    ui::serving(&running, json);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.stop().await;
    Ok(())
}
