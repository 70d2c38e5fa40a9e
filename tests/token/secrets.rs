//! Nothing but `sota.toml`, mode 600, ever holds a PIN.

use std::process::Command;

use lmp_test_support::board::{JOURNAL, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::token::{PIN, SO_PIN, SOFTHSM, TokenBoard, odd_module};
use lmp_test_support::tools::under;

fn pin_files(device: &TokenBoard, command: &mut Command) {
    for (option, secret) in [("--hsm-pin-file", PIN), ("--hsm-so-pin-file", SO_PIN)] {
        let path = device.hsm.path(option);
        std::fs::write(&path, secret).unwrap();
        command.arg(option).arg(path);
    }
}

#[test]
fn no_program_that_is_started_sees_a_pin() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    device
        .board
        .install_program("systemctl", "#!/bin/sh\nexec /usr/bin/env\n");
    let trace = device.hsm.path("trace");
    let token = device.board.path("token");
    std::fs::write(&token, factory.server.api_token().unwrap()).unwrap();
    let mut inner = device.board.command(factory.device_api());
    device.hsm.show_to(&mut inner);
    inner.arg("--ca-file").arg(factory.server.ca_file());
    inner.args(["--json", "--verbose"]);
    inner.args(["--hsm-module", SOFTHSM]);
    let strace = format!("-f -v -s 100000 -e trace=execve -o {}", trace.display());
    let mut command = under("/usr/bin/strace", strace.split_whitespace(), &inner);
    command
        .env("LMP_HSM_PIN", PIN)
        .env("LMP_HSM_SO_PIN", SO_PIN);
    let run = device.run(command).expect(0);
    assert_eq!(run.json()["registered"], true);
    let text = std::fs::read_to_string(&trace).unwrap();
    let calls: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("execve("))
        .collect();
    // The first one is the agent itself, which was given them.
    assert!(calls[0].contains(PIN), "{calls:?}");
    let systemctl = calls.iter().find(|call| call.contains("systemctl"));
    assert!(systemctl.is_some(), "{calls:?}");
    for call in &calls[1..] {
        assert!(!call.contains(PIN) && !call.contains(SO_PIN), "{call}");
    }
    assert_eq!(device.pin_holders(), ["sota.toml"]);
}

#[test]
fn no_run_says_a_pin_or_leaves_one_in_its_journal() {
    let factory = Factory::new();
    for (odd, code, holders) in [
        ("fail=C_Login:a0", 77, &[][..]),
        ("fail=C_GenerateKeyPair:31", 69, &[]),
        ("gone-after=C_GenerateKeyPair", 69, &[]),
        ("fail=C_Sign:30", 69, &[]),
        ("fail=C_InitToken:30", 69, &[]),
        ("fail=C_InitPIN:a2", 77, &[]),
        ("fail=C_CreateObject:31", 69, &[JOURNAL]),
        ("", 0, &["sota.toml"]),
    ] {
        let device = TokenBoard::blank();
        let mut command = factory.command(&device.board);
        device.make_odd(&mut command, odd);
        command.arg("--hsm-module").arg(odd_module());
        command.args(["--json", "--verbose"]);
        pin_files(&device, &mut command);
        // `run` looks for PINs in everything that was said, and at the modes of files.
        device.run(command).expect(code).json();
        assert_eq!(device.pin_holders(), holders);
    }
}

#[test]
fn wrong_options_do_not_quote_a_pin() {
    let device = TokenBoard::new();
    let uri = format!("pkcs11:token=aktualizr?pin-value={PIN}");
    for arguments in [
        &["--hsm-pin", PIN, "--hsm-pin-file", "/x"][..],
        &["--hsm-pin", PIN, "--no-such-option"],
        &["--hsm-pin", PIN, "--hsm-pin", PIN],
        &["--hsm-module", &uri],
        &["--hsm-module", &format!("{uri}%zz")],
        &["--hsm-module", &format!("{uri}&pin-value={PIN}")],
    ] {
        let mut command = device.board.local_command();
        command.args(arguments).args(["--json", "--verbose"]);
        let run = run(command);
        assert!(matches!(run.code, Some(64 | 78)), "{run}");
        assert!(!format!("{run}").contains(PIN), "{run}");
    }
    assert!(device.names().is_empty());
}
