//! The server for callers without an async runtime: it brings its own threads.

use std::ops::Deref;
use std::path::PathBuf;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::options::ServeOptions;
use super::running::Running;
use crate::error::Error;
use crate::factory::Factory;
use crate::secret::Secret;
use crate::site::Urls;

/// A factory that is served until this is dropped, which stops it within a second: requests under way may
/// finish, then connections are cut off. Use and drop it outside of async code.
#[derive(Debug)]
pub struct Server {
    // Dropped in this order: the lock on the directory, in `running`, is the last to go.
    factory: Factory,
    running: Running,
}

/// Serves a factory from threads of its own; returns when both ports are open. Creates its keys,
/// certificates, database and first token where they are missing.
pub fn start(options: ServeOptions) -> Result<Server, Error> {
    let runtime = runtime(Builder::new_multi_thread().worker_threads(2))?;
    Server::start(runtime, options)
}

/// Serves a factory from a thread per core until the process is told to end, by SIGTERM or SIGINT; `opened`
/// is called when both ports are open.
pub fn serve(options: ServeOptions, opened: impl FnOnce(&Server)) -> Result<(), Error> {
    let runtime = runtime(&mut Builder::new_multi_thread())?;
    // Before the ports open: whoever reads the URLs may send the signal at once.
    let entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    drop(entered);
    let server = Server::start(runtime, options)?;
    opened(&server);
    server.factory.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    Ok(())
}

fn runtime(builder: &mut Builder) -> Result<Runtime, Error> {
    let builder = builder.thread_name("lmp-factory").enable_all();
    builder.build().map_err(Error::Runtime)
}

impl Server {
    fn start(runtime: Runtime, options: ServeOptions) -> Result<Self, Error> {
        let running = runtime.block_on(Running::start(options))?;
        let store = running.store.clone();
        let factory = Factory { store, runtime };
        Ok(Self { factory, running })
    }

    /// Where the factory is reached.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.running.site.urls
    }

    /// The API token, if this start created it: only its hash is stored.
    #[must_use]
    pub fn api_token(&self) -> Option<&str> {
        self.running.api_token.as_ref().map(Secret::expose)
    }

    /// The CA, in PEM, that clients of the API trust. It exists without HTTPS too.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.running.ca_file.clone()
    }

    /// The factory's root of trust, in PEM: it verifies the Device Gateway.
    #[must_use]
    pub fn root_file(&self) -> PathBuf {
        self.running.root_file.clone()
    }
}

/// A server is a factory whose ports are open.
impl Deref for Server {
    type Target = Factory;

    fn deref(&self) -> &Factory {
        &self.factory
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.factory.block_on(self.running.stop());
    }
}
