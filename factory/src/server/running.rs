//! The two open ports, with all that they need.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::options::ServeOptions;
use crate::app::App;
use crate::approval::{Grants, Guard};
use crate::data_dir::{DataDir, LockedDir};
use crate::error::Error;
use crate::gateway::TufRoot;
use crate::http::listener::Listener;
use crate::http::tls;
use crate::pki::Pki;
use crate::registration::Registrar;
use crate::secret::Secret;
use crate::site::{Host, Site, Urls};
use crate::store::Store;
use crate::{api, gateway};

/// A factory that is being served. Dropping it cuts every connection off.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) store: Store,
    pub(super) site: Arc<Site>,
    pub(super) api_token: Option<Secret>,
    pub(super) ca_file: PathBuf,
    pub(super) root_file: PathBuf,
    stop: watch::Sender<bool>,
    ports: JoinSet<()>,
    // Held until everything else is gone, so that two processes never share the directory.
    _locked: LockedDir,
}

impl Running {
    pub(super) async fn start(options: ServeOptions) -> Result<Self, Error> {
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
        let locked = DataDir::new(data_dir).lock()?;
        let store = Store::create(&locked, &factory).await?;
        let Pki {
            root_pem,
            root_file,
            online_ca,
            gateway: gateway_identity,
            api: api_identity,
            api_ca_file: ca_file,
        } = Pki::open(&locked, &factory, &hosts)?;
        let tuf_root = TufRoot::open(&locked)?;

        // Ports come before the first token: a start that fails must not use it up.
        let (api_socket, api_port) = listen(api_listen).await?;
        let (gateway_socket, gateway_port) = listen(gateway_listen).await?;
        let api_acceptor = if api_tls {
            Some(tls::acceptor(&api_identity, None)?)
        } else {
            None
        };
        let gateway_acceptor = tls::acceptor(&gateway_identity, Some(&online_ca.certificate))?;
        let api_token = store.create_first_token().await?;

        let urls = urls(&hosts[0], api_tls, api_port, gateway_port);
        let site = Arc::new(Site { factory, urls });
        let seconds = Duration::from_secs;
        let app = App {
            store: store.clone(),
            site: Arc::clone(&site),
            registrar: Arc::new(Registrar::new(
                store.clone(),
                Arc::clone(&site),
                online_ca,
                root_pem,
            )?),
            tuf_root,
            grants: Arc::new(Grants::new(
                Arc::clone(&site),
                seconds(oauth_interval_seconds),
                seconds(oauth_expires_seconds),
            )),
            guard: Arc::new(Guard::new()),
        };
        let (stop, stopped) = watch::channel(false);
        let mut ports = JoinSet::new();
        let api = Listener {
            socket: api_socket,
            tls: api_acceptor,
            router: api::router().with_state(app.clone()),
        };
        let gateway = Listener {
            socket: gateway_socket,
            tls: Some(gateway_acceptor),
            router: gateway::router(app.clone()).with_state(app),
        };
        ports.spawn(api.serve(stopped.clone()));
        ports.spawn(gateway.serve(stopped));
        Ok(Self {
            store,
            site,
            api_token,
            ca_file,
            root_file,
            stop,
            ports,
            _locked: locked,
        })
    }

    /// Lets requests under way finish, then cuts connections off.
    pub(super) async fn stop(&mut self) {
        self.stop.send_replace(true);
        while self.ports.join_next().await.is_some() {}
    }
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
