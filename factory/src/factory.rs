//! The one handle on a data directory, for the server, commands and tests: what can be read and changed
//! in it, beside a running server or without one. It must never serve.

use std::future::Future;
use std::path::Path;

use tokio::runtime::{Builder, Runtime};

use crate::approval::{Password, hash_password, read_user_code};
use crate::data_dir::DataDir;
use crate::error::Error;
use crate::site::is_identifier;
use crate::store::{Device, Store};
use crate::time::Timestamp;

/// The factory in a data directory. Use and drop it outside of async code.
#[derive(Debug)]
pub struct Factory {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
}

impl Factory {
    /// Opens the factory that serving created in a directory.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Runtime)?;
        let store = runtime.block_on(Store::open(&DataDir::new(data_dir)))?;
        Ok(Self { store, runtime })
    }

    /// The registered devices, oldest first.
    pub fn devices(&self) -> Result<Vec<Device>, Error> {
        self.block_on(self.store.devices())
    }

    /// Deletes a device; its UUID is denied from now on.
    pub fn delete_device(&self, uuid: &str) -> Result<(), Error> {
        self.block_on(self.store.delete(uuid))
    }

    /// Makes an API token; it is not stored and cannot be shown again.
    pub fn create_token(&self, name: &str) -> Result<String, Error> {
        let token = self.block_on(self.store.create_token(name))?;
        Ok(token.expose().to_owned())
    }

    /// Adds an operator, who decides on devices at `/activate/`. The name is an identifier of at most 64
    /// characters, the password has 8 to 1024 bytes.
    pub fn add_operator(&self, name: &str, password: &Password) -> Result<(), Error> {
        if !is_identifier(name) {
            return Err(Error::OperatorName(name.into()));
        }
        let hash = hash_password(password)?;
        self.block_on(self.store.add_operator(name, &hash))
    }

    /// Deletes an operator and ends their sessions.
    pub fn delete_operator(&self, name: &str) -> Result<(), Error> {
        self.block_on(self.store.delete_operator(name))
    }

    /// Decides on the device that shows a user code, without the page and its login.
    pub fn decide(&self, user_code: &str, approved: bool) -> Result<(), Error> {
        let unknown = || Error::NoGrant(user_code.into());
        let code = read_user_code(user_code).ok_or_else(unknown)?;
        let now = Timestamp::now();
        let decision = self.store.decide_grant(&code, approved, "lmp-factory", now);
        self.block_on(decision)?.then_some(()).ok_or_else(unknown)
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

impl Drop for Factory {
    fn drop(&mut self) {
        self.block_on(self.store.close());
    }
}
