//! Pure: settings and an identity become the body of a registration.

use std::collections::BTreeMap;

use crate::backend::wire::{RegistrationRequest, toml_string};
use crate::error::{Error, Result};
use crate::key::DeviceKey;
use crate::key::csr::{self, Subject};
use crate::settings::{KeySetting, Settings};
use crate::sota::journal::{Asked, Identity, sha256};

/// The body of a request of these settings.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if the sota directory's name is not UTF-8.
pub(super) fn body(
    settings: &Settings,
    identity: &Identity,
    csr: &str,
) -> Result<RegistrationRequest> {
    let sota_dir = settings.sota_dir.to_str().ok_or_else(|| {
        Error::setting(format!("{:?} is no UTF-8 path", settings.sota_dir))
            .hint("give --sota-dir DIR with a plain name")
    })?;
    Ok(RegistrationRequest {
        use_ostree_server: settings.use_ostree_server.to_string(),
        sota_config_dir: sota_dir.to_owned(),
        hardware_id: settings.hwid.clone(),
        name: settings.name.as_ref().unwrap_or(&identity.uuid).clone(),
        uuid: identity.uuid.clone(),
        csr: csr.to_owned(),
        overrides: overrides(settings, sota_dir),
        group: settings.group.clone(),
    })
}

/// What these settings ask for beside the identity.
pub(super) fn asked(settings: &Settings, identity: &Identity) -> Result<Asked> {
    let body = body(settings, identity, "")?;
    let text = serde_json::to_vec(&body)
        .map_err(|cause| Error::bug("the request could not be encoded").because(cause))?;
    Ok(Asked {
        name: body.name,
        sha256: Some(sha256(&text)),
    })
}

/// The signing request of that identity and key, PEM.
pub(super) fn signing_request(identity: &Identity, key: &DeviceKey) -> Result<String> {
    csr::build(
        Subject {
            uuid: &identity.uuid,
            factory: &identity.factory,
            production: identity.production,
        },
        key,
    )
}

fn overrides(settings: &Settings, sota_dir: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut pacman = vec![
        ("type", toml_string("ostree+compose_apps")),
        (
            "compose_apps_root",
            toml_string(&format!("{sota_dir}/compose-apps")),
        ),
        (
            "reset_apps_root",
            toml_string(&format!("{sota_dir}/reset-apps")),
        ),
        ("tags", toml_string(&settings.tags)),
    ];
    // An empty list means all apps, which is what the backend takes none for.
    if let Some(apps) = settings.apps.as_ref().filter(|apps| !apps.is_empty()) {
        pacman.push(("compose_apps", toml_string(apps)));
    }
    if !settings.restorable_apps.is_empty() {
        pacman.push(("reset_apps", toml_string(&settings.restorable_apps)));
    }
    let mut sections = vec![("pacman", pacman)];
    if let KeySetting::Token(_) = settings.key {
        let no_files = || {
            vec![
                ("tls_pkey_path", String::new()),
                ("tls_clientcert_path", String::new()),
            ]
        };
        let pkcs11 = || toml_string("pkcs11");
        sections.push((
            "tls",
            vec![("pkey_source", pkcs11()), ("cert_source", pkcs11())],
        ));
        sections.push(("storage", no_files()));
        sections.push(("import", no_files()));
    }
    let owned = |keys: Vec<(&str, String)>| {
        keys.into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    };
    sections
        .into_iter()
        .map(|(section, keys)| (section.to_owned(), owned(keys)))
        .collect()
}
