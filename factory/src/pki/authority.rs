//! All that a start needs: reads what is there and makes what is missing.

use std::path::{Path, PathBuf};

use x509_cert::Certificate;

use super::issue::{Ca, expires_within};
use super::key::{Key, PublicKey};
use super::pem::{open_pair, read, to_pem, write};
use super::profile::{DAY, Profile, covers};
use super::subject::Subject;
use crate::data_dir::files;
use crate::error::Error;
use crate::site::Host;

/// Every certificate that serving needs, with the keys that we hold.
#[derive(Debug)]
pub(crate) struct Pki {
    /// Root of trust: devices verify the Device Gateway with it.
    pub(crate) root_pem: String,
    /// Where the root certificate is.
    pub(crate) root_file: PathBuf,
    /// Signs device CSRs.
    pub(crate) online_ca: Ca,
    /// The Device Gateway's own.
    pub(crate) gateway: Identity,
    /// The API's own, if it speaks HTTPS.
    pub(crate) api: Identity,
    /// Where the CA of the API's certificate is.
    pub(crate) api_ca_file: PathBuf,
}

/// A TLS server's key and certificate.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: Key,
    pub(crate) certificate: Certificate,
}

impl Pki {
    /// Reads what is there and makes what is missing; a start that was cut short is continued. The
    /// caller holds the data directory's lock.
    pub(crate) fn open(data_dir: &Path, factory: &str, hosts: &[Host]) -> Result<Self, Error> {
        let dir = data_dir.join("pki");
        files::create_private_dir(&dir)?;

        let root_file = dir.join("factory_ca.pem");
        let root = Root::open(&dir.join("factory_ca.key"), &root_file, factory)?;
        let online_ca = open_online_ca(&dir, factory, &root)?;
        let gateway = open_gateway(&dir, factory, hosts, &root)?;

        let api_ca_file = data_dir.join("api-ca.pem");
        let api_ca = Ca::open_self_signed(
            &dir.join("api-ca.key"),
            &api_ca_file,
            Profile::ApiCa,
            &Subject::new("lmp-factory API CA", factory),
        )?;
        let api = open_api(&dir, factory, hosts, &api_ca)?;

        Ok(Self {
            root_pem: to_pem(root.certificate())?,
            root_file,
            online_ca,
            gateway,
            api,
            api_ca_file,
        })
    }
}

/// The root of trust, whose key its owner may have taken away.
enum Root {
    Here(Ca),
    Offline {
        certificate: Certificate,
        key: PathBuf,
    },
}

impl Root {
    fn open(key: &Path, path: &Path, factory: &str) -> Result<Self, Error> {
        if let (Some(certificate), None) = (read(path)?, files::read_if_present(key)?) {
            Ok(Self::Offline {
                certificate,
                key: key.into(),
            })
        } else {
            let subject = Subject::new("Factory-CA", factory);
            Ca::open_self_signed(key, path, Profile::Root, &subject).map(Self::Here)
        }
    }

    fn certificate(&self) -> &Certificate {
        match self {
            Self::Here(ca) => &ca.certificate,
            Self::Offline { certificate, .. } => certificate,
        }
    }

    fn issue(
        &self,
        profile: Profile<'_>,
        subject: &Subject,
        key: PublicKey,
        path: &Path,
    ) -> Result<Certificate, Error> {
        match self {
            Self::Here(ca) => ca.issue(profile, subject, key),
            Self::Offline { key, .. } => Err(Error::RootOffline {
                key: key.clone(),
                wanted: path.into(),
            }),
        }
    }
}

fn open_online_ca(dir: &Path, factory: &str, root: &Root) -> Result<Ca, Error> {
    let path = dir.join("online-ca.pem");
    let (key, certificate) = open_pair(&dir.join("online-ca.key"), &path)?;
    let certificate = if let Some(certificate) = certificate {
        certificate
    } else {
        let subject = Subject::new("online-ca", factory);
        let certificate = root.issue(Profile::DeviceCa, &subject, key.public(), &path)?;
        write(&path, &certificate)?;
        certificate
    };
    Ca::new(key, certificate, &path)
}

