//! All that a start needs: reads what is there and makes what is missing.

use std::path::{Path, PathBuf};

use x509_cert::Certificate;

use super::issue::{Ca, expires_within};
use super::key::Key;
use super::pem::{self, Identity, to_pem};
use super::profile::{DAY, Profile, covers};
use super::subject::Subject;
use crate::data_dir::LockedDir;
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

impl Pki {
    /// Reads what is there and makes what is missing; a start that was cut short is continued.
    pub(crate) fn open(locked: &LockedDir, factory: &str, hosts: &[Host]) -> Result<Self, Error> {
        let dir = locked.private("pki")?;
        let file = |name: &str| dir.join(name);
        let server = Subject::new(&hosts[0].to_string(), factory);

        let root_file = file("factory_ca.pem");
        // Its owner may have taken the key away.
        let root_key = file("factory_ca.key");
        let here = root_key.try_exists();
        let here = here.map_err(Error::file("read", &root_key))?;
        let offline = pem::read(&root_file)?.filter(|_| !here);
        let (root, root_ca) = if let Some(root) = offline {
            (root, None)
        } else {
            let subject = Subject::new("Factory-CA", factory);
            let ca = Ca::open_self_signed(&root_key, &root_file, Profile::Root, &subject)?;
            (ca.certificate.clone(), Some(ca))
        };
        let issue = |profile: Profile<'_>, subject: &Subject, key: &Key, wanted: &Path| {
            let ca = root_ca.as_ref().ok_or_else(|| Error::RootOffline {
                key: root_key.clone(),
                wanted: wanted.into(),
            })?;
            ca.issue(profile, subject, key.public())
        };

        let path = file("online-ca.pem");
        let any = |_: &Certificate| true;
        let identity = pem::open(&file("online-ca.key"), &path, any, |key| {
            let subject = Subject::new("online-ca", factory);
            issue(Profile::DeviceCa, &subject, key, &path)
        })?;
        let online_ca = Ca::new(identity, &path)?;

        // It lives as long as the devices that pin its root: only a host that is missing replaces it.
        let path = file("tls.pem");
        let named = |certificate: &Certificate| covers(certificate, hosts);
        let gateway = pem::open(&file("tls.key"), &path, named, |key| {
            issue(Profile::GatewayTls(hosts), &server, key, &path)
        })?;

        let api_ca_file = locked.dir.path().join("api-ca.pem");
        let subject = Subject::new("lmp-factory API CA", factory);
        let api_ca =
            Ca::open_self_signed(&file("api-ca.key"), &api_ca_file, Profile::ApiCa, &subject)?;
        // Clients do not pin it, so it is renewed a month before it ends.
        let fresh = |certificate: &Certificate| {
            covers(certificate, hosts) && !expires_within(certificate, 30 * DAY)
        };
        let api = pem::open(&file("api.key"), &file("api.pem"), fresh, |key| {
            api_ca.issue(Profile::ApiTls(hosts), &server, key.public())
        })?;

        Ok(Self {
            root_pem: to_pem(&root)?,
            root_file,
            online_ca,
            gateway,
            api,
            api_ca_file,
        })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::data_dir::DataDir;

    fn open(dir: &TempDir, more: &[&str]) -> Result<Pki, Error> {
        let hosts: Vec<_> = more
            .iter()
            .chain(&["localhost"])
            .map(|host| Host::parse(host).unwrap())
            .collect();
        Pki::open(&DataDir::new(dir.path()).lock()?, "acme", &hosts)
    }

    #[test]
    fn a_second_start_reuses_everything() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir, &[]).unwrap();
        let second = open(&dir, &[]).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
        assert_eq!(first.online_ca.certificate, second.online_ca.certificate);
        assert_eq!(first.gateway.certificate, second.gateway.certificate);
        assert_eq!(first.api.certificate, second.api.certificate);
    }

    #[test]
    fn a_new_host_replaces_only_the_server_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir, &[]).unwrap();
        let second = open(&dir, &["10.0.2.2"]).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
        assert_eq!(first.online_ca.certificate, second.online_ca.certificate);
        assert_ne!(first.gateway.certificate, second.gateway.certificate);
        assert_eq!(first.gateway.key.public(), second.gateway.key.public());
    }

    #[test]
    fn a_start_that_was_cut_short_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir, &[]).unwrap();
        std::fs::remove_file(dir.path().join("pki/online-ca.pem")).unwrap();
        std::fs::remove_file(dir.path().join("pki/tls.pem")).unwrap();
        std::fs::remove_file(dir.path().join("pki/tls.key")).unwrap();
        let second = open(&dir, &[]).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
    }

    #[test]
    fn the_root_key_may_be_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir, &[]).unwrap();
        std::fs::remove_file(dir.path().join("pki/factory_ca.key")).unwrap();
        let second = open(&dir, &[]).unwrap();
        assert_eq!(first.root_pem, second.root_pem);
        let refused = open(&dir, &["gw.example.org"]).unwrap_err();
        assert!(matches!(refused, Error::RootOffline { .. }), "{refused}");
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        open(&dir, &[]).unwrap();
        let pki = dir.path().join("pki");
        std::fs::rename(pki.join("api.key"), pki.join("online-ca.key")).unwrap();
        let refused = open(&dir, &[]).unwrap_err();
        assert!(matches!(refused, Error::Unusable { .. }), "{refused}");
    }
}
