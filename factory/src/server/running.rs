//! The two open ports, with all that they need.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::options::ServeOptions;
use crate::approval::Approval;
use crate::data_dir::{DataDir, LockedDir};
use crate::error::Error;
use crate::gateway::{Gateway, open_tuf_root};
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
        let data_dir = DataDir::new(options.data_dir);
        data_dir.expect_factory(options.init)?;
        let locked = data_dir.lock()?;
        let store = Store::create(&locked, &options.factory).await?;
        let pki = Pki::open(&locked, &options.factory, &hosts)?;
        let tuf_root = open_tuf_root(&locked)?;

        // Ports come before the first token: a start that fails must not use it up.
        let (api_socket, api_port) = listen(options.api_listen).await?;
        let (gateway_socket, gateway_port) = listen(options.gateway_listen).await?;
        let api_tls = options.api_tls.then(|| tls::acceptor(&pki.api, None));
        let gateway_tls = tls::acceptor(&pki.gateway, Some(&pki.online_ca.certificate))?;
        let urls = urls(&hosts[0], options.api_tls, api_port, gateway_port);
        let factory = options.factory;
        let site = Arc::new(Site { factory, urls });
        let registrar = Registrar::new(store.clone(), site.clone(), pki.online_ca, pki.root_pem)?;
        let approval = Approval::new(
            store.clone(),
            site.clone(),
            Duration::from_secs(options.oauth_interval_seconds),
            Duration::from_secs(options.oauth_expires_seconds),
        );
        let api = Listener {
            socket: api_socket,
            tls: api_tls.transpose()?,
            router: api::router(registrar, approval),
        };
        let gateway = Gateway {
            store: store.clone(),
            site: site.clone(),
            tuf_root,
        };
        let gateway = Listener {
            socket: gateway_socket,
            tls: Some(gateway_tls),
            router: gateway::router(gateway),
        };
        let api_token = store.create_first_token().await?;
        let (stop, stopped) = watch::channel(false);
        let mut ports = JoinSet::new();
        ports.spawn(api.serve(stopped.clone()));
        ports.spawn(gateway.serve(stopped));
        Ok(Self {
            store,
            site,
            api_token,
            ca_file: pki.api_ca_file,
            root_file: pki.root_file,
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
