//! A registration with its key on a token: objects, files, CSR, and what others do with the key.

use std::path::Path;

use lmp_test_support::answers::Backend;
use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::token::{LABEL, PIN, SOFTHSM, SoftHsm, TokenBoard, registration, spy};
use lmp_test_support::tools::openssl;

#[test]
fn a_blank_token_becomes_a_registered_device() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    device.register(&factory, &[]).expect(0);
    assert_eq!(device.hsm.labels(), [LABEL]);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    assert_eq!(
        device.names(),
        ["client.chained", "client.pem", "root.crt", "sota.toml"]
    );
    assert_eq!(device.board.mode("sota.toml"), 0o600);
    let section = format!(
        "\n[p11]\nmodule = \"{SOFTHSM}\"\npass = \"{PIN}\"\ntls_pkey_id = \"01\"\n\
         tls_clientcert_id = \"03\"\n"
    );
    let text = device.board.text("sota.toml");
    assert!(text.ends_with(&section), "{text}");
    assert_eq!(text.matches("pkcs11").count(), 2, "{text}");
    assert!(!text.contains("pkey.pem"), "{text}");
    let run = device.check("").expect(0);
    assert!(run.stdout.contains("mTLS works"), "{run}");
}

#[test]
fn the_objects_have_the_attributes_that_consumers_expect() {
    let (_factory, device) = TokenBoard::registered();
    let list = |kind| device.hsm.tool(LABEL, &["--list-objects", "--type", kind]);
    let private = list("privkey");
    let access = "sensitive, always sensitive, never extractable, local";
    assert!(private.contains(access), "{private}");
    assert!(
        private.contains("sign") && private.contains("derive"),
        "{private}"
    );
    let public = list("pubkey");
    assert!(
        public.contains("EC_PARAMS:  06082a8648ce3d030107"),
        "{public}"
    );
    assert!(public.contains("verify"), "{public}");
    let file = device.hsm.path("certificate.der");
    let path = file.to_str().unwrap();
    let read = ["--read-object", "--type", "cert", "--id", "03", "-o", path];
    device.hsm.tool(LABEL, &read);
    let pem = device.board.file("client.pem");
    let pem = pem.display();
    let der = openssl(&format!("x509 -in {pem} -noout -fingerprint"));
    let stored = format!("x509 -inform DER -in {path} -noout -fingerprint");
    assert_eq!(openssl(&stored), der);
    // Subject, issuer and serial number are those of the certificate.
    let listed = list("cert");
    let serial = openssl(&format!("x509 -in {pem} -noout -serial"));
    let serial = serial.trim().strip_prefix("serial=").unwrap();
    assert!(listed.contains(serial), "{listed} {serial}");
}

#[test]
fn openssl_verifies_the_csr() {
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| match request.method.as_str() {
        "HEAD" => Answer::whole(401, b""),
        _ => backend.signed(request),
    });
    let device = TokenBoard::new();
    let mut command = device.board.command(&server.url());
    device.hsm.show_to(&mut command);
    command.args(["--start-daemon", "0", "-m", SOFTHSM, "-P", PIN, "-p1"]);
    device.run(command).expect(0);
    let requests = server.requests();
    let methods: Vec<&str> = requests.iter().map(|r| r.method.as_str()).collect();
    assert_eq!(methods, ["HEAD", "POST"]);
    assert!(requests[0].header("osf-token").is_empty());
    assert_eq!(server.connections(), 1);

    let body = requests[1].json();
    let overrides = &body["overrides"];
    assert_eq!(overrides["tls"]["pkey_source"], "\"pkcs11\"");
    assert_eq!(overrides["tls"]["cert_source"], "\"pkcs11\"");
    assert_eq!(overrides["storage"]["tls_pkey_path"], "");
    assert_eq!(overrides["import"]["tls_clientcert_path"], "");
    assert!(
        !requests[1]
            .body
            .windows(PIN.len())
            .any(|w| w == PIN.as_bytes())
    );

    let csr = device.hsm.path("device.csr");
    std::fs::write(&csr, body["csr"].as_str().unwrap()).unwrap();
    let csr = csr.to_str().unwrap();
    let text = openssl(&format!("req -in {csr} -verify -noout -text"));
    for part in [
        "ASN1 OID: prime256v1",
        "ecdsa-with-SHA256",
        "businessCategory = production",
        "TLS Web Client Authentication",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // The backend's own sections stay, and the token's is merged in.
    let text = device.board.text("sota.toml");
    assert_eq!(text.matches("[p11]").count(), 1, "{text}");
}

