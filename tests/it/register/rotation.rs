//! `check`, `--force` and `unregister` on a device whose key the configuration daemon renews, and
//! gateways that do not take its certificate.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use lmp_test_support::answers::{Backend, registered_board};
use lmp_test_support::board::{Board, FILES, run};
use lmp_test_support::gateway::Gateway;
use lmp_test_support::pki::{Ca, KeyPair, device_params};
use lmp_test_support::rotation::{NUMBER, STATE, cut_off, rotated, uuid};
use lmp_test_support::scripted::ScriptedServer;
use rcgen::date_time_ymd;
use serde_json::Value;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A registered board, and the CAs of its backend.
fn registered() -> (Board, Arc<Backend>) {
    let (board, backend) = (Board::new(), Arc::new(Backend::new()));
    let signing = Arc::clone(&backend);
    let server = ScriptedServer::new(move |request| signing.signed(request));
    board.register(&server.url(), [""; 0]).expect(0);
    (board, backend)
}

/// Lets the board talk to this gateway.
fn move_to(board: &Board, gateway: &Gateway) {
    let text = board.text("sota.toml");
    let text = text.replace("https://gateway.example.com:8443", gateway.url());
    fs::write(board.file("sota.toml"), text).unwrap();
}

/// The finding of a check, of which there is one.
#[track_caller]
fn finding<'a>(json: &'a Value, check: &str) -> &'a Value {
    let findings = json["findings"].as_array().unwrap();
    let mut found = findings.iter().filter(|finding| finding["check"] == check);
    let (Some(finding), None) = (found.next(), found.next()) else {
        panic!("{check}: {json}");
    };
    finding
}

/// `client.pem`, the same but for its end.
fn end(board: &Board, backend: &Backend, name: &str, key: &str, year: i32) {
    let mut params = device_params(&uuid(board), "acme");
    params.not_after = date_time_ymd(year, 1, 1);
    let pair = KeyPair::new();
    fs::write(board.file(name), backend.ca.sign(pair.public(), &params)).unwrap();
    fs::write(board.file(key), pair.pem()).unwrap();
}

/// The old key and certificate do not matter any more, also not that they are expired or gone.
#[test]
fn a_renewed_key() {
    let (board, backend) = registered();
    let gateway = Gateway::new(&backend.root, &backend.ca, &[], OK);
    move_to(&board, &gateway);
    rotated(&board, &backend.ca, &uuid(&board));
    end(&board, &backend, "client.pem", "pkey.pem", 2021);
    let json = board.check(["--json"]).expect(0).json();
    assert_eq!(json["gateway_status"], 200);
    for (check, name) in [("certificate", "client"), ("private key", "pkey")] {
        let finding = finding(&json, check);
        assert_eq!(finding["status"], "ok");
        let path = board.file(&format!("{name}.{NUMBER}.pem"));
        assert_eq!(finding["message"], path.to_str().unwrap());
    }
    let request = gateway.end();
    assert!(request.starts_with("GET /repo/1.root.json "), "{request}");
    assert!(request.contains("\nx-ats-tags: main\n"), "{request}");

    for name in ["client.pem", "pkey.pem"] {
        fs::remove_file(board.file(name)).unwrap();
    }
    board.check(["--offline"]).expect(0);
    let key = format!("pkey.{NUMBER}.pem");
    fs::remove_file(board.file(&key)).unwrap();
    let json = board.check(["--offline", "--json"]).expect(78).json();
    assert_eq!(finding(&json, "private key")["status"], "failed");
    assert_eq!(finding(&json, "certificate")["status"], "ok");
    board
        .check(["--offline"])
        .expect(78)
        .says(&[&key, "hint: register again: lmp-device-register --force 1"]);
}

/// Half-way through, the old identity is the one in use.
#[test]
fn a_rotation_that_was_cut_off() {
    let (board, backend) = registered();
    for steps in 0..=4 {
        cut_off(&board, steps);
        let run = board.check(["--offline"]).expect(0);
        let words = format!("key rotation: a rotation of the key is under way, {steps} of 5");
        assert!(run.stdout.contains(&words), "{run}");
        let json = board.check(["--offline", "--json"]).expect(0).json();
        let found = finding(&json, "key rotation");
        assert_eq!(found["status"], "warning");
        assert_eq!(json["warnings"], serde_json::json!([found["message"]]));
    }
    // The rest needs a certificate that the gateway takes, but for the last step.
    end(&board, &backend, "client.pem", "pkey.pem", 2021);
    for (steps, remedy) in [(2, "--force 1"), (4, "fioconfig extract")] {
        cut_off(&board, steps);
        let json = board.check(["--offline", "--json"]).expect(78).json();
        let found = finding(&json, "validity");
        assert!(found["remedy"].as_str().unwrap().contains(remedy), "{json}");
        assert_eq!(finding(&json, "key rotation")["status"], "warning");
    }
    fs::write(board.file(STATE), "{").unwrap();
    let json = board.check(["--offline", "--json"]).expect(78).json();
    let remedy = finding(&json, "key rotation")["remedy"].as_str().unwrap();
    assert!(remedy.starts_with("rm "), "{json}");
}

