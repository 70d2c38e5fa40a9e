//! What the configuration daemon leaves when it renews a key, as fioconfig 6384248 does it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::board::Board;
use crate::pki::{Ca, KeyPair, device_params};
use crate::tools::openssl;

/// The number in the names of renewed files.
pub const NUMBER: &str = "1824763018";
/// Its state while it renews.
pub const STATE: &str = "cert-rotation.state";

/// Its state after so many steps, with the new key in it.
fn state(steps: u32, key: &str, certificate: &str) -> String {
    json!({
        "RotationId": "certs-1700000000",
        "StepIdx": steps,
        "EstServer": "https://est.example.com/.well-known/est",
        "PkeySlotIds": ["01", "07"],
        "CertSlotIds": ["03", "09"],
        "NewKey": key,
        "NewCert": certificate,
        "FullConfigEncrypted": "",
        "DeviceConfigUpdated": steps >= 4,
        "Finalized": steps >= 5,
    })
    .to_string()
}

fn write(board: &Board, name: &str, mode: u32, text: &str) {
    fs::write(board.file(name), text).unwrap();
    fs::set_permissions(board.file(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// As its library for TOML writes: sections and keys sorted, keys indented, no comments.
fn rewrite_configuration(board: &Board, change: impl Fn(&str) -> String) {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in change(&board.text("sota.toml")).lines() {
        if line.starts_with('[') {
            sections.push((line.to_owned(), Vec::new()));
        } else if let Some((_, lines)) = sections.last_mut().filter(|_| line.contains(" = ")) {
            lines.push(format!("  {line}\n"));
        }
    }
    sections.sort();
    let section = |(name, mut lines): (String, Vec<String>)| {
        lines.sort();
        format!("\n{name}\n{}", lines.concat())
    };
    let text: String = sections.into_iter().map(section).collect();
    write(board, "sota.toml", 0o640, &text);
}

/// A rotation that was cut off after so many steps.
pub fn cut_off(board: &Board, steps: u32) {
    write(
        board,
        STATE,
        0o640,
        &state(steps, &KeyPair::new().pem(), "PEM"),
    );
}

/// A rotation to a key and certificate of `ca`, which is done. The old ones stay.
pub fn rotated(board: &Board, ca: &Ca, uuid: &str) {
    let key = KeyPair::new();
    let certificate = ca.sign(key.public(), &device_params(uuid, "acme"));
    write(board, &format!("pkey.{NUMBER}.pem"), 0o600, &key.pem());
    write(board, &format!("client.{NUMBER}.pem"), 0o600, &certificate);
    rewrite_configuration(board, |text| {
        text.replace("/pkey.pem", &format!("/pkey.{NUMBER}.pem"))
            .replace("/client.pem", &format!("/client.{NUMBER}.pem"))
    });
    write(board, "config.encrypted", 0o640, "{}");
    let done = state(5, &key.pem(), &certificate);
    write(board, "cert-rotation.state.completed", 0o640, &done);
}

/// The same on a token, whose new pair and certificate are there.
pub fn rotated_on_token(board: &Board) {
    rewrite_configuration(board, |text| {
        text.replace("tls_pkey_id = \"01\"", "tls_pkey_id = \"07\"")
            .replace("tls_clientcert_id = \"03\"", "tls_clientcert_id = \"09\"")
    });
    let done = state(5, "07", "09");
    write(board, "cert-rotation.state.completed", 0o640, &done);
}

/// The UUID in a certificate of the board.
pub fn uuid(board: &Board) -> String {
    let path = board.file("client.pem");
    let subject = openssl(&format!(
        "x509 -noout -subject -nameopt multiline -in {}",
        path.display()
    ));
    let line = subject.lines().find(|line| line.contains("commonName"));
    line.unwrap().split_once("= ").unwrap().1.to_owned()
}
