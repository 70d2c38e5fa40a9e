//! The real other side, in this process.

use std::path::PathBuf;
use std::process::Command;

use lmp_factory::ServeOptions;
use lmp_factory::blocking::{Server, start};
use tempfile::TempDir;

use crate::board::{Board, Run, run};

/// A factory of its own for a test.
pub struct Factory {
    // Dropped in this order: the server stops before its directory goes.
    /// The running server.
    pub server: Server,
    dir: TempDir,
}

impl Factory {
    /// Over HTTPS.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// Over plain HTTP.
    pub fn plain() -> Self {
        Self::with(|options| options.api_tls = false)
    }

    /// Over HTTPS, with its options as `adjust` leaves them.
    pub fn with(adjust: impl FnOnce(&mut ServeOptions)) -> Self {
        Self::within(tempfile::tempdir().unwrap(), adjust)
    }

    /// The same with its data in this directory.
    pub fn within(dir: TempDir, adjust: impl FnOnce(&mut ServeOptions)) -> Self {
        let mut options = ServeOptions::new(dir.path().join("data"), "acme");
        adjust(&mut options);
        let server = start(options).unwrap();
        Self { server, dir }
    }

    /// URL of the registration API.
    pub fn device_api(&self) -> &str {
        &self.server.urls().device_api
    }

    /// A file that holds this factory's token.
    fn token_file(&self) -> PathBuf {
        let path = self.dir.path().join("token");
        std::fs::write(&path, self.server.api_token().unwrap()).unwrap();
        path
    }

    /// A registration of `board` here, without starting the update client.
    pub fn command(&self, board: &Board) -> Command {
        let mut command = board.local_command();
        command.env("DEVICE_API", self.device_api());
        command.arg("--api-token-file").arg(self.token_file());
        command.arg("--ca-file").arg(self.server.ca_file());
        command.args(["--start-daemon", "0", "--retry-for", "0"]);
        command
    }

    /// A registration of `board` here that a person must approve.
    pub fn grant_command(&self, board: &Board) -> Command {
        let mut command = board.local_command();
        command.env("DEVICE_API", self.device_api());
        command.env("OAUTH_BASE", &self.server.urls().oauth);
        command.arg("--ca-file").arg(self.server.ca_file());
        command.args(["--start-daemon", "0", "--retry-for", "0"]);
        command
    }

    /// Registers `board` here.
    pub fn register(&self, board: &Board, arguments: &[&str]) -> Run {
        let mut command = self.command(board);
        command.args(arguments);
        let run = run(command);
        let token = self.server.api_token().unwrap();
        assert!(!format!("{run}").contains(token), "the token: {run}");
        run
    }
}
