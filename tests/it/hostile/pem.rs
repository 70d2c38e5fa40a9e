//! Whole answers whose files of certificates are damaged, or hold something else.

use lmp_test_support::answers::Backend;
use lmp_test_support::pki::{Ca, der};
use lmp_test_support::scripted::Answer;
use lmp_test_support::tools::tool;
use x509_cert::der::pem::{LineEnding, encode_string};

use super::{case, rejected};

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
                let damaged = pem(&damage(good, position));
                Answer::json(201, &backend.files_with(request, &damaged))
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
