//! What the tests of the agent share: a board, a server that answers what a test wants, a CA, a
//! factory, and the tools that a person would use. It must never decide what is right: what it
//! asserts by itself holds for every run, such as that no secret is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    clippy::return_self_not_must_use,
    reason = "tests fail by panicking, and prepare files as they like"
)]

pub mod answers;
pub mod board;
pub mod factory;
pub mod gateway;
pub mod image;
pub mod memory;
pub mod pki;
pub mod rotation;
pub mod scripted;
pub mod token;
pub mod tools;
pub mod watched;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

/// The program under test: where cargo says, or beside the folder of the test's own executable.
pub fn agent() -> &'static Path {
    static AGENT: LazyLock<PathBuf> = LazyLock::new(|| {
        let name = "lmp-device-register";
        let told = std::env::var_os(format!("CARGO_BIN_EXE_{name}")).map(PathBuf::from);
        let agent = told.unwrap_or_else(|| build_folder().join(name));
        assert!(agent.is_file(), "{agent:?} is missing: cargo build");
        agent
    });
    &AGENT
}

/// Where cargo puts what it builds: the test's own executable is in `deps` there.
fn build_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// A directory in memory if the machine allows: thousands of flushes take no time there.
pub fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
