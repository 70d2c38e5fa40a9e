//! Whole answers with certificates that are somebody else's, of no use, or damaged.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};
use x509_cert::der::pem::{LineEnding, encode_string};

use crate::common::answers::{Backend, FACTORY};
use crate::common::pki::{Ca, der, device_params, subject};
use crate::common::scripted::{Answer, Request};
use crate::common::tools::tool;
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = wrong_contents();
    cases.extend(wrong_files());
    cases.extend(damaged());
    cases
}

fn answer(backend: &Backend, request: &Request, certificate: &str) -> Answer {
    Answer::json(201, &backend.files_with(request, certificate))
}

type Change = fn(&mut CertificateParams);

fn wrong_contents() -> Vec<Case> {
    let changes: [(&str, Change); 17] = [
        ("another CN", |params| {
            *params = device_params("00000000-0000-4000-8000-000000000000", FACTORY);
        }),
        ("an empty CN", |params| *params = device_params("", FACTORY)),
        ("another OU", |params| {
            params
                .distinguished_name
                .push(DnType::OrganizationalUnitName, "other");
        }),
        ("an OU with an escape sequence", |params| {
            params
                .distinguished_name
                .push(DnType::OrganizationalUnitName, "\u{1b}[31m\u{202e}");
        }),
        ("no subject", |params| {
            params.distinguished_name = subject(&[]);
        }),
        ("a subject of 60,000 bytes", |params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "x".repeat(60_000));
        }),
        ("CA:TRUE", |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }),
        ("CA:TRUE, pathlen 0", |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        }),
        ("an end in the past", |params| {
            params.not_after = date_time_ymd(2021, 1, 1);
        }),
        ("an end before its beginning", |params| {
            params.not_before = date_time_ymd(2030, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }),
        ("an end in 1970", |params| {
            params.not_after = date_time_ymd(1970, 1, 1);
        }),
        ("no extended key usage", |params| {
            params.extended_key_usages.clear();
        }),
        ("serverAuth", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ("codeSigning", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        }),
        ("keyAgreement", |params| {
            params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
        }),
        ("keyCertSign", |params| {
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }),
        ("cRLSign", |params| {
            params.key_usages = vec![KeyUsagePurpose::CrlSign];
        }),
    ];
    let with = |(name, change): (&str, Change)| {
        case(
            format!("a certificate with {name}"),
            move |backend, request| {
                let certificate = backend.certificate(request, change);
                answer(backend, request, &certificate)
            },
        )
    };
    let mut cases: Vec<Case> = changes.into_iter().map(with).collect();
    cases.push(case("a certificate for another key", |backend, request| {
        let certificate = backend.certificate_of_another_key(request);
        answer(backend, request, &certificate)
    }));
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
    cases
}

/// What a file of certificates holds instead.
type Spoil = fn(&Backend, &str) -> String;

fn wrong_files() -> Vec<Case> {
    let spoiled: [(&str, &str, Spoil); 24] = [
        ("client.pem", "two certificates", |_, good| good.repeat(2)),
        ("client.pem", "the chain", |backend, good| {
            format!("{good}{}", backend.ca.pem())
        }),
        ("client.pem", "the CA", |backend, _| {
            backend.ca.pem().to_owned()
        }),
        ("client.pem", "white space", |_, _| " \n".into()),
        ("client.pem", "no footer", |_, good| {
            good.split("-----END").next().unwrap().into()
        }),
        ("client.pem", "no header", |_, good| {
            good.replace("BEGIN", "BEGUN")
        }),
        ("client.pem", "another label", |_, good| {
            good.replace("CERTIFICATE", "PUBLIC KEY")
        }),
        ("client.pem", "no Base64", |_, good| good.replace('M', "!")),
        ("client.pem", "nothing inside", |_, _| pem(b"")),
        ("client.pem", "DER of zeros", |_, _| pem(&[0; 500])),
        ("client.pem", "DER of ones", |_, _| pem(&[0xff; 500])),
        ("client.pem", "a length of 4 GB", |_, _| {
            pem(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0])
        }),
        ("client.pem", "sequences in sequences", |_, _| {
            pem(&[0x30, 0x80].repeat(100_000))
        }),
        (
            "client.pem",
            "something behind the certificate",
            |_, good| pem(&[der(good), vec![0; 16]].concat()),
        ),
        ("client.chained", "another leaf", |backend, _| {
            backend.ca.pem().repeat(2)
        }),
        ("client.chained", "another issuer", |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            format!("{leaf}{}", Ca::new("impostor").pem())
        }),
        ("client.chained", "an issuer of the same name", |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            format!("{leaf}{}", Ca::new("device CA").pem())
        }),
        ("client.chained", "garbage behind the leaf", |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            format!("{leaf}{}", pem(&[0x30; 400]))
        }),
        ("client.chained", "itself for ever", |_, good| {
            let (leaf, _) = good.split_at(good.rfind("-----BEGIN").unwrap());
            leaf.repeat(200)
        }),
        ("client.chained", "text", |_, _| {
            "\u{1b}[31mno certificate".into()
        }),
        ("root.crt", "text", |_, _| "no certificate".into()),
        ("root.crt", "garbage", |_, _| pem(&[0x30, 3, 1, 2, 3])),
        (
            "root.crt",
            "a certificate with something behind it",
            |_, good| pem(&[der(good), vec![0; 16]].concat()),
        ),
        ("root.crt", "a private key", |_, _| {
            tool("openssl", ["genpkey", "-algorithm", "ed25519"])
        }),
    ];
    let file_of = |(file, what, spoil): (&'static str, &str, Spoil)| {
        case(format!("{file} is {what}"), move |backend, request| {
            let mut files = backend.files(request);
            files[file] = spoil(backend, files[file].as_str().unwrap()).into();
            Answer::json(201, &files)
        })
    };
    spoiled.into_iter().map(file_of).collect()
}

fn pem(der: &[u8]) -> String {
    encode_string("CERTIFICATE", LineEnding::LF, der).unwrap()
}

/// One bit wrong, or an end missing: the issuer is in the answer, so every change shows.
fn damaged() -> Vec<Case> {
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
    flipped.chain(cut).collect()
}
