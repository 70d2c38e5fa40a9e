//! A device's `/etc` and `/var`, as the agent finds them under their real names: it runs in a
//! mount namespace of its own, so that nothing of this machine is seen or touched.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::board::{Board, Snapshot, TOKEN, snapshot_of};

/// A board whose files have their absolute names.
pub struct Image {
    board: Board,
}

impl Image {
    /// With an os-release and an API token, and nothing else.
    pub fn new() -> Self {
        let board = Board::new();
        let var = board.path("image/var/sota");
        let image = Self {
            board: board.with_sota(var.clone()),
        };
        fs::create_dir_all(var).unwrap();
        fs::create_dir_all(image.path("/etc/lmp-device-register/conf.d")).unwrap();
        image.write("/etc/hosts", "127.0.0.1 localhost\n");
        let release = "LMP_FACTORY=acme\nLMP_FACTORY_TAG=main\nLMP_MACHINE=raspberrypi4-64\n";
        image.write("/etc/os-release", release);
        image.write("/etc/lmp-device-register-token", &format!("{TOKEN}\n"));
        image
    }

    /// Its directory and the tools for it.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Where this machine keeps an absolute path of the device.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.board
            .path("image")
            .join(absolute.trim_start_matches('/'))
    }

    /// Writes a file of the device, readable by its owner only.
    pub fn write(&self, absolute: &str, text: &str) {
        let path = self.path(absolute);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Removes a file of the device.
    pub fn remove(&self, absolute: &str) {
        fs::remove_file(self.path(absolute)).unwrap();
    }

    /// Everything on the device.
    pub fn snapshot(&self) -> Snapshot {
        snapshot_of(&self.board.path("image"))
    }

    /// The agent on the device, with these arguments.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        self.command_under(&[], arguments)
    }

    /// The same, run by a tool such as strace.
    pub fn command_under<A: AsRef<OsStr>>(
        &self,
        tool: &[&str],
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new("/usr/bin/unshare");
        command.env_clear().env("PATH", self.board.path("bin"));
        command.args(["--mount", "--propagation", "private", "/bin/sh", "-ec"]);
        command.arg(
            "/bin/mount --bind \"$1/etc\" /etc; /bin/mount --bind \"$1/var\" /var; shift; \
             exec \"$@\"",
        );
        command.arg("sh").arg(self.board.path("image")).args(tool);
        command.arg(crate::agent());
        command.args(arguments);
        command
    }
}
