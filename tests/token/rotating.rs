//! `check`, `--force` and `unregister` after the configuration daemon renewed a pair on the token:
//! the other ids are in use, and `client.pem` is not renewed.

use std::fs;

use lmp_test_support::board::{Run, run};
use lmp_test_support::rotation::{cut_off, rotated_on_token, uuid};
use lmp_test_support::token::{LABEL, TokenBoard, registration};
use lmp_test_support::tools::openssl;

/// fioconfig's new pair and certificate, which no file names yet.
fn renew(device: &TokenBoard) {
    device.hsm.make_key(LABEL, "tls", "07", &[]);
    let path = |name: &str| device.hsm.path(name).to_str().unwrap().to_owned();
    let (public, key, words, der) = (path("p"), path("k"), path("w"), path("d"));
    let read = ["--read-object", "--type", "pubkey", "--id", "07", "-o"];
    device.hsm.tool(LABEL, &[&read[..], &[&public]].concat());
    openssl(&format!(
        "ecparam -name prime256v1 -genkey -noout -out {key}"
    ));
    fs::write(
        &words,
        "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,clientAuth\n",
    )
    .unwrap();
    openssl(&format!(
        "x509 -new -key {key} -force_pubkey {public} -subj /CN={}/OU=acme -days 90 -extfile {words} \
         -outform DER -out {der}",
        uuid(&device.board)
    ));
    let write = ["--write-object", &der, "--type", "cert"];
    let place = ["--id", "09", "--label", "client"];
    device.hsm.tool(LABEL, &[write, place].concat());
}

fn command(device: &TokenBoard, words: &[&str]) -> Run {
    let mut command = device.board.bare_command();
    command
        .args(words)
        .arg("--sota-dir")
        .arg(device.board.sota());
    device.hsm.show_to(&mut command);
    run(command)
}

fn check(device: &TokenBoard) -> Run {
    command(device, &["check", "--offline"])
}

fn delete(device: &TokenBoard, kind: &str, id: &str) {
    let words = ["--delete-object", "--type", kind, "--id", id];
    device.hsm.tool(LABEL, &words);
}

#[test]
fn check_looks_at_the_ids_that_are_named() {
    let (_factory, device) = TokenBoard::registered();
    renew(&device);
    cut_off(&device.board, 2);
    // The old identity is in use, and the gateway takes it.
    let half_way = device.check("").expect(0);
    for line in [
        "ok       certificate: on the token with id 03",
        "ok       private key: on the token with id 01",
        "warning  key rotation: a rotation of the key is under way, 2 of 5",
    ] {
        assert!(half_way.stdout.contains(line), "{line}: {half_way}");
    }
    fs::remove_file(device.board.file("cert-rotation.state")).unwrap();
    rotated_on_token(&device.board);
    let done = check(&device).expect(0);
    for line in [
        "ok       key store: the token \"aktualizr\"",
        "ok       certificate: on the token with id 09",
        "ok       private key: on the token with id 07",
    ] {
        assert!(done.stdout.contains(line), "{line}: {done}");
    }
    for (kind, id) in [("privkey", "01"), ("pubkey", "01"), ("cert", "03")] {
        delete(&device, kind, id);
    }
    check(&device).expect(0);
    delete(&device, "privkey", "07");
    check(&device)
        .expect(78)
        .says(&["no private key with id 07", "--force 1"]);
}

#[test]
fn nothing_of_a_rotation_outlives_its_registration() {
    let (factory, device) = TokenBoard::registered();
    renew(&device);
    rotated_on_token(&device.board);
    cut_off(&device.board, 2);
    device.register(&factory, &["--force"]).expect(0);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    let names = ["client.chained", "client.pem", "root.crt", "sota.toml"];
    assert_eq!(device.names(), names);
    device.check("").expect(0);

    renew(&device);
    rotated_on_token(&device.board);
    cut_off(&device.board, 2);
    let lock = device.board.lock();
    let words = ["unregister", "--yes", "--update-client-lock"];
    command(&device, &[&words[..], &[lock.to_str().unwrap()]].concat()).expect(0);
    assert!(device.hsm.objects().is_empty());
    assert!(device.names().is_empty());
}
