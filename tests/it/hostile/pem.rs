//! Whole answers whose files of certificates are damaged, or hold something else.

use lmp_test_support::answers::Backend;
use lmp_test_support::pki::{Ca, der};
use lmp_test_support::scripted::Answer;
use lmp_test_support::tools::openssl;
use x509_cert::der::pem::{LineEnding, encode_string};

use super::{Case, case, rejected};

/// What a file of certificates holds instead.
type Spoil = fn(&Backend, &str) -> String;

#[test]
fn client_pem() {
    let mut cases = Vec::new();
    let mut add = |what: &str, words, spoil| cases.push(file("client.pem", what, words, spoil));
    add("two certificates", "2 certificates", |_, good| {
        good.repeat(2)
    });
    add("the chain", "2 certificates", |backend, good| {
        format!("{good}{}", backend.ca.pem())
    });
    add("the CA", "", |backend, _| backend.ca.pem().to_owned());
    add("text", "no certificate", |_, _| "certificate".into());
    add("white space", "no certificate", |_, _| " \n".into());
    add("no footer", "broken PEM", |_, good| {
        good.split("-----END").next().unwrap().into()
    });
    add("no header", "", |_, good| good.replace("BEGIN", "BEGUN"));
    add("another label", "holds a section", |_, good| {
        good.replace("CERTIFICATE", "PUBLIC KEY")
    });
    add("no Base64", "broken PEM", |_, good| good.replace('M', "!"));
    add("nothing inside", "damaged", |_, _| pem(b""));
    add("three zeros", "damaged", |_, _| pem(&[0; 3]));
    add("DER of zeros", "damaged", |_, _| pem(&[0; 500]));
    add("DER of ones", "damaged", |_, _| pem(&[0xff; 500]));
    add("a length of 4 GB", "damaged", |_, _| {
        pem(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0])
    });
    add("sequences in sequences", "damaged", |_, _| {
        pem(&[0x30, 0x80].repeat(100_000))
    });
    add("something behind the certificate", "", |_, good| {
        pem(&[der(good), vec![0; 16]].concat())
    });
    rejected(cases);
}

/// A bundle that is there must prove who signed: it is all that can be checked of the issuer.
#[test]
fn client_chained() {
    fn leaf(chain: &str) -> &str {
        chain.split_at(chain.rfind("-----BEGIN").unwrap()).0
    }
    let mut cases = Vec::new();
    let mut add = |what: &str, words, spoil| {
        let case = file("client.chained", what, words, spoil);
        cases.push(case.says("client.chained"));
    };
    add("another leaf", "another certificate", |backend, _| {
        backend.ca.pem().repeat(2)
    });
    add("upside down", "another certificate", |backend, good| {
        format!("{}{}", backend.ca.pem(), leaf(good))
    });
    add("another issuer", "who signed", |_, good| {
        format!("{}{}", leaf(good), Ca::new("impostor").pem())
    });
    add("an issuer of the same name", "who signed", |_, good| {
        format!("{}{}", leaf(good), Ca::new("device CA").pem())
    });
    add("garbage behind the leaf", "", |_, good| {
        format!("{}{}", leaf(good), pem(&[0x30; 400]))
    });
    add("itself for ever", "", |_, good| leaf(good).repeat(200));
    add("text", "", |_, _| "\u{1b}[31mno certificate".into());
    rejected(cases);
}

#[test]
fn root_crt() {
    let mut cases = Vec::new();
    let mut add = |what: &str, spoil| cases.push(file("root.crt", what, "certificate", spoil));
    add("text", |_, _| "no certificate".into());
    add("garbage", |_, _| pem(&[0x30, 3, 1, 2, 3]));
    add("three zeros", |_, _| pem(&[0; 3]));
    add("no footer", |_, _| "-----BEGIN CERTIFICATE-----\n".into());
    add("a certificate with something behind it", |_, good| {
        pem(&[der(good), vec![0; 16]].concat())
    });
    add("a private key", |_, _| {
        openssl("genpkey -algorithm ed25519")
    });
    rejected(cases);
}

/// A good answer but for one file.
fn file(file: &'static str, what: &str, words: &str, spoil: Spoil) -> Case {
    let spoiled = case(format!("{file} is {what}"), move |backend, request| {
        let mut files = backend.files(request);
        files[file] = spoil(backend, files[file].as_str().unwrap()).into();
        Answer::json(201, &files)
    });
    spoiled.says(words)
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
