//! What is accepted of an answer, and what is not.

use std::sync::LazyLock;

use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, date_time_ymd};
use serde_json::{Map, Value, json};

use super::*;
use crate::error::Kind;

use lmp_test_support::pki::{self, Ca, KeyPair, device_params, printable_subject, subject};

const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";
/// 2026-01-01
const NOW: u64 = 1_767_225_600;

const SOTA_TOML: &str = "[tls]\nserver = \"https://gateway.example.com:8443\"\n";

/// A device and the CA that signs it.
struct Site {
    key: KeyPair,
    ca: Ca,
    root: Ca,
}

impl Site {
    fn new() -> Self {
        Self {
            key: KeyPair::new(),
            ca: Ca::new("device CA"),
            root: Ca::new("root"),
        }
    }

    fn certificate(&self, change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = device_params(UUID, "acme");
        change(&mut params);
        self.ca.sign(self.key.public(), &params)
    }

    /// An answer with this certificate.
    fn files(&self, certificate: &str) -> Map<String, Value> {
        let files = json!({
            "root.crt": self.root.pem(),
            "client.pem": certificate,
            "sota.toml": SOTA_TOML,
        });
        files.as_object().unwrap().clone()
    }

    fn verify_at(&self, files: &Map<String, Value>, now: u64) -> Result<Verified> {
        let expected = Expected {
            uuid: UUID,
            factory: "acme",
            public_key_info: &self.key.public().info(),
            now,
        };
        verify(&serde_json::to_vec(files).unwrap(), expected)
    }

    fn verify(&self, files: &Map<String, Value>) -> Result<Verified> {
        self.verify_at(files, NOW)
    }

    /// A good answer after `spoil`.
    fn spoiled(&self, spoil: impl FnOnce(&mut Map<String, Value>)) -> Result<Verified> {
        let mut files = self.files(&self.certificate(|_| {}));
        spoil(&mut files);
        self.verify(&files)
    }

    fn certified(&self, change: impl FnOnce(&mut CertificateParams)) -> Result<Verified> {
        self.verify(&self.files(&self.certificate(change)))
    }
}

#[track_caller]
fn assert_rejected(result: Result<Verified>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Answer);
    assert!(
        error.full_message().contains(words),
        "{words}: {}",
        error.full_message()
    );
}

#[test]
fn a_good_answer() {
    let site = Site::new();
    let registration = site.spoiled(|_| {}).unwrap();
    let names: Vec<&str> = registration
        .files
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names.len(), 2, "sota.toml is apart: {names:?}");
    assert_eq!(registration.configuration.text(), SOTA_TOML);
    assert_eq!(registration.certificate.uuid, UUID);
    assert!(registration.warnings.is_empty());
}

#[test]
fn certificates_in_other_shapes() {
    let site = Site::new();
    site.certified(|params| params.distinguished_name = printable_subject(UUID, "acme"))
        .unwrap();
    let bmp = |text: &str| DnValue::BmpString(rcgen::string::BmpString::try_from(text).unwrap());
    site.certified(|params| {
        params.distinguished_name = subject(&[
            (DnType::OrganizationalUnitName, bmp("acme")),
            (DnType::CommonName, bmp(UUID)),
            (DnType::OrganizationName, "more".into()),
        ]);
    })
    .unwrap();
    site.certified(|params| {
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
    })
    .unwrap();
    // RFC 5280 section 4.2.1.3: without the extension every usage is allowed.
    site.certified(|params| params.key_usages.clear()).unwrap();
    site.certified(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa)
        .unwrap();
}

#[test]
fn texts_around_the_pem() {
    let site = Site::new();
    let good = site.certificate(|_| {});
    for text in [
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
        format!("Subject: CN={UUID}\n\n{good}\n\n"),
    ] {
        site.verify(&site.files(&text)).unwrap();
    }
    assert_rejected(
        site.verify(&site.files(&format!("{good}{}", site.key.pem()))),
        "section",
    );
}

