//! What fails half way: exit code, objects that are left, and the run after it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use lmp_test_support::answers::Backend;
use lmp_test_support::board::{JOURNAL, Run};
use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use lmp_test_support::token::{LABEL, PIN, SOFTHSM, TokenBoard, odd_module, registration, spy};

/// Registers at a scripted server.
fn register_at(device: &TokenBoard, url: &str, arguments: &[&str]) -> Run {
    let mut command = device.board.command(url);
    device.hsm.show_to(&mut command);
    command.args([
        "--start-daemon",
        "0",
        "--retry-for",
        "0",
        "-m",
        SOFTHSM,
        "-P",
        PIN,
    ]);
    command.args(arguments);
    device.run(command)
}

/// A server that answers the probe well, and a registration as told.
fn server(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::new(move |request| match request.method.as_str() {
        "HEAD" => Answer::whole(401, b""),
        _ => answer(request),
    })
}

#[test]
fn an_unreachable_backend_is_found_before_a_key_is_made() {
    let device = TokenBoard::new();
    let mut command = device.board.command("http://127.0.0.1:1/");
    device.hsm.show_to(&mut command);
    command
        .args(["--retry-for", "0", "-P", PIN, "-m"])
        .arg(spy());
    let (run, calls) = device.spied(command, Path::new(SOFTHSM));
    run.expect(75);
    for call in ["C_Login", "C_OpenSession", "C_GenerateKeyPair"] {
        assert!(!calls.iter().any(|name| name == call), "{calls:?}");
    }
    let broken = ScriptedServer::always(Answer::whole(503, b""));
    register_at(&device, &broken.url(), &[])
        .expect(75)
        .says(&["503"]);
    assert_eq!(broken.only_request().method, "HEAD");
    assert!(device.names().is_empty());
}

#[test]
fn the_probe_takes_every_answer_below_500() {
    for status in [200, 301, 401, 404, 405, 429] {
        let backend = Backend::new();
        let server = ScriptedServer::new(move |request| match request.method.as_str() {
            "HEAD" => Answer::whole(status, b""),
            _ => backend.signed(request),
        });
        let device = TokenBoard::new();
        register_at(&device, &server.url(), &[]).expect(0);
    }
}

#[test]
fn a_refusal_leaves_nothing() {
    for (status, code) in [(400, 76), (401, 77), (403, 77), (404, 76), (409, 76)] {
        let server = server(move |_| Answer::whole(status, b"no"));
        let device = TokenBoard::new();
        device.hsm.make_key("aktualizr", "other", "05", &[]);
        let before = device.hsm.objects();
        register_at(&device, &server.url(), &[]).expect(code);
        assert_eq!(device.hsm.objects(), before, "{status}");
        assert!(device.names().is_empty(), "{status}");
    }
}

/// An answer that is of no use.
type Spoil = fn(&Backend, &Request) -> Answer;

/// The backend may have signed: the next run asks again with the same key.
#[test]
fn an_answer_that_is_lost_or_spoiled_is_asked_for_again() {
    let spoiled: [(Spoil, i32); 4] = [
        (|_, _| Answer::whole(500, b""), 75),
        (|_, _| Answer::Close(Vec::new()), 75),
        (|_, _| Answer::whole(201, b"<html></html>"), 65),
        (
            |backend, request| {
                let certificate = backend.certificate_of_another_key(request);
                Answer::json(201, &backend.files_with(request, &certificate))
            },
            65,
        ),
    ];
    for (spoil, code) in spoiled {
        let backend = Backend::new();
        let good = Arc::new(AtomicU16::new(0));
        let turn = Arc::clone(&good);
        let server = server(move |request| match turn.load(Ordering::SeqCst) {
            0 => spoil(&backend, request),
            _ => backend.signed(request),
        });
        let device = TokenBoard::new();
        register_at(&device, &server.url(), &[]).expect(code);
        assert_eq!(device.names(), [JOURNAL]);
        assert_eq!(
            device.hsm.objects(),
            registration("01", "03")[1..],
            "only the keys"
        );
        good.store(1, Ordering::SeqCst);
        register_at(&device, &server.url(), &[]).expect(0);
        assert_eq!(device.hsm.objects(), registration("01", "03"));
        let bodies: Vec<_> = server
            .requests()
            .into_iter()
            .filter(|request| request.method == "POST")
            .map(|request| request.body)
            .collect();
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[0], bodies[1], "the same device, key and CSR");
        assert!(!device.names().contains(&JOURNAL.to_owned()));
    }
}

