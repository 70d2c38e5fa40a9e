//! Whole answers with certificates that are somebody else's, or of no use.

use lmp_test_support::answers::{Backend, FACTORY};
use lmp_test_support::pki::{device_params, subject};
use lmp_test_support::scripted::{Answer, Request};
use lmp_test_support::tools::openssl;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};

use super::{Case, case, register, rejected};

const OU: DnType = DnType::OrganizationalUnitName;

fn answer(backend: &Backend, request: &Request, certificate: &str) -> Answer {
    Answer::json(201, &backend.files_with(request, certificate))
}

#[test]
fn wrong_contents() {
    let mut cases = Vec::new();
    let mut add = |name: &str, words: &str, change: fn(&mut CertificateParams)| {
        let with = case(
            format!("a certificate with {name}"),
            move |backend, request| answer(backend, request, &backend.certificate(request, change)),
        );
        cases.push(with.says(words));
    };
    add("another CN", "CN is \"00000000", |params| {
        *params = device_params("00000000-0000-4000-8000-000000000000", FACTORY);
    });
    add("an empty CN", "CN is \"\"", |params| {
        *params = device_params("", FACTORY);
    });
    add("another OU", "OU is \"other\", not \"acme\"", |params| {
        params.distinguished_name.push(OU, "other");
    });
    add("an odd OU", "OU is \"\\u{1b}[31m", |params| {
        params.distinguished_name.push(OU, "\u{1b}[31m\u{202e}");
    });
    add("no subject", "exactly one CN", |params| {
        params.distinguished_name = subject(&[]);
    });
    add("no CN", "exactly one CN", |params| {
        params.distinguished_name.remove(DnType::CommonName);
    });
    add("no OU", "exactly one OU", |params| {
        params.distinguished_name.remove(OU);
    });
    add("CA:TRUE", "one of a CA", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    add("CA:TRUE, pathlen 0", "one of a CA", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    // What has expired may be right, and the clock wrong.
    let hint = "hint: compare the clock";
    add("an end in the past", hint, |params| {
        params.not_after = date_time_ymd(2021, 5, 4);
    });
    add("an end in 2021", "expired on 2021-01-01", |params| {
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    add("an end before its beginning", "expired on 2001", |params| {
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    add("an end in 1970", "expired on 1970", |params| {
        params.not_after = date_time_ymd(1970, 1, 1);
    });
    add("no extended key usage", "lacks clientAuth", |params| {
        params.extended_key_usages.clear();
    });
    add("serverAuth", "lacks clientAuth", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    add("codeSigning", "lacks clientAuth", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    });
    add("keyAgreement", "lacks digitalSignature", |params| {
        params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    });
    add("keyCertSign", "lacks digitalSignature", |params| {
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    });
    add("cRLSign", "lacks digitalSignature", |params| {
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
    });
    rejected(cases);
}

/// Its beginning is shown.
#[test]
fn a_name_of_60_000_bytes() {
    let long = case("a subject of 60,000 bytes", |backend, request| {
        let certificate = backend.certificate(request, |params| {
            let name = &mut params.distinguished_name;
            name.push(DnType::CommonName, "x".repeat(60_000));
        });
        answer(backend, request, &certificate)
    });
    rejected([Case {
        most: 1024,
        ..long.says(&format!("CN is \"{}\"..., not", "x".repeat(64)))
    }]);
}

#[test]
fn for_another_key() {
    let same_kind = case("a certificate for another key", |backend, request| {
        let certificate = backend.certificate_of_another_key(request);
        answer(backend, request, &certificate)
    });
    let mut cases = vec![same_kind.says("for another key")];
    for options in ["rsa:2048", "ed25519", "ec -pkeyopt ec_paramgen_curve:P-384"] {
        cases.push(case(
            format!("a certificate for a key of {options}"),
            move |backend, request| {
                let uuid = request.json()["uuid"].as_str().unwrap().to_owned();
                let certificate = openssl(&format!(
                    "req -x509 -nodes -keyout /dev/null -newkey {options} \
                     -subj /CN={uuid}/OU={FACTORY} -addext extendedKeyUsage=clientAuth"
                ));
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
