//! Whole answers with certificates that are somebody else's, or of no use.

use lmp_test_support::answers::{Backend, FACTORY};
use lmp_test_support::pki::{device_params, subject};
use lmp_test_support::scripted::{Answer, Request};
use lmp_test_support::tools::tool;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};

use super::{Case, case, register, rejected};

fn answer(backend: &Backend, request: &Request, certificate: &str) -> Answer {
    Answer::json(201, &backend.files_with(request, certificate))
}

type Change = fn(&mut CertificateParams);

/// What the certificate says instead, and what is said of it.
const CHANGES: &[(&str, Change, &str)] = &[
    (
        "another CN",
        |params| {
            *params = device_params("00000000-0000-4000-8000-000000000000", FACTORY);
        },
        "CN is \"00000000",
    ),
    (
        "an empty CN",
        |params| *params = device_params("", FACTORY),
        "CN is \"\"",
    ),
    (
        "another OU",
        |params| {
            params
                .distinguished_name
                .push(DnType::OrganizationalUnitName, "other");
        },
        "OU is \"other\", not \"acme\"",
    ),
    (
        "an OU with an escape sequence",
        |params| {
            params
                .distinguished_name
                .push(DnType::OrganizationalUnitName, "\u{1b}[31m\u{202e}");
        },
        "OU is \"\\u{1b}[31m",
    ),
    (
        "no subject",
        |params| {
            params.distinguished_name = subject(&[]);
        },
        "exactly one CN",
    ),
    (
        "a subject of 60,000 bytes",
        |params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "x".repeat(60_000));
        },
        "CN is",
    ),
    (
        "CA:TRUE",
        |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        },
        "one of a CA",
    ),
    (
        "CA:TRUE, pathlen 0",
        |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        },
        "one of a CA",
    ),
    (
        "an end in the past",
        |params| {
            params.not_after = date_time_ymd(2021, 1, 1);
        },
        "expired on 2021-01-01",
    ),
    (
        "an end before its beginning",
        |params| {
            params.not_before = date_time_ymd(2030, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        },
        "expired on 2001",
    ),
    (
        "an end in 1970",
        |params| {
            params.not_after = date_time_ymd(1970, 1, 1);
        },
        "expired on 1970",
    ),
    (
        "no extended key usage",
        |params| {
            params.extended_key_usages.clear();
        },
        "lacks clientAuth",
    ),
    (
        "serverAuth",
        |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        },
        "lacks clientAuth",
    ),
    (
        "codeSigning",
        |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        },
        "lacks clientAuth",
    ),
    (
        "keyAgreement",
        |params| {
            params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
        },
        "lacks digitalSignature",
    ),
    (
        "keyCertSign",
        |params| {
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        },
        "lacks digitalSignature",
    ),
    (
        "cRLSign",
        |params| {
            params.key_usages = vec![KeyUsagePurpose::CrlSign];
        },
        "lacks digitalSignature",
    ),
    (
        "no CN",
        |params| {
            params.distinguished_name.remove(DnType::CommonName);
        },
        "exactly one CN",
    ),
    (
        "no OU",
        |params| {
            params
                .distinguished_name
                .remove(DnType::OrganizationalUnitName);
        },
        "exactly one OU",
    ),
];

#[test]
fn wrong_contents() {
    let with = |(name, change, words): (&str, Change, &str)| {
        let name = format!("a certificate with {name}");
        let with = case(name, move |backend, request| {
            answer(backend, request, &backend.certificate(request, change))
        });
        Case {
            // A name is shown whole, whatever its length.
            most: 64 * 1024,
            ..with.says(words)
        }
    };
    rejected(CHANGES.iter().copied().map(with));
}

#[test]
fn for_another_key() {
    let same_kind = case("a certificate for another key", |backend, request| {
        let certificate = backend.certificate_of_another_key(request);
        answer(backend, request, &certificate)
    });
    let mut cases = vec![same_kind.says("for another key")];
    for (algorithm, options) in [("rsa", "rsa:2048"), ("ed25519", "ed25519"), ("ec", "ec")] {
        cases.push(case(
            format!("a certificate for a key of {options}"),
            move |backend, request| {
                let uuid = request.json()["uuid"].as_str().unwrap().to_owned();
                let name = format!("/CN={uuid}/OU={FACTORY}");
                let mut words = vec![
                    "req",
                    "-x509",
                    "-nodes",
                    "-keyout",
                    "/dev/null",
                    "-newkey",
                    options,
                ];
                if algorithm == "ec" {
                    words.extend(["-pkeyopt", "ec_paramgen_curve:P-384"]);
                }
                words.extend(["-subj", &name, "-addext", "extendedKeyUsage=clientAuth"]);
                let certificate = tool("openssl", words);
                answer(backend, request, &certificate)
            },
        ));
    }
    rejected(cases);
}

/// Fresh boards lag behind: a certificate from the future is a warning that names the clock.
#[test]
fn from_the_future() {
    let backend = Backend::new();
    let (_, run) = register(move |request| {
        let certificate = backend.certificate(request, |params| {
            params.not_before = date_time_ymd(2119, 1, 1);
        });
        answer(&backend, request, &certificate)
    });
    run.expect(0)
        .says(&["warning: ", "valid from 2119-01-01", "clock"]);
}

/// What has expired may be right, and the clock wrong.
#[test]
fn from_the_past() {
    let expired = case("an end in the past", |backend, request| {
        let certificate = backend.certificate(request, |params| {
            params.not_after = date_time_ymd(2021, 5, 4);
        });
        answer(backend, request, &certificate)
    });
    rejected([expired.says("hint: compare the clock")]);
}