#[test]
fn a_full_token_at_key_generation_leaves_nothing() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let run = device.register_odd(&factory, "fail=C_GenerateKeyPair:31", &[]);
    run.expect(69).says(&["CKR_DEVICE_MEMORY", "full"]);
    assert!(device.hsm.objects().is_empty());
    assert!(device.names().is_empty());
    assert!(factory.server.devices().unwrap().is_empty());
}

#[test]
fn a_token_that_does_not_sign_leaves_nothing() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let run = device.register_odd(&factory, "fail=C_Sign:6", &[]);
    run.expect(69)
        .says(&["did not sign", "CKR_FUNCTION_FAILED"]);
    assert!(device.hsm.objects().is_empty());
    assert!(device.names().is_empty());
}

#[test]
fn a_public_key_that_cannot_be_stored_leaves_nothing() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let run = device.register_odd(&factory, "implied-public,fail=C_CreateObject:31", &[]);
    run.expect(69).says(&["public key", "CKR_DEVICE_MEMORY"]);
    assert!(device.hsm.objects().is_empty());
    assert!(device.names().is_empty());
}

/// The device is known to the backend: the journal finishes it without any network.
#[test]
fn a_full_token_at_the_certificate_is_finished_offline() {
    let device = TokenBoard::new();
    let factory = Factory::new();
    let run = device.register_odd(&factory, "fail=C_CreateObject:31", &[]);
    run.expect(69).says(&["certificate", "full"]);
    assert_eq!(device.names(), [JOURNAL]);
    assert_eq!(device.hsm.objects(), registration("01", "03")[1..]);
    let mut again = device.board.command(factory.device_api());
    drop(factory);
    again.args(["--start-daemon", "0", "--retry-for", "0"]);
    again.arg("--hsm-module").arg(odd_module());
    again.args(["--hsm-pin", PIN]);
    device.make_odd(&mut again, "");
    device.run(again).expect(0);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    assert_eq!(
        device.names(),
        ["client.chained", "client.pem", "root.crt", "sota.toml"]
    );
}

/// The journal names what the token may hold, although nobody could remove it.
#[test]
fn a_token_removed_half_way_is_cleaned_up_by_the_next_run() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    for gone in ["C_GenerateKeyPair", "C_SignInit"] {
        let odd = format!("gone-after={gone}");
        let run = device.register_odd(&factory, &odd, &[]);
        run.expect(69)
            .says(&["CKR_DEVICE_REMOVED", "put the token back", "next run"]);
        assert_eq!(device.hsm.objects(), registration("01", "03")[1..]);
        assert_eq!(device.names(), [JOURNAL]);
        assert!(factory.server.devices().unwrap().is_empty());
    }
    device.register_odd(&factory, "", &[]).expect(0);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    assert_eq!(factory.server.devices().unwrap().len(), 1);
}

/// With a software key, another token, or without its key, it is another registration: the next run
/// begins that one, and names what is left.
#[test]
fn an_interrupted_registration_whose_key_is_elsewhere() {
    let interrupted = || {
        let (device, backend) = (TokenBoard::new(), Backend::new());
        let server = server(move |request| match request.number {
            0 | 1 => Answer::whole(500, b""),
            _ => backend.signed(request),
        });
        register_at(&device, &server.url(), &[]).expect(75);
        let posts = server.requests();
        let uuid = posts.last().unwrap().json()["uuid"]
            .as_str()
            .unwrap()
            .to_owned();
        (device, server, uuid)
    };
    let (device, server, uuid) = interrupted();
    let objects = device.hsm.objects();
    let mut software = device.board.command(&server.url());
    software.args(["--start-daemon", "0", "--retry-for", "0"]);
    let run = device.run(software).expect(0);
    assert!(
        run.stdout.contains(&format!("orphan:      {uuid}")),
        "{run}"
    );
    run.says(&[
        "stays on the token",
        "--delete-object --type privkey --id 01",
    ]);
    assert_eq!(device.hsm.objects(), objects);

    let (device, server, uuid) = interrupted();
    device.hsm.initialise("other");
    let run = register_at(&device, &server.url(), &["--hsm-token-label", "other"]).expect(0);
    assert!(
        run.stdout.contains(&format!("orphan:      {uuid}")),
        "{run}"
    );
    assert_eq!(device.hsm.objects_on("other"), registration("01", "03"));

    let (device, server, uuid) = interrupted();
    for kind in ["privkey", "pubkey"] {
        device
            .hsm
            .tool(LABEL, &["--delete-object", "--type", kind, "--id", "01"]);
    }
    let run = register_at(&device, &server.url(), &[]).expect(0);
    assert!(
        run.stdout.contains(&format!("orphan:      {uuid}")),
        "{run}"
    );
    assert_eq!(device.hsm.objects(), registration("01", "03"));
}
