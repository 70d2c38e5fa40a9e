//! What a caller may choose, and the checks that need no machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::error::Error;
use crate::site::{Host, is_identifier};

/// How to serve one factory.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Directory of all state; created with mode 700 if it is missing.
    pub data_dir: PathBuf,
    /// Whether a directory that exists and is empty becomes a factory.
    pub init: bool,
    /// The factory's name: the OU of every certificate it issues.
    pub factory: String,
    /// Address of the registration API; port 0 takes a free one.
    pub api_listen: SocketAddr,
    /// Address of the Device Gateway; port 0 takes a free one.
    pub gateway_listen: SocketAddr,
    /// DNS names or IP addresses under which both are reached; the first one is in the URLs. The
    /// certificates also hold `localhost` and `127.0.0.1`, always.
    pub hosts: Vec<String>,
    /// HTTPS with a generated CA, or plain HTTP, which is refused off the loopback addresses.
    pub api_tls: bool,
    /// Seconds that a device waits between two polls of its grant, at most an hour.
    pub oauth_interval_seconds: u64,
    /// Seconds until the codes of a grant end, from one second to a day.
    pub oauth_expires_seconds: u64,
}

impl ServeOptions {
    /// Free ports of 127.0.0.1, `localhost` in URLs, HTTPS, and RFC 8628's times: polls every 5 seconds
    /// for 15 minutes.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, factory: impl Into<String>) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            data_dir: data_dir.into(),
            init: true,
            factory: factory.into(),
            api_listen: any_port,
            gateway_listen: any_port,
            hosts: vec!["localhost".into()],
            api_tls: true,
            oauth_interval_seconds: 5,
            oauth_expires_seconds: 900,
        }
    }

    /// The hosts as the certificates name them, or why the options cannot be served.
    pub(crate) fn checked_hosts(&self) -> Result<Vec<Host>, Error> {
        if !is_identifier(&self.factory) || self.factory.contains(':') {
            return Err(Error::FactoryName(self.factory.clone()));
        }
        if !self.api_tls && !self.api_listen.ip().is_loopback() {
            return Err(Error::PlainHttp(self.api_listen));
        }
        if self.oauth_interval_seconds > 60 * 60
            || !(1..=24 * 60 * 60).contains(&self.oauth_expires_seconds)
        {
            return Err(Error::GrantTimes);
        }
        let mut hosts = Vec::new();
        let always = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
        for text in self.hosts.iter().chain(&always) {
            let host = Host::parse(text)?;
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        Ok(hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_always_named_once() {
        let mut options = ServeOptions::new("/nowhere", "acme");
        assert_eq!(options.checked_hosts().unwrap().len(), 2);
        options.hosts = vec!["Gw.Example.org".into(), "::1".into()];
        let hosts = options.checked_hosts().unwrap();
        assert_eq!(hosts[0].authority(8443), "gw.example.org:8443");
        assert_eq!(hosts[1].authority(8443), "[::1]:8443");
        assert_eq!(hosts.len(), 4);
    }

    #[test]
    fn refuses_what_cannot_be_served() {
        let mut options = ServeOptions::new("/nowhere", "acme");
        options.hosts = vec!["*.example.org".into()];
        assert!(matches!(options.checked_hosts(), Err(Error::Host(_))));
        options = ServeOptions::new("/nowhere", "a/b");
        assert!(matches!(
            options.checked_hosts(),
            Err(Error::FactoryName(_))
        ));
        options = ServeOptions::new("/nowhere", "acme");
        options.api_tls = false;
        assert!(options.checked_hosts().is_ok());
        options.api_listen = "0.0.0.0:80".parse().unwrap();
        assert!(matches!(options.checked_hosts(), Err(Error::PlainHttp(_))));
    }
}
