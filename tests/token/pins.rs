//! PINs: where they come from, and when none is spent.

use std::path::Path;
use std::process::Command;

use lmp_test_support::board::Run;
use lmp_test_support::factory::Factory;
use lmp_test_support::token::{
    LABEL, PIN, SO_PIN, SOFTHSM, TokenBoard, odd_module, registration, spy,
};

const COUNT_LOW: &str = "flags=10000";
const FINAL_TRY: &str = "flags=20000";
const LOCKED: &str = "flags=40000";

/// A registration with the spy, and no PIN given.
fn spied_command(device: &TokenBoard, factory: &Factory) -> Command {
    let mut command = factory.command(&device.board);
    device.hsm.show_to(&mut command);
    command.arg("--hsm-module").arg(spy());
    command
}

fn logins(calls: &[String]) -> usize {
    calls.iter().filter(|call| *call == "C_Login").count()
}

#[test]
fn a_wrong_pin_is_spent_exactly_once() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let mut command = spied_command(&device, &factory);
    command.args(["--hsm-pin", "00000000", "--hsm-so-pin", SO_PIN]);
    let (run, calls) = device.spied(command, Path::new(SOFTHSM));
    let run = run.expect(77).says(&["CKR_PIN_INCORRECT", "no other"]);
    assert!(!run.stderr.contains("00000000"), "{run}");
    assert_eq!(logins(&calls), 1, "{calls:?}");
    assert!(device.hsm.flags(LABEL).contains("user PIN count low"));
    assert!(device.names().is_empty());
    // The next run warns, and the right PIN ends the matter.
    device
        .register(&factory, &[])
        .expect(0)
        .says(&["warning", "few tries"]);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
}

#[test]
fn a_pin_of_impossible_length_is_not_spent() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    for pin in ["123", &"1".repeat(256)] {
        let mut command = spied_command(&device, &factory);
        command.args(["--hsm-pin", pin]);
        let (run, calls) = device.spied(command, Path::new(SOFTHSM));
        run.expect(77).says(&["length", "no try was spent"]);
        assert_eq!(logins(&calls), 0, "{calls:?}");
    }
    assert!(!device.hsm.flags(LABEL).contains("count low"));
    // The same for the PINs of a blank token, which then stays blank.
    let blank = TokenBoard::blank();
    for (pin, so_pin) in [("123", SO_PIN), (PIN, "123")] {
        let mut command = spied_command(&blank, &factory);
        command.args(["--hsm-pin", pin, "--hsm-so-pin", so_pin]);
        let (run, calls) = blank.spied(command, Path::new(SOFTHSM));
        run.expect(77).says(&["length"]);
        assert!(!calls.iter().any(|call| call == "C_InitToken"), "{calls:?}");
    }
    assert!(blank.hsm.labels().is_empty());
}

/// Runs with flags that the module adds; the calls that came to it.
fn with_flags(
    device: &TokenBoard,
    factory: &Factory,
    flags: &str,
    more: &[&str],
) -> (Run, Vec<String>) {
    let mut command = spied_command(device, factory);
    command.args(["--hsm-pin", PIN, "--hsm-so-pin", SO_PIN]);
    command.args(more);
    device.make_odd(&mut command, flags);
    device.spied(command, odd_module())
}

#[test]
fn flags_are_read_before_a_login() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    for (flags, code, more, words) in [
        (
            FINAL_TRY,
            77,
            &[][..],
            &["one more wrong", "--hsm-allow-final-try"][..],
        ),
        (LOCKED, 77, &[], &["locked", "--init-pin"]),
        (LOCKED, 77, &["--hsm-allow-final-try"], &["locked"]),
        ("flags=100", 69, &[], &["protected authentication path"]),
        ("flags=2", 69, &[], &["write protected"]),
    ] {
        let (run, calls) = with_flags(&device, &factory, flags, more);
        run.expect(code).says(words);
        assert_eq!(logins(&calls), 0, "{flags}: {calls:?}");
    }
    assert!(device.names().is_empty());
    assert!(device.hsm.objects().is_empty());
    let (run, calls) = with_flags(&device, &factory, FINAL_TRY, &["--hsm-allow-final-try"]);
    run.expect(0).says(&["warning"]);
    assert_eq!(logins(&calls), 1, "{calls:?}");

    let device = TokenBoard::new();
    let (run, _) = with_flags(&device, &factory, COUNT_LOW, &[]);
    run.expect(0).says(&["warning", "few tries"]);
}

#[test]
fn check_spends_no_final_try() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.register_odd(&factory, "", &[]).expect(0);
    device.check("").expect(0);
    device.check(FINAL_TRY).expect(77).says(&["one more wrong"]);
    device.check(LOCKED).expect(77).says(&["locked"]);
    let run = device.check(COUNT_LOW).expect(0);
    assert!(run.stdout.contains("few tries"), "{run}");
}

/// The flags of the security officer's PIN count when it is the one that is spent.
#[test]
fn flags_of_the_security_officer() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    device.hsm.half_initialise();
    for (flags, word) in [
        ("flags=200000", "one more wrong"),
        ("flags=400000", "locked"),
    ] {
        let (run, calls) = with_flags(&device, &factory, flags, &[]);
        run.expect(77).says(&["security officer PIN", word]);
        // The user's login told that there is no user PIN yet; the officer's never came.
        assert_eq!(logins(&calls), 1, "{calls:?}");
    }
    let mut command = spied_command(&device, &factory);
    command.args(["--hsm-pin", PIN, "--hsm-so-pin", "99999999"]);
    let (run, calls) = device.spied(command, Path::new(SOFTHSM));
    run.expect(77)
        .says(&["security officer PIN", "CKR_PIN_INCORRECT"]);
    assert_eq!(logins(&calls), 2, "{calls:?}");
    // A token that has its user PIN needs no officer: its flags do not matter.
    let device = TokenBoard::new();
    let (run, _) = with_flags(&device, &factory, "flags=400000", &[]);
    run.expect(0);
}

