//! Starts and stops the two ports of a factory.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{options::ServeOptions, state};
use crate::app::Factory;
use crate::approval::activation::Guard;
use crate::approval::grants::Grants;
use crate::approval::password::Password;
use crate::approval::user_code::normalise as read_user_code;
use crate::data_dir::files;
use crate::error::Error;
use crate::gateway::TufRoot;
use crate::http::listener::Listener;
use crate::http::tls;
use crate::pki::Pki;
use crate::secret::Secret;
use crate::site::{Host, Urls};
use crate::store::{Device, Store};
use crate::time::now_millis;
use crate::{api, gateway};

/// A factory that is being served. Dropping it cuts every connection off; see [`Running::stop`].
#[derive(Debug)]
pub struct Running {
    factory: Arc<Factory>,
    api_token: Option<Secret>,
    stop: watch::Sender<bool>,
    ports: JoinSet<()>,
    // Held until everything else is gone, so that two processes never share the directory.
    _lock: File,
}

/// Serves a factory; creates its keys, certificates, database and first token where they are missing.
pub async fn start(options: ServeOptions) -> Result<Running, Error> {
    let hosts = options.checked_hosts()?;
    let ServeOptions {
        data_dir,
        factory,
        api_listen,
        gateway_listen,
        hosts: _,
        api_tls,
        oauth_interval_seconds,
        oauth_expires_seconds,
    } = options;
    files::create_private_dir(&data_dir)?;
    let lock = files::lock(&data_dir)?;
    let database = Store::create(&data_dir, &factory).await?;
    let pki = Pki::open(&data_dir, &factory, &hosts)?;
    let tuf_root = TufRoot::open(&data_dir)?;

    // Ports come before the first token: a start that fails must not use it up.
    let (api_socket, api_port) = listen(api_listen).await?;
    let (gateway_socket, gateway_port) = listen(gateway_listen).await?;
    let api_acceptor = if api_tls {
        Some(tls::public(&pki.api)?)
    } else {
        None
    };
    let gateway_acceptor = tls::mutual(&pki.gateway, &[&pki.online_ca.certificate])?;
    let api_token = database.create_first_token().await?;

    let factory = Arc::new(Factory {
        name: factory,
        database,
        urls: urls(&hosts[0], api_tls, api_port, gateway_port),
        pki,
        tuf_root,
        grants: Grants::new(oauth_interval_seconds, oauth_expires_seconds),
        activation: Guard::new(),
    });
    let (stop, stopped) = watch::channel(false);
    let mut ports = JoinSet::new();
    let api = Listener {
        socket: api_socket,
        tls: api_acceptor,
        router: api::router(Arc::clone(&factory)),
    };
    let gateway = Listener {
        socket: gateway_socket,
        tls: Some(gateway_acceptor),
        router: gateway::router(Arc::clone(&factory)),
    };
    ports.spawn(api.serve(stopped.clone()));
    ports.spawn(gateway.serve(stopped));
    Ok(Running {
        factory,
        api_token,
        stop,
        ports,
        _lock: lock,
    })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, u16), Error> {
    let failed = |source| Error::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let port = socket.local_addr().map_err(failed)?.port();
    Ok((socket, port))
}

fn urls(host: &Host, api_tls: bool, api_port: u16, gateway_port: u16) -> Urls {
    let scheme = if api_tls { "https" } else { "http" };
    let api = format!("{scheme}://{}", host.authority(api_port));
    Urls {
        device_api: format!("{api}/ota/devices/"),
        oauth: format!("{api}/oauth"),
        api,
        gateway: format!("https://{}", host.authority(gateway_port)),
    }
}

impl Running {
    /// Where the factory is reached.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.factory.urls
    }

    /// The API token, if this start created it: only its hash is stored.
    #[must_use]
    pub fn api_token(&self) -> Option<&str> {
        self.api_token.as_ref().map(Secret::expose)
    }

    /// The CA, in PEM, that clients of the API trust. It exists without HTTPS too.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.factory.pki.api_ca_file.clone()
    }

    /// The factory's root of trust, in PEM: it verifies the Device Gateway.
    #[must_use]
    pub fn root_file(&self) -> PathBuf {
        self.factory.pki.root_file.clone()
    }

    /// The registered devices, oldest first.
    pub async fn devices(&self) -> Result<Vec<Device>, Error> {
        self.factory.database.devices().await
    }

    /// Deletes a device; its UUID is denied from now on.
    pub async fn delete_device(&self, uuid: &str) -> Result<(), Error> {
        self.factory.database.delete(uuid).await
    }

    /// Adds an operator, who decides on devices at `/activate/`; see [`crate::add_operator`].
    pub async fn add_operator(&self, name: &str, password: &Password) -> Result<(), Error> {
        state::add_operator_to(&self.factory.database, name, password).await
    }

    /// Decides on the device that shows a user code, without the page and its login.
    pub async fn decide(&self, user_code: &str, approved: bool) -> Result<(), Error> {
        let unknown = || Error::NoGrant(user_code.into());
        let code = read_user_code(user_code).ok_or_else(unknown)?;
        let database = &self.factory.database;
        if database
            .decide_grant(&code, approved, "lmp-factory", now_millis())
            .await?
        {
            return Ok(());
        }
        Err(unknown())
    }

    /// Stops within a second: requests under way may finish, then connections are cut off.
    pub async fn stop(mut self) {
        self.shut_down().await;
    }

    pub(crate) async fn shut_down(&mut self) {
        self.stop.send_replace(true);
        while self.ports.join_next().await.is_some() {}
        self.factory.database.close().await;
    }
}