/// fioconfig decrypts with ECDH1-DERIVE: both sides must come to the same secret.
#[test]
fn another_implementation_derives_with_the_key() {
    let (_factory, device) = TokenBoard::registered();
    let path = |name: &str| device.hsm.path(name).to_str().unwrap().to_owned();
    let (peer, peer_public) = (path("peer.pem"), path("peer.der"));
    openssl(&format!(
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {peer}"
    ));
    openssl(&format!(
        "pkey -in {peer} -pubout -outform DER -out {peer_public}"
    ));
    let (ours, theirs, own) = (path("ours"), path("theirs"), path("own.pem"));
    let derive = format!(
        "--derive --mechanism ECDH1-DERIVE --id 01 --input-file {peer_public} --output-file {ours}"
    );
    let derive: Vec<&str> = derive.split_whitespace().collect();
    device.hsm.tool(LABEL, &derive);
    let certificate = device.board.file("client.pem");
    let public = openssl(&format!(
        "x509 -in {} -noout -pubkey",
        certificate.display()
    ));
    std::fs::write(&own, public).unwrap();
    openssl(&format!(
        "pkeyutl -derive -inkey {peer} -peerkey {own} -out {theirs}"
    ));
    let secret = std::fs::read(&ours).unwrap();
    assert_eq!(secret.len(), 32);
    assert_eq!(secret, std::fs::read(&theirs).unwrap());
}

#[test]
fn a_backend_with_a_p11_section_of_its_own() {
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| {
        if request.method == "HEAD" {
            return Answer::whole(405, b"");
        }
        let mut files = backend.files(request);
        let text = files["sota.toml"].as_str().unwrap();
        let text = format!(
            "[p11]\nmodule = \"/usr/lib/theirs.so\"\nlabel = \"theirs\"\nsession = \"kept\"\n\n{text}"
        );
        files["sota.toml"] = text.into();
        Answer::json(201, &files)
    });
    let device = TokenBoard::new();
    let mut command = device.board.command(&server.url());
    device.hsm.show_to(&mut command);
    command.args(["--start-daemon", "0", "-m", SOFTHSM, "-P", PIN]);
    device.run(command).expect(0);
    let text = device.board.text("sota.toml");
    assert_eq!(text.matches("[p11]").count(), 1, "{text}");
    for (part, times) in [
        (format!("module = \"{SOFTHSM}\""), 1),
        (format!("pass = \"{PIN}\""), 1),
        ("session = \"kept\"".into(), 1),
        ("label".into(), 0),
        ("theirs".into(), 0),
    ] {
        assert_eq!(text.matches(&part).count(), times, "{part} in {text}");
    }
}

/// The incumbent makes 124 calls in five cycles; on OP-TEE each takes up to a second.
#[test]
fn a_fresh_registration_makes_few_calls() {
    let factory = Factory::new();
    for (hsm, logins) in [(SoftHsm::new(), 1), (SoftHsm::blank(), 2)] {
        let device = TokenBoard::with(hsm);
        let command = device.command_with(&factory, &spy());
        let (run, calls) = device.spied(command, Path::new(SOFTHSM));
        run.expect(0);
        assert!(calls.len() <= 45, "{} calls: {calls:?}", calls.len());
        let count = |name: &str| calls.iter().filter(|call| *call == name).count();
        for (name, times) in [
            ("C_Initialize", 1),
            ("C_Finalize", 1),
            ("C_OpenSession", 1),
            ("C_CloseSession", 1),
            ("C_GenerateKeyPair", 1),
            ("C_CreateObject", 1),
            ("C_DestroyObject", 0),
            ("C_Login", logins),
            ("C_Logout", logins),
        ] {
            assert_eq!(count(name), times, "{name}: {calls:?}");
        }
        assert_eq!(calls.last().unwrap(), "C_Finalize");
    }
}