/// Gives both PINs to a command in one way.
type Source<'a> = dyn Fn(&TokenBoard, &mut Command) + 'a;

#[test]
fn every_source_of_a_pin() {
    let factory = Factory::new();
    let write = |device: &TokenBoard, name: &str, text: &str| {
        let path = device.hsm.path(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let sources: [&Source<'_>; 4] = [
        &|device, command| {
            command.arg("--hsm-pin-file").arg(write(
                device,
                "pin",
                &format!("{PIN}\nsecond line\n"),
            ));
            command
                .arg("--hsm-so-pin-file")
                .arg(write(device, "so", &format!("{SO_PIN}\r\n")));
        },
        &|_, command| {
            command
                .env("LMP_HSM_PIN", PIN)
                .env("LMP_HSM_SO_PIN", SO_PIN);
        },
        &|device, command| {
            write(device, "hsm-pin", PIN);
            write(device, "hsm-so-pin", SO_PIN);
            command.env("CREDENTIALS_DIRECTORY", device.hsm.path(""));
        },
        // The option is before a variable, and a variable before a credential.
        &|device, command| {
            command.args(["--hsm-pin", PIN]);
            command
                .env("LMP_HSM_PIN", "00000000")
                .env("LMP_HSM_SO_PIN", SO_PIN);
            write(device, "hsm-so-pin", "00000000");
            command.env("CREDENTIALS_DIRECTORY", device.hsm.path(""));
        },
    ];
    for source in sources {
        let device = TokenBoard::blank();
        let mut command = factory.command(&device.board);
        device.hsm.show_to(&mut command);
        command.args(["--verbose", "--hsm-module", SOFTHSM]);
        source(&device, &mut command);
        let run = device.run(command).expect(0);
        assert!(run.stderr.contains("hsm-pin = \"[secret]\""), "{run}");
        assert_eq!(device.hsm.objects(), registration("01", "03"));
    }
}

#[test]
fn the_api_token_as_a_credential() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let token = factory.server.api_token().unwrap();
    std::fs::write(device.hsm.path("api-token"), format!("{token}\n")).unwrap();
    let mut command = device.board.local_command();
    command.env("DEVICE_API", factory.device_api());
    command.arg("--ca-file").arg(factory.server.ca_file());
    command.env("CREDENTIALS_DIRECTORY", device.hsm.path(""));
    command.args(["--start-daemon", "0", "--retry-for", "0"]);
    let run = device.run(command).expect(0);
    assert!(!format!("{run}").contains(token), "{run}");
}

#[test]
fn what_the_consumers_cannot_read_is_refused_before_anything_happens() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    for pin in [
        "1234\"5678",
        "1234\\5678",
        "1234\n5678",
        " 12345678",
        "12345678\t",
        "",
    ] {
        let mut command = factory.command(&device.board);
        device.hsm.show_to(&mut command);
        command.args(["-m", SOFTHSM, "-S", SO_PIN, "-P", pin]);
        let run = device.run(command).expect(78);
        assert!(pin.is_empty() || !run.stderr.contains(pin), "{run}");
    }
    for label in ["a\"b", "a\\b", " a", &"x".repeat(33)] {
        let run = device.register(&factory, &["--hsm-token-label", label]);
        run.expect(78).says(&["label"]);
    }
    assert!(device.hsm.labels().is_empty());
    assert!(device.names().is_empty());
}

/// An editor's byte order mark, or a mark that came with a copy, would spend a try.
#[test]
fn a_pin_with_a_character_that_nobody_sees() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let path = device.hsm.path("pin");
    for pin in [
        format!("\u{feff}{PIN}"),
        format!("{PIN}\u{200b}"),
        PIN.replace("pin", "p\u{ad}in"),
        PIN.replace("pin", "\u{a0}pin"),
    ] {
        std::fs::write(&path, format!("{pin}\n")).unwrap();
        let uri = format!(
            "pkcs11:?module-path={SOFTHSM}&pin-source=file:{}",
            path.display()
        );
        let file = path.to_str().unwrap();
        for arguments in [
            &["-m", SOFTHSM, "-P", &pin][..],
            &["-m", SOFTHSM, "--hsm-pin-file", file],
            &["-m", SOFTHSM, "-P", PIN, "--hsm-so-pin-file", file],
            &["-m", &uri],
        ] {
            let mut command = factory.command(&device.board);
            device.hsm.show_to(&mut command);
            command.args(arguments);
            device
                .run(command)
                .expect(78)
                .says(&["nobody sees", "hint: "]);
        }
    }
    assert!(!device.hsm.flags(LABEL).contains("count low"));
}

/// The incumbent's wrapper then silently made a software key.
#[test]
fn a_pin_without_a_module_is_no_software_key() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    for adjust in [
        (|command| command.args(["--hsm-pin", PIN])) as fn(&mut Command) -> &mut Command,
        |command| command.args(["--hsm-so-pin", SO_PIN]),
        |command| command.env("LMP_HSM_PIN", PIN),
        |command| command.args(["--hsm-token-label", "x"]),
        |command| command.args(["--hsm-allow-final-try"]),
    ] {
        let mut command = factory.command(&device.board);
        adjust(&mut command);
        device.run(command).expect(78).says(&["--hsm-module"]);
    }
    let mut command = factory.command(&device.board);
    command.args(["--hsm-module", SOFTHSM]);
    device
        .run(command)
        .expect(78)
        .says(&["user PIN is missing"]);
    assert!(device.names().is_empty());
}
