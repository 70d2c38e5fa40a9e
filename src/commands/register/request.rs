//! Pure: settings become the body of a registration.

use std::collections::BTreeMap;

use crate::backend::wire::{RegistrationRequest, toml_string};
use crate::settings::{KeySetting, Settings};

/// The request of these settings for a device of that UUID and name, still without a CSR.
#[must_use]
pub(super) fn request(settings: &Settings, uuid: &str, sota_dir: &str) -> RegistrationRequest {
    RegistrationRequest {
        use_ostree_server: settings.use_ostree_server.to_string(),
        sota_config_dir: sota_dir.to_owned(),
        hardware_id: settings.hwid.clone(),
        name: settings.name.clone().unwrap_or_else(|| uuid.to_owned()),
        uuid: uuid.to_owned(),
        csr: String::new(),
        overrides: overrides(settings, sota_dir),
        group: settings.group.clone(),
    }
}

fn overrides(settings: &Settings, sota_dir: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut pacman = vec![
        ("type", toml_string("ostree+compose_apps")),
        (
            "compose_apps_root",
            toml_string(&format!("{sota_dir}/compose-apps")),
        ),
        ("tags", toml_string(&settings.tags)),
    ];
    if let Some(apps) = &settings.apps {
        pacman.push(("compose_apps", toml_string(apps)));
    }
    if !settings.restorable_apps.is_empty() {
        pacman.push((
            "reset_apps_root",
            toml_string(&format!("{sota_dir}/reset-apps")),
        ));
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
