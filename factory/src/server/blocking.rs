//! The server for callers without an async runtime: it brings its own threads.

use std::path::PathBuf;

use tokio::runtime::{Builder, Runtime};

use super::{
    options::ServeOptions,
    running::{self, Running},
};
use crate::approval::password::Password;
use crate::error::Error;
use crate::site::Urls;
use crate::store::Device;

/// A factory that is served until this is dropped, which stops it within a second. Use and drop it
/// outside of async code.
#[derive(Debug)]
pub struct Server {
    running: Running,
    runtime: Runtime,
}

/// Serves a factory from threads of its own; returns when both ports are open.
pub fn start(options: ServeOptions) -> Result<Server, Error> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lmp-factory")
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let running = runtime.block_on(running::start(options))?;
    Ok(Server { running, runtime })
}

impl Server {
    /// See [`Running::urls`].
    #[must_use]
    pub fn urls(&self) -> &Urls {
        self.running.urls()
    }

    /// See [`Running::api_token`].
    #[must_use]
    pub fn api_token(&self) -> Option<&str> {
        self.running.api_token()
    }

    /// See [`Running::ca_file`].
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.running.ca_file()
    }

    /// See [`Running::root_file`].
    #[must_use]
    pub fn root_file(&self) -> PathBuf {
        self.running.root_file()
    }

    /// See [`Running::devices`].
    pub fn devices(&self) -> Result<Vec<Device>, Error> {
        self.runtime.block_on(self.running.devices())
    }

    /// See [`Running::add_operator`].
    pub fn add_operator(&self, name: &str, password: &Password) -> Result<(), Error> {
        self.runtime
            .block_on(self.running.add_operator(name, password))
    }

    /// See [`Running::decide`].
    pub fn decide(&self, user_code: &str, approved: bool) -> Result<(), Error> {
        self.runtime
            .block_on(self.running.decide(user_code, approved))
    }

    /// Deletes a device; its UUID is denied from now on.
    pub fn delete_device(&self, uuid: &str) -> Result<(), Error> {
        self.runtime.block_on(self.running.delete_device(uuid))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.block_on(self.running.shut_down());
    }
}
