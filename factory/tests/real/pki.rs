//! The shapes of keys and certificates, as OpenSSL reads them.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::site::Site;
use crate::tool::{certificate_text, openssl, output};

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

const ECDSA_P256: [&str; 3] = [
    "Signature Algorithm: ecdsa-with-SHA256",
    "ASN1 OID: prime256v1",
    "Version: 3",
];

#[test]
fn certificates_have_their_shapes() {
    let site = Site::with(|options| {
        options.hosts = ["localhost", "gw.example.org", "::1"]
            .map(Into::into)
            .into();
    });
    site.register("device-1");

    let root = certificate_text(site.server.root_file());
    expect(&root, &ECDSA_P256);
    expect(
        &root,
        &[
            "Issuer: CN = Factory-CA, OU = acme",
            "Subject: CN = Factory-CA, OU = acme",
            "Basic Constraints: critical\n                CA:TRUE\n",
            "Key Usage: critical\n                Certificate Sign, CRL Sign",
            "Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication",
        ],
    );
    let online = certificate_text(site.data("pki/online-ca.pem"));
    expect(&online, &ECDSA_P256);
    expect(
        &online,
        &[
            "Issuer: CN = Factory-CA, OU = acme",
            "Basic Constraints: critical\n                CA:TRUE, pathlen:0\n",
            "Key Usage: critical\n                Certificate Sign\n",
        ],
    );
    let gateway = certificate_text(site.data("pki/tls.pem"));
    expect(&gateway, &ECDSA_P256);
    expect(
        &gateway,
        &[
            "Subject: CN = localhost, OU = acme",
            "Key Usage: critical\n                Digital Signature\n",
            "Extended Key Usage: critical\n                TLS Web Server Authentication\n",
            "DNS:localhost, DNS:gw.example.org, IP Address:0:0:0:0:0:0:0:1, IP Address:127.0.0.1",
        ],
    );
    let device = certificate_text(site.path("device-1.client.pem"));
    expect(&device, &ECDSA_P256);
    expect(
        &device,
        &[
            "Subject: CN = device-1, OU = acme\n",
            "Authority Key Identifier",
            "Key Usage: critical\n                Digital Signature\n",
            "Extended Key Usage: critical\n                TLS Web Client Authentication\n",
        ],
    );
    for text in [root, online, gateway, device] {
        let serial = text
            .lines()
            .skip_while(|line| !line.contains("Serial Number"))
            .nth(1);
        assert_eq!(serial.unwrap().trim().split(':').count(), 20);
    }
}

#[test]
fn subjects_are_utf8_strings_with_cn_before_ou() {
    let site = Site::new();
    site.register("device-1");
    for file in [
        site.data("pki/factory_ca.pem"),
        site.path("device-1.client.pem").display().to_string(),
    ] {
        let text = openssl(&format!("asn1parse -in {file}"));
        let names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once("OBJECT            :"))
            .map(|(_, name)| name)
            .filter(|name| ["commonName", "organizationalUnitName"].contains(name))
            .collect();
        assert_eq!(names, ["commonName", "organizationalUnitName"].repeat(2));
        assert!(!text.contains("PRINTABLESTRING"), "{text}");
    }
}

#[test]
fn chains_verify() {
    let site = Site::new();
    site.register("device-1");
    let pki = site.data("pki");
    let device = site.path("device-1.client.pem").display().to_string();
    let verifies = |line: &str| {
        let line = format!("verify -x509_strict -CAfile {pki}/factory_ca.pem -purpose {line}");
        output("openssl", line.split_whitespace()).status.success()
    };
    assert!(verifies(&format!(
        "sslserver -verify_hostname localhost {pki}/tls.pem"
    )));
    let chain = format!("-untrusted {pki}/online-ca.pem {device}");
    assert!(verifies(&format!("sslclient {chain}")));
    assert!(!verifies(&format!("sslserver {chain}")));
}

#[test]
fn private_keys_are_sec1_and_only_for_their_owner() {
    let site = Site::new();
    let mut keys = 0;
    for entry in std::fs::read_dir(site.data("pki")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "key") {
            keys += 1;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o400, "{}", path.display());
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
            openssl(&format!("ec -check -noout -in {}", path.display()));
        }
    }
    assert_eq!(keys, 5);
}

#[test]
fn the_device_never_outlives_its_ca_and_starts_in_the_past() {
    let site = Site::new();
    site.register("device-1");
    let ends = |file: &str| openssl(&format!("x509 -in {file} -noout -enddate"));
    let device = site.path("device-1.client.pem").display().to_string();
    let online = site.data("pki/online-ca.pem");
    assert_eq!(ends(&device), ends(&online));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = now.as_secs() - 120;
    openssl(&format!(
        "verify -attime {at} -partial_chain -CAfile {online} {device}"
    ));
}
