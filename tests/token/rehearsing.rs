//! `--dry-run` with a token: says which one it would be, or why there is none, and leaves it alone.

use std::path::Path;
use std::process::Command;

use lmp_test_support::board::{Run, snapshot_of};
use lmp_test_support::factory::Factory;
use lmp_test_support::token::{LABEL, PIN, SOFTHSM, TokenBoard, odd_module, spy};

const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";

/// Runs a rehearsal: neither the token nor the board is another one afterwards.
#[track_caller]
fn rehearse(device: &TokenBoard, mut command: Command, code: i32) -> Run {
    command.arg("--dry-run");
    let before = (snapshot_of(&device.hsm.path("")), device.board.snapshot());
    let run = device.run(command).expect(code);
    let after = (snapshot_of(&device.hsm.path("")), device.board.snapshot());
    assert!(before == after, "something was changed: {run}");
    run
}

#[test]
fn the_token_that_would_be_used() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let run = rehearse(&device, device.command(&factory), 0);
    assert!(run.stdout.contains(" a random "), "{run}");
    let line = format!("  token:    {LABEL:?}, serial \"");
    assert!(run.stdout.contains(&line), "{run}");
    let mut json = device.command(&factory);
    json.arg("--json");
    let token = rehearse(&device, json, 0).json()["token"].clone();
    assert_eq!(
        (&token["label"], &token["blank"]),
        (&LABEL.into(), &false.into())
    );
    assert!(factory.server.devices().unwrap().is_empty());

    // Once it is registered, for its successor too.
    device.register(&factory, &[]).expect(0);
    rehearse(&device, device.command(&factory), 10);
    let mut command = device.command(&factory);
    command.arg("--force");
    let run = rehearse(&device, command, 0);
    assert!(run.stdout.contains(&line), "{run}");
    device.check("").expect(0);
}

#[test]
fn a_blank_one_that_would_be_initialised() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    let run = rehearse(&device, device.command(&factory), 0);
    let line = format!("  token:    a blank one, initialised as {LABEL:?}\n");
    assert!(run.stdout.contains(&line), "{run}");
    assert!(device.hsm.labels().is_empty());

    let mut command = factory.command(&device.board);
    device.hsm.show_to(&mut command);
    command.args(["--hsm-module", SOFTHSM, "--hsm-pin", PIN]);
    let run = rehearse(&device, command, 69);
    run.says(&["security officer PIN", "hint: give --hsm-so-pin-file"]);
}

/// A try is never spent, and no session is opened.
#[test]
fn nothing_is_asked_of_the_token() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let mut command = device.command_with(&factory, &spy());
    command.arg("--dry-run");
    let (run, calls) = device.spied(command, Path::new(SOFTHSM));
    run.expect(0);
    let known = [
        "C_GetInterface",
        "C_GetInterfaceList",
        "C_GetFunctionList",
        "C_Initialize",
        "C_GetSlotList",
        "C_GetSlotInfo",
        "C_GetTokenInfo",
        "C_Finalize",
    ];
    for call in &calls {
        assert!(known.contains(&call.as_str()), "{calls:?}");
    }
    assert!(calls.contains(&"C_GetTokenInfo".to_owned()), "{calls:?}");
}

#[test]
fn why_there_is_none() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let missing = device.command_with(&factory, Path::new("/nowhere/module.so"));
    rehearse(&device, missing, 78).says(&["there is no PKCS#11 library \"/nowhere/module.so\""]);

    let odd = |odd: &str, more: &[&str]| {
        let mut command = device.command_with(&factory, odd_module());
        device.make_odd(&mut command, odd);
        command.args(more);
        command
    };
    // CKF_USER_PIN_LOCKED, CKF_USER_PIN_FINAL_TRY, CKF_WRITE_PROTECTED.
    rehearse(&device, odd("flags=40000", &[]), 77).says(&["locked"]);
    rehearse(&device, odd("flags=20000", &[]), 77).says(&["--hsm-allow-final-try"]);
    let run = rehearse(&device, odd("flags=20000", &["--hsm-allow-final-try"]), 0);
    run.says(&["warning: "]);
    rehearse(&device, odd("flags=2", &[]), 69).says(&["write protected"]);

    // The UUID of the slot's description would be the device's.
    let described = format!("description=A slot with {UUID} in it");
    let run = rehearse(&device, odd(&described, &[]), 0);
    assert!(run.stdout.contains(UUID), "{run}");

    device.hsm.initialise(LABEL);
    rehearse(&device, device.command(&factory), 69).says(&["2 tokens are labelled"]);
}