/// The gateway's certificate lives as long as the devices that pin its root, so it is replaced only
/// when a host is missing from it.
fn open_gateway(dir: &Path, factory: &str, hosts: &[Host], root: &Root) -> Result<Identity, Error> {
    let path = dir.join("tls.pem");
    let (key, certificate) = open_pair(&dir.join("tls.key"), &path)?;
    if let Some(certificate) = certificate
        && covers(&certificate, hosts)
    {
        return Ok(Identity { key, certificate });
    }
    let subject = Subject::new(&hosts[0].to_string(), factory);
    let certificate = root.issue(Profile::GatewayTls(hosts), &subject, key.public(), &path)?;
    write(&path, &certificate)?;
    Ok(Identity { key, certificate })
}

/// The API's certificate is renewed a month before it ends, because clients do not pin it.
fn open_api(dir: &Path, factory: &str, hosts: &[Host], ca: &Ca) -> Result<Identity, Error> {
    let path = dir.join("api.pem");
    let (key, certificate) = open_pair(&dir.join("api.key"), &path)?;
    if let Some(certificate) = certificate
        && covers(&certificate, hosts)
        && !expires_within(&certificate, 30 * DAY)
    {
        return Ok(Identity { key, certificate });
    }
    let subject = Subject::new(&hosts[0].to_string(), factory);
    let certificate = ca.issue(Profile::ApiTls(hosts), &subject, key.public())?;
    write(&path, &certificate)?;
    Ok(Identity { key, certificate })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn hosts(options: &[&str]) -> Vec<Host> {
        let mut served = crate::server::options::ServeOptions::new("/nowhere", "acme");
        served.hosts = options.iter().map(ToString::to_string).collect();
        served.checked_hosts().unwrap()
    }

    #[test]
    fn a_second_start_reuses_everything() {
        let dir = tempfile::tempdir().unwrap();
        let first = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        let second = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
        assert_eq!(first.online_ca.certificate, second.online_ca.certificate);
        assert_eq!(first.gateway.certificate, second.gateway.certificate);
        assert_eq!(first.api.certificate, second.api.certificate);
    }

    #[test]
    fn a_new_host_replaces_only_the_server_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let first = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        let second = Pki::open(dir.path(), "acme", &hosts(&["10.0.2.2"])).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
        assert_eq!(first.online_ca.certificate, second.online_ca.certificate);
        assert_ne!(first.gateway.certificate, second.gateway.certificate);
        assert_eq!(first.gateway.key.public(), second.gateway.key.public());
    }

    #[test]
    fn a_start_that_was_cut_short_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        let first = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        std::fs::remove_file(dir.path().join("pki/online-ca.pem")).unwrap();
        std::fs::remove_file(dir.path().join("pki/tls.pem")).unwrap();
        std::fs::remove_file(dir.path().join("pki/tls.key")).unwrap();
        let second = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
    }

    #[test]
    fn the_root_key_may_be_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let first = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        std::fs::remove_file(dir.path().join("pki/factory_ca.key")).unwrap();
        let second = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
        let refused = Pki::open(dir.path(), "acme", &hosts(&["gw.example.org"])).unwrap_err();
        assert!(matches!(refused, Error::RootOffline { .. }), "{refused}");
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Pki::open(dir.path(), "acme", &hosts(&[])).unwrap();
        let pki = dir.path().join("pki");
        std::fs::rename(pki.join("api.key"), pki.join("online-ca.key")).unwrap();
        let refused = Pki::open(dir.path(), "acme", &hosts(&[])).unwrap_err();
        assert!(matches!(refused, Error::Pki { .. }), "{refused}");
    }
}