#[test]
fn the_validity_to_the_second() {
    let site = Site::new();
    let at = |now| {
        let files = site.files(&site.certificate(|params| {
            params.not_before = date_time_ymd(2026, 1, 1);
            params.not_after = date_time_ymd(2026, 1, 2);
        }));
        site.verify_at(&files, now)
    };
    let end = NOW + 86_400;
    assert!(at(NOW).unwrap().warnings.is_empty());
    assert!(at(end).unwrap().warnings.is_empty());
    assert_rejected(at(end + 1), "expired on 2026-01-02");
    for now in [0, NOW - 1] {
        let warnings = at(now).unwrap().warnings;
        assert!(
            warnings[0].contains("2026-01-01") && warnings[0].contains("clock"),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_chain() {
    let site = Site::new();
    let leaf = site.certificate(|_| {});
    let with_chain = |text: String| {
        let mut files = site.files(&leaf);
        files.insert("client.chained".into(), text.into());
        site.verify(&files)
    };
    with_chain(format!("{leaf}{}", site.ca.pem())).unwrap();
    with_chain(leaf.clone()).unwrap();
    assert_rejected(with_chain(String::new()), "client.chained");
    assert_rejected(with_chain(site.ca.pem().to_owned()), "another certificate");
    assert_rejected(
        with_chain(format!("{leaf}{}", Ca::new("device CA").pem())),
        "who signed",
    );
    assert_rejected(with_chain(format!("{leaf}{leaf}")), "who signed");
    // A board whose clock lags behind can still tell who signed.
    let mut files = site.files(&leaf);
    files.insert(
        "client.chained".into(),
        format!("{leaf}{}", site.ca.pem()).into(),
    );
    site.verify_at(&files, 0).unwrap();
}

#[test]
fn roots() {
    let site = Site::new();
    let two = format!("{}{}", Ca::new("one").pem(), Ca::new("two").pem());
    site.spoiled(|files| files["root.crt"] = two.into())
        .unwrap();
    for root in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(
            site.spoiled(|files| files["root.crt"] = root.into())
                .is_err(),
            "{root}"
        );
    }
}

#[test]
fn names_of_files() {
    for name in [
        "client.pem",
        "root.crt",
        "a",
        "A-1_b.c",
        "x..y",
        &"x".repeat(100),
    ] {
        assert_eq!(FileName::parse(name).unwrap().as_str(), name);
    }
    for name in [
        "",
        ".",
        "..",
        ".x",
        "../x",
        "/x",
        "a/b",
        "a\\b",
        "a b",
        "a\0b",
        "ü",
        "a\n",
        "pkey.pem",
        "sql.db",
        "sql.db-wal",
        "x.tmp",
        &"x".repeat(101),
    ] {
        assert!(FileName::parse(name).is_err(), "{name:?}");
    }
}

#[test]
fn names_that_differ_from_ours_by_case_only_are_refused_or_harmless() {
    // Linux tells them apart: only the exact names are ours.
    FileName::parse("PKEY.PEM").unwrap();
    FileName::parse("my-pkey.pem").unwrap();
}

#[test]
fn too_much_of_everything() {
    let site = Site::new();
    let expected = Expected {
        uuid: UUID,
        factory: "acme",
        public_key_info: &[],
        now: NOW,
    };
    let large = vec![b' '; ANSWER_LIMIT + 1];
    assert_rejected(verify(&large, expected), "larger than 1 MiB");
    let add = |count: usize| {
        site.spoiled(|files| {
            for number in 0..count {
                files.insert(format!("extra-{number}"), "".into());
            }
        })
    };
    add(FILE_LIMIT - 3).unwrap();
    assert_rejected(add(FILE_LIMIT - 2), "too many files");
    for deep in ["[".repeat(1_000_000), "{\"a\":".repeat(200_000)] {
        assert_rejected(verify(deep.as_bytes(), expected), "no JSON object");
    }
}

proptest! {
    #[test]
    fn bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let expected = Expected { uuid: UUID, factory: "acme", public_key_info: &[], now: NOW };
        prop_assert!(verify(&body, expected).is_err());
    }

    #[test]
    fn objects_never_panic(
        files in prop::collection::btree_map("[a-z./]{0,6}|client.pem|root.crt|sota.toml", "(?s).{0,80}", 0..5),
        now in any::<u64>(),
    ) {
        let expected = Expected { uuid: UUID, factory: "acme", public_key_info: &[], now };
        prop_assert!(verify(&serde_json::to_vec(&files).unwrap(), expected).is_err());
    }

    /// A certificate with one byte changed is never taken for another device's key, and never
    /// makes the reader fall over.
    #[test]
    fn damaged_certificates_never_panic(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        // Made once: signing is slow where nothing is optimised.
        static GOOD: LazyLock<Vec<u8>> =
            LazyLock::new(|| pki::der(&Site::new().certificate(|_| {})));
        let mut der = GOOD.clone();
        let position = position.index(der.len());
        der[position] = byte;
        let read = DeviceCertificate::from_der(der.into());
        if let Ok(certificate) = read {
            let _ = certificate.check_validity(NOW);
            let _ = certificate.token_attributes();
        }
    }

    /// A name that is accepted stays inside the directory.
    #[test]
    fn accepted_names_are_plain(name in "\\PC{0,12}|[a-z./~\\\\\0-]{0,12}") {
        if let Ok(accepted) = FileName::parse(&name) {
            prop_assert_eq!(std::path::Path::new(accepted.as_str()).components().count(), 1);
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            prop_assert!(accepted.as_str().chars().all(plain));
            prop_assert!(!accepted.as_str().starts_with('.'));
        }
    }
}