/// Neither keeps a private key of an identity that is gone, nor what would bring it back.
#[test]
fn nothing_of_a_rotation_outlives_its_registration() {
    let prepared = || {
        let (board, backend) = registered();
        rotated(&board, &backend.ca, &uuid(&board));
        cut_off(&board, 2);
        fs::write(board.file("pkey.7.pem"), "of a rotation before").unwrap();
        fs::write(board.file("pkey.mine.pem"), "not the daemon's").unwrap();
        (board, backend)
    };
    let (board, backend) = prepared();
    let old = uuid(&board);
    let server = ScriptedServer::new(move |request| backend.signed(request));
    let done = board
        .register(&server.url(), ["--force", "--json"])
        .expect(0);
    assert_eq!(done.json()["replaced"], old);
    done.says(&[&format!("Replacing device {old}: delete it")]);
    let mut left = board.names();
    left.retain(|name| name != "pkey.mine.pem");
    assert_eq!(left, FILES);
    board.check(["--offline"]).expect(0);

    let (board, _) = prepared();
    let old = uuid(&board);
    let mut command = board.bare_command();
    command.args(["unregister", "--yes", "--json", "--sota-dir"]);
    command.arg(board.sota()).arg("--update-client-lock");
    command.arg(board.lock());
    let json = run(command).expect(0).json();
    assert_eq!(json["uuid"], old);
    assert_eq!(board.names(), ["pkey.mine.pem"]);
}

/// OpenSSL's alerts: a CA that it does not know, one of the same name, and a time after the end.
#[test]
fn a_gateway_that_does_not_take_the_certificate() {
    let (other, namesake) = (Ca::new("other"), Ca::new("device CA"));
    let late = ["-attime", "5999999999"];
    for version in ["-tls1_2", "-tls1_3"] {
        for (ca, words, why) in [
            (Some(&other), &[][..], "does not know the CA"),
            (Some(&namesake), &[], "cannot verify a signature"),
            (None, &late[..], "says that it is expired"),
        ] {
            let (board, backend) = registered();
            let words = [words, &[version]].concat();
            let ca = ca.unwrap_or(&backend.ca);
            let gateway = Gateway::new(&backend.root, ca, &words, OK);
            move_to(&board, &gateway);
            board.check([""; 0]).expect(77).says(&[
                "does not take this device's certificate",
                why,
                "--force 1",
            ]);
            let json = board.check(["--json"]).expect(77).json();
            assert_eq!(json["error"], "unauthorised");
            assert_eq!(json["uuid"], uuid(&board));
            assert_eq!(finding(&json, "Device Gateway")["status"], "failed");
        }
    }
}

/// What it says is shown, without what would move a cursor, and not without end.
#[test]
fn a_gateway_that_refuses_the_device() {
    let (board, backend) = registered();
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2030\r\n\r\n\x1b[31mdenied by the operator{}",
        "x".repeat(2003)
    );
    let gateway = Gateway::new(&backend.root, &backend.ca, &[], answer.leak());
    move_to(&board, &gateway);
    let run = board.check([""; 0]).expect(77);
    let run = run.says(&["status 403: \\u{1b}[31mdenied by the operatorxxx"]);
    assert!(run.stderr.len() < 1000, "{run}");
}

#[test]
fn what_somebody_should_look_at() {
    let (board, backend) = registered();
    let json = board.check(["--offline", "--json"]).expect(0).json();
    assert_eq!(json["warnings"], serde_json::json!([]));
    let key = board.file("pkey.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let json = board.check(["--offline", "--json"]).expect(0).json();
    let found = finding(&json, "key store");
    assert_eq!(found["status"], "warning");
    assert_eq!(found["remedy"], format!("chmod 600 {key:?}"));

    let mut params = device_params(&uuid(&board), "acme");
    let pair = KeyPair::new();
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(11 * 43_200);
    params.not_after = soon.into();
    let certificate = backend.ca.sign(pair.public(), &params);
    fs::write(board.file("client.pem"), certificate).unwrap();
    fs::write(&key, pair.pem()).unwrap();
    let json = board.check(["--offline", "--json"]).expect(0).json();
    let found = finding(&json, "validity");
    assert_eq!(found["status"], "warning");
    assert!(found["message"].as_str().unwrap().contains("in 5 days"));
}

/// Everything that is wrong is said at once, and the first of it is the exit code.
#[test]
fn all_findings_at_once() {
    let board = registered_board();
    fs::write(board.file("pkey.pem"), KeyPair::new().pem()).unwrap();
    fs::write(board.file("root.crt"), "x").unwrap();
    cut_off(&board, 1);
    let run = board.check([""; 0]).expect(78);
    for line in [
        "ok       directory: ",
        "ok       certificate: ",
        "failed   key of the certificate: ",
        "warning  key rotation: ",
        "failed   root.crt: ",
        "skipped  Device Gateway: because of key of the certificate",
        "Device is registered, and does not work.",
    ] {
        assert!(
            run.stdout.lines().any(|found| found.starts_with(line)),
            "{line}: {run}"
        );
    }
    run.says(&["for another key"]);
    let json = board.check(["--json"]).expect(78).json();
    assert_eq!(json["exit_code"], 78);
    assert_eq!(json["registered"], true);
    assert_eq!(json["findings"].as_array().unwrap().len(), 11);
}
/// As a registration with a relative `--sota-dir` left it: its readers run where it was made.
#[test]
fn names_that_are_relative() {
    let board = registered_board();
    let text = board.text("sota.toml");
    let text = text.replace(board.sota().to_str().unwrap(), "sota");
    fs::write(board.file("sota.toml"), text).unwrap();
    let mut command = board.bare_command();
    command.args(["check", "--offline", "--sota-dir", "sota"]);
    command.current_dir(board.path(""));
    run(command).expect(0);
}
