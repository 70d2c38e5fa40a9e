//! The command line as typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ArgGroup, Parser, Subcommand};
use lmp_factory::ServeOptions;

/// The factory side of lmp-device-register: signs devices, lists them, lets them check in.
#[derive(Debug, Parser)]
#[command(name = "lmp-factory", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a factory; a directory that does not exist becomes one
    Serve(ServeArgs),
    /// The registered devices
    #[command(subcommand)]
    Device(DeviceCommand),
    /// People who approve devices at /activate/
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Tokens for the API
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, ArgGroup)]
pub(crate) struct DirArg {
    /// Directory of all state
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, ArgGroup)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    dir: DirArg,
    /// The factory's name: the OU of every certificate
    #[arg(long, value_name = "NAME")]
    factory: String,
    /// Address of the registration API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address of the Device Gateway
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    gateway_listen: SocketAddr,
    /// DNS name or IP address under which both are reached; repeatable, the first is in the URLs
    #[arg(long = "host", value_name = "NAME", default_value = "localhost")]
    hosts: Vec<String>,
    /// Plain HTTP on the API, for loopback addresses only
    #[arg(long)]
    http: bool,
    /// Make a factory in a directory that exists and is empty
    #[arg(long)]
    init: bool,
    /// Print one line of JSON once both ports are open
    #[arg(long)]
    pub(crate) json: bool,
}

impl ServeArgs {
    pub(crate) fn into_options(self) -> ServeOptions {
        ServeOptions {
            init: self.init,
            api_listen: self.listen,
            gateway_listen: self.gateway_listen,
            hosts: self.hosts,
            api_tls: !self.http,
            ..ServeOptions::new(self.dir.data_dir, self.factory)
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// List the registered devices, oldest first
    List {
        #[command(flatten)]
        dir: DirArg,
        /// List this many at most; without it a table has 100, and JSON all
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete a device; its UUID is denied from then on
    Delete {
        #[command(flatten)]
        dir: DirArg,
        /// The device's UUID
        uuid: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print it: it cannot be shown again
    Create {
        #[command(flatten)]
        dir: DirArg,
        /// What the log calls it
        #[arg(long, default_value = "cli")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Add an operator; asks for the password on the terminal
    Add {
        #[command(flatten)]
        dir: DirArg,
        /// Read the password from the first line of a file; - is standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// The name to log in with
        name: String,
    },
    /// Delete an operator and end their sessions
    Delete {
        #[command(flatten)]
        dir: DirArg,
        /// The name to log in with
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
