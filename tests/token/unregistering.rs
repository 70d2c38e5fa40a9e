//! `unregister` takes the registration's objects off the token, and no others.

use std::process::Command;

use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::token::{LABEL, PIN, TokenBoard, registration};

fn unregister(device: &TokenBoard, arguments: &[&str]) -> Command {
    let mut command = device.board.bare_command();
    command.args(["unregister", "--yes", "--sota-dir"]);
    command.arg(device.board.sota()).args(arguments);
    command.arg("--update-client-lock");
    command.arg(device.board.lock());
    device.hsm.show_to(&mut command);
    command
}

#[test]
fn only_the_objects_of_the_registration_go() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.hsm.make_key(LABEL, "other", "05", &[]);
    let before = device.hsm.objects();
    device.register(&factory, &[]).expect(0);
    assert_ne!(device.hsm.objects(), before);
    device.run(unregister(&device, &[])).expect(0);
    assert_eq!(device.hsm.objects(), before);
    assert!(device.names().is_empty());
    device.register(&factory, &[]).expect(0);
    device.check("").expect(0);
}

#[test]
fn a_token_that_is_gone_keeps_nothing_registered_against_its_owners_will() {
    let (_factory, device) = TokenBoard::registered();
    let mut command = unregister(&device, &[]);
    command.env("SOFTHSM2_CONF", "/nonexistent");
    let names = device.names();
    device.run(command).expect(69).says(&["--keep-token"]);
    assert_eq!(device.names(), names, "nothing is removed by halves");
    device.run(unregister(&device, &["--keep-token"])).expect(0);
    assert!(device.names().is_empty());
    assert_eq!(device.hsm.objects(), registration("01", "03"));
}

#[test]
fn a_key_of_an_interrupted_registration_goes_too() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    // The backend answers 201 with a body that cannot be used, so the journal stays.
    let server = ScriptedServer::new(|request| match request.method.as_str() {
        "HEAD" => Answer::whole(401, b""),
        _ => Answer::whole(201, b"{}"),
    });
    let mut command = device.command(&factory);
    command.env("DEVICE_API", server.url());
    device.run(command).expect(65);
    assert!(!device.hsm.objects().is_empty());
    device
        .run(unregister(&device, &[]))
        .expect(78)
        .says(&["--hsm-pin-file"]);
    let mut command = unregister(&device, &[]);
    command.env("LMP_HSM_PIN", PIN);
    device.run(command).expect(0);
    assert!(device.hsm.objects().is_empty());
    assert!(device.names().is_empty());
}