#[test]
fn the_pin_of_a_check_is_the_one_in_sota_toml_and_it_changes_nothing() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let command = device.command_with(&factory, &spy());
    let (run, _) = device.spied(command, Path::new(SOFTHSM));
    run.expect(0);
    let before = device.board.snapshot();
    let mut command = device.board.bare_command();
    command.args(["check", "--json", "--sota-dir"]);
    command.arg(device.board.sota());
    device.hsm.show_to(&mut command);
    let (run, calls) = device.spied(command, Path::new(SOFTHSM));
    let run = run.expect(0);
    assert_eq!(run.json()["gateway_status"], 200);
    assert_eq!(device.board.snapshot(), before);
    for name in [
        "C_CreateObject",
        "C_DestroyObject",
        "C_GenerateKeyPair",
        "C_InitToken",
    ] {
        assert!(!calls.iter().any(|call| call == name), "{calls:?}");
    }
    for name in ["C_Initialize", "C_Login", "C_Finalize"] {
        assert_eq!(
            calls.iter().filter(|call| *call == name).count(),
            1,
            "{calls:?}"
        );
    }
}

#[test]
fn check_finds_what_is_wrong_on_the_token() {
    let (_factory, device) = TokenBoard::registered();
    let delete = |kind: &str, id: &str| {
        device
            .hsm
            .tool(LABEL, &["--delete-object", "--type", kind, "--id", id]);
    };
    // fioconfig fails without a public key object.
    delete("pubkey", "01");
    device.check("").expect(78).says(&["public key", "01"]);
    // Another key under the same id.
    delete("privkey", "01");
    device.check("").expect(78).says(&["private key", "01"]);
    device.hsm.make_key(LABEL, "tls", "01", &[]);
    device.check("").expect(78).says(&["another key"]);
    // A key that can be read out.
    delete("pubkey", "01");
    delete("privkey", "01");
    device.hsm.make_key(LABEL, "tls", "01", &["--extractable"]);
    device.check("").expect(78).says(&["can be read out"]);
    delete("cert", "03");
    device.check("").expect(78).says(&["certificate", "03"]);
}

#[test]
fn check_compares_the_certificate_on_the_token() {
    let (factory, device) = TokenBoard::registered();
    let other = TokenBoard::new();
    other.register(&factory, &[]).expect(0);
    device
        .hsm
        .tool(LABEL, &["--delete-object", "--type", "cert", "--id", "03"]);
    let der = device.hsm.path("other.der");
    let pem = other.board.file("client.pem");
    let (pem, der) = (pem.display(), der.display());
    openssl(&format!("x509 -outform DER -in {pem} -out {der}"));
    device.hsm.write_certificate(&der.to_string());
    device.check("").expect(78).says(&["another key"]);
}

#[test]
fn a_software_registration_moves_to_a_token() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    factory.register(&device.board, &[]).expect(0);
    assert!(device.board.file("pkey.pem").exists());
    device.register(&factory, &["--force"]).expect(0);
    assert!(!device.board.file("pkey.pem").exists());
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    device.check("").expect(0);
}

#[test]
fn without_an_so_pin_a_blank_token_stays_blank() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    let mut command = factory.command(&device.board);
    device.hsm.show_to(&mut command);
    command.args(["-m", SOFTHSM, "-P", PIN]);
    device.run(command).expect(69).says(&["--hsm-so-pin"]);
    assert!(device.hsm.labels().is_empty());
    assert!(device.names().is_empty());
}
