//! What is done with an input, and what must hold whatever it is. The fuzzer and the replay of the
//! corpus (`tests/it/corpus.rs`) share it.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use lmp_device_register::Kind;
use lmp_device_register::testing::{
    CONFIGURATION, DeviceCertificate, Expected, FileName, Flaw, OsRelease, P11, Pkcs11Uri,
    SotaToml, UriPin, backend_words, check_roots, hsm_file, printable, suits_both, verify,
};

/// 2026-01-01, so that the same input is always judged alike.
const NOW: u64 = 1_767_225_600;
/// The device of the corpus's good answer.
const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";
const FACTORY: &str = "acme";
/// Its public key: `corpus/public-key.der` beside the inputs.
const PUBLIC_KEY_INFO: &[u8] = include_bytes!("public-key.der");

/// What a parser found wrong can be shown.
fn can_be_shown(flaw: &Flaw) {
    is_printable(&printable(&flaw.full_message()));
}

fn is_printable(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// The body of a 201, and the same body as an error's.
pub(crate) fn answer(input: &[u8]) {
    let expected = Expected {
        uuid: UUID,
        factory: FACTORY,
        public_key_info: PUBLIC_KEY_INFO,
        now: NOW,
    };
    match verify(input, expected) {
        Err(error) => {
            assert_eq!(error.kind(), Kind::Answer);
            is_printable(&printable(&error.full_message()));
        }
        Ok(verified) => {
            assert_eq!(verified.certificate().uuid, UUID);
            assert_eq!(verified.certificate().factory, FACTORY);
            for (name, _) in verified.files() {
                assert!(FileName::parse(name.as_str()).is_ok());
                assert!(!name.as_str().contains('/') && name.as_str() != CONFIGURATION);
            }
            verified.configuration().gateway().expect("a gateway");
        }
    }
    let words = printable(&backend_words(input));
    is_printable(&words);
    // Each character may be escaped; 600 are kept.
    assert!(words.len() <= 600 * 10 + 3);
}

/// DER or PEM of a certificate, as `client.pem`, `client.chained` and `root.crt`.
pub(crate) fn certificate(input: &[u8]) {
    let from_der = DeviceCertificate::from_der(input.to_vec().into());
    let text = String::from_utf8_lossy(input);
    for read in [from_der, DeviceCertificate::from_pem(&text)] {
        match read {
            Err(flaw) => can_be_shown(&flaw),
            Ok(certificate) => {
                if certificate.check_key(PUBLIC_KEY_INFO).is_ok() {
                    // Nobody else has a certificate for this key.
                    let _ = certificate.check_subject(UUID, FACTORY);
                }
                let _ = certificate
                    .check_validity(NOW)
                    .map_err(|flaw| can_be_shown(&flaw));
                let _ = certificate
                    .check_chain(&text, NOW)
                    .map_err(|flaw| can_be_shown(&flaw));
                certificate
                    .token_attributes()
                    .expect("what was read can be written");
            }
        }
    }
    let _ = check_roots(&text).map_err(|flaw| can_be_shown(&flaw));
}

/// A backend's `sota.toml`: what is accepted survives the merge of `[p11]` and reads back the same.
pub(crate) fn sota_toml(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let p11 = P11 {
        module: "/usr/lib/softhsm/libsofthsm2.so",
        pin: "87654321",
        label: Some("board"),
        key_id: "01",
        certificate_id: "03",
    };
    let configuration = match SotaToml::parse(&text) {
        Err(flaw) => return can_be_shown(&flaw),
        Ok(configuration) => configuration,
    };
    assert_eq!(configuration.text(), text);
    let Ok(merged) = configuration.with_p11(p11) else {
        return;
    };
    for (key, value) in [
        ("pass", p11.pin),
        ("tls_pkey_id", "01"),
        ("module", p11.module),
    ] {
        assert_eq!(merged.value("p11", key), Some(value));
    }
    let again = SotaToml::parse(merged.text()).expect("what was merged is accepted");
    // Whoever reads INI finds the section once.
    let sections = again.text().lines().filter(|line| line.trim() == "[p11]");
    assert_eq!(sections.count(), 1);
    for (section, key) in [("tls", "server"), ("storage", "path")] {
        assert_eq!(again.value(section, key), configuration.value(section, key));
    }
    assert!(!suits_both(&text) || !text.contains(['"', '\\']));
}

/// os-release: never fails, and reads what it is given.
pub(crate) fn os_release(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let release = OsRelease::parse(&text);
    for name in ["LMP_FACTORY", "LMP_FACTORY_TAG", "LMP_MACHINE", "A"] {
        if let Some(value) = release.value(name) {
            assert!(text.contains(name) && value.len() <= text.len());
        }
    }
}

/// A PKCS#11 URI: what is read was said, and a PIN is never in an error.
pub(crate) fn pkcs11_uri(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match Pkcs11Uri::parse(&text) {
        Err(flaw) => can_be_shown(&flaw),
        Ok(uri) => {
            let Pkcs11Uri {
                module_path,
                token,
                serial,
                manufacturer,
                model,
                slot_id,
                pin,
            } = uri;
            for value in [module_path, token, serial, manufacturer, model]
                .into_iter()
                .flatten()
            {
                assert!(value.len() <= text.len() && !value.contains('\0'));
            }
            assert!(slot_id.is_none() || text.contains("slot-id="));
            if let Some(UriPin::File(path)) = pin {
                assert!(path.is_absolute());
            }
        }
    }
}

/// `/etc/sota/hsm`: all three or an error, and a value is never in it.
pub(crate) fn hsm_file(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match hsm_file::parse(&text) {
        Err(error) => is_printable(&error.to_string()),
        Ok(file) => {
            assert!(!file.module.is_empty() && file.module.len() <= text.len());
            assert!(!file.pin.expose().is_empty() && !file.so_pin.expose().is_empty());
        }
    }
}
