//! Whole answers with certificates that are somebody else's, of no use, or damaged.

use lmp_test_support::answers::{Backend, FACTORY};
use lmp_test_support::pki::{Ca, der, device_params, subject};
use lmp_test_support::scripted::{Answer, Request};
use lmp_test_support::tools::tool;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};
use x509_cert::der::pem::{LineEnding, encode_string};

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

/// What a file of certificates holds instead.
type Spoil = fn(&Backend, &str) -> String;

const SPOILED: &[(&str, &str, Spoil, &str)] = &[
    (
        "client.pem",
        "two certificates",
        |_, good| good.repeat(2),
        "2 certificates",
    ),
    (
        "client.pem",
        "the chain",
        |backend, good| format!("{good}{}", backend.ca.pem()),
        "2 certificates",
    ),
    (
        "client.pem",
        "the CA",
        |backend, _| backend.ca.pem().to_owned(),
        "",
    ),
    (
        "client.pem",
        "white space",
        |_, _| " \n".into(),
        "no certificate",
    ),
    (
        "client.pem",
        "no footer",
        |_, good| good.split("-----END").next().unwrap().into(),
        "broken PEM",
    ),
    (
        "client.pem",
        "no header",
        |_, good| good.replace("BEGIN", "BEGUN"),
        "",
    ),
    (
        "client.pem",
        "another label",
        |_, good| good.replace("CERTIFICATE", "PUBLIC KEY"),
        "holds a section",
    ),
    (
        "client.pem",
        "no Base64",
        |_, good| good.replace('M', "!"),
        "broken PEM",
    ),
    ("client.pem", "nothing inside", |_, _| pem(b""), "damaged"),
    (
        "client.pem",
        "DER of zeros",
        |_, _| pem(&[0; 500]),
        "damaged",
    ),
    (
        "client.pem",
        "DER of ones",
        |_, _| pem(&[0xff; 500]),
        "damaged",
    ),
    (
        "client.pem",
        "a length of 4 GB",
        |_, _| pem(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]),
        "damaged",
    ),
    (
        "client.pem",
        "sequences in sequences",
        |_, _| pem(&[0x30, 0x80].repeat(100_000)),
        "damaged",
    ),
    (
        "client.pem",
        "something behind the certificate",
        |_, good| pem(&[der(good), vec![0; 16]].concat()),
        "",
    ),
    (
        "client.chained",
        "another leaf",
        |backend, _| backend.ca.pem().repeat(2),
        "another certificate",
    ),
    (
        "client.chained",
        "another issuer",
        |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            format!("{leaf}{}", Ca::new("impostor").pem())
        },
        "who signed",
    ),
    (
        "client.chained",
        "an issuer of the same name",
        |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            format!("{leaf}{}", Ca::new("device CA").pem())
        },
        "who signed",
    ),
    (
        "client.chained",
        "garbage behind the leaf",
        |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            format!("{leaf}{}", pem(&[0x30; 400]))
        },
        "client.chained",
    ),
    (
        "client.chained",
        "itself for ever",
        |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            leaf.repeat(200)
        },
        "client.chained",
    ),
    (
        "client.chained",
        "text",
        |_, _| "\u{1b}[31mno certificate".into(),
        "client.chained",
    ),
    (
        "root.crt",
        "text",
        |_, _| "no certificate".into(),
        "certificate",
    ),
    (
        "root.crt",
        "garbage",
        |_, _| pem(&[0x30, 3, 1, 2, 3]),
        "certificate",
    ),
    (
        "root.crt",
        "a certificate with something behind it",
        |_, good| pem(&[der(good), vec![0; 16]].concat()),
        "certificate",
    ),
    (
        "root.crt",
        "a private key",
        |_, _| tool("openssl", ["genpkey", "-algorithm", "ed25519"]),
        "certificate",
    ),
    (
        "client.pem",
        "text",
        |_, _| "certificate".into(),
        "no certificate",
    ),
    ("client.pem", "damaged", |_, _| pem(&[0; 3]), "damaged"),
    (
        "client.chained",
        "a chain upside down",
        |backend, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            format!("{}{leaf}", backend.ca.pem())
        },
        "another certificate",
    ),
    (
        "root.crt",
        "no footer",
        |_, _| "-----BEGIN CERTIFICATE-----\n".into(),
        "certificate",
    ),
    ("root.crt", "damaged", |_, _| pem(&[0; 3]), "certificate"),
];

#[test]
fn wrong_files() {
    let file_of = |(file, what, spoil, words): (&'static str, &str, Spoil, &str)| {
        let spoiled = case(format!("{file} is {what}"), move |backend, request| {
            let mut files = backend.files(request);
            files[file] = spoil(backend, files[file].as_str().unwrap()).into();
            Answer::json(201, &files)
        });
        spoiled.says(words)
    };
    rejected(SPOILED.iter().copied().map(file_of));
}

fn pem(der: &[u8]) -> String {
    encode_string("CERTIFICATE", LineEnding::LF, der).unwrap()
}

/// One bit wrong, or an end missing: the issuer is in the answer, so every change shows.
#[test]
fn damaged() {
    let damage = |what: &str, position: usize, damage: fn(Vec<u8>, usize) -> Vec<u8>| {
        case(
            format!("a certificate {what} at byte {position}"),
            move |backend, request| {
                let good = der(&backend.certificate(request, |_| {}));
                answer(backend, request, &pem(&damage(good, position)))
            },
        )
    };
    let flip = |mut der: Vec<u8>, position: usize| {
        let position = position.min(der.len() - 1);
        der[position] ^= 1;
        der
    };
    let cut = |mut der: Vec<u8>, position: usize| {
        der.truncate(position);
        der
    };
    let flipped = (0..400)
        .step_by(8)
        .map(|n| damage("with a wrong bit", n, flip));
    let cut = (0..400).step_by(40).map(|n| damage("cut", n, cut));
    rejected(flipped.chain(cut));
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
