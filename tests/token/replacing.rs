//! `--force`, leftovers, and the old registration that works until its successor does.

use lmp_test_support::board::{JOURNAL, Run};
use lmp_test_support::factory::Factory;
use lmp_test_support::token::{LABEL, PIN, SOFTHSM, TokenBoard, registration, succeed};
use lmp_test_support::tools::openssl;

#[test]
fn force_alternates_between_the_ids() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.hsm.make_key(LABEL, "other", "05", &[]);
    let with_other = |mut objects: Vec<String>| {
        objects.extend(["private key other 05".into(), "public key other 05".into()]);
        objects.sort();
        objects
    };
    device.register(&factory, &[]).expect(0);
    device.register(&factory, &[]).expect(10);
    for (key, certificate) in [("07", "09"), ("01", "03"), ("07", "09")] {
        let run = device.register(&factory, &["--force"]).expect(0);
        assert!(!run.stderr.contains("stays on"), "{run}");
        assert_eq!(
            device.hsm.objects(),
            with_other(registration(key, certificate))
        );
        let text = device.board.text("sota.toml");
        assert!(text.contains(&format!("tls_pkey_id = \"{key}\"")), "{text}");
        assert!(
            text.contains(&format!("tls_clientcert_id = \"{certificate}\"")),
            "{text}"
        );
        device.check("").expect(0);
    }
}

#[test]
fn leftovers_are_an_error_that_lists_them() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.hsm.make_key(LABEL, "tls", "01", &[]);
    let before = device.hsm.objects();
    device.register(&factory, &[]).expect(69).says(&[
        "private key \"tls\" id 01",
        "public key \"tls\" id 01",
        "--force 1",
    ]);
    assert_eq!(device.hsm.objects(), before);
    assert!(device.names().is_empty());
    assert!(factory.server.devices().unwrap().is_empty());
    device.register(&factory, &["--force"]).expect(0);
    assert_eq!(device.hsm.objects(), registration("07", "03"));
    device.check("").expect(0);
}

/// A certificate of somebody, DER, in a file.
fn some_certificate(device: &TokenBoard) -> String {
    let path = device.hsm.path("some.der");
    let key = device.hsm.path("some.pem");
    openssl(&format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=old -outform DER \
         -keyout {} -out {}",
        key.display(),
        path.display()
    ));
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_leftover_certificate() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let der = some_certificate(&device);
    device.hsm.write_certificate(&der);
    device
        .register(&factory, &[])
        .expect(69)
        .says(&["certificate \"client\" id 03"]);
    assert!(device.names().is_empty());
    device.register(&factory, &["--force"]).expect(0);
    assert_eq!(device.hsm.objects(), registration("01", "09"));
    device.check("").expect(0);
}

/// Consumers look for id and class only: a stranger's key under id 01 is in the way.
#[test]
fn ids_that_a_stranger_uses() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.hsm.make_key(LABEL, "stranger", "01", &[]);
    device.register(&factory, &[]).expect(0);
    let objects = device.hsm.objects();
    assert!(
        objects.contains(&"private key tls 07".to_owned()),
        "{objects:?}"
    );
    assert!(
        objects.contains(&"private key stranger 01".to_owned()),
        "{objects:?}"
    );
    device.check("").expect(0);

    let device = TokenBoard::new();
    for id in ["01", "07"] {
        device.hsm.make_key(LABEL, "stranger", id, &[]);
    }
    let before = device.hsm.objects();
    for arguments in [&[][..], &["--force"]] {
        device
            .register(&factory, arguments)
            .expect(69)
            .says(&["01 and 07", "stranger"]);
        assert_eq!(device.hsm.objects(), before);
    }
}

/// fioconfig was cut off in a rotation: both ids are taken, and `sota.toml` names one of them.
#[test]
fn the_pair_that_is_in_use_stays_until_the_end() {
    let (factory, device) = TokenBoard::registered();
    device.hsm.make_key(LABEL, "tls", "07", &[]);
    let run = device.register_odd(&factory, "fail=C_GenerateKeyPair:31", &["--force"]);
    run.expect(69);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    device.check("").expect(0);
    device.hsm.make_key(LABEL, "tls", "07", &[]);
    device.register(&factory, &["--force"]).expect(0);
    assert_eq!(device.hsm.objects(), registration("07", "09"));
    device.check("").expect(0);
}

/// The old registration works after every failure.
#[test]
fn a_forced_run_that_fails_destroys_nothing() {
    let (factory, device) = TokenBoard::registered();
    let old = registration("01", "03");
    let files = device.board.snapshot();

    for (odd, code) in [
        ("fail=C_GenerateKeyPair:31", 69),
        ("fail=C_SignInit:6", 69),
        ("fail=C_Sign:6", 69),
        ("implied-public,fail=C_CreateObject:31", 69),
        ("flags=20000", 77),
    ] {
        let run = device.register_odd(&factory, odd, &["--force"]);
        // The module is another one by path; that is no reason to stop, and none to lose anything.
        run.expect(code);
        assert_eq!(device.hsm.objects(), old, "{odd}");
        assert_eq!(device.board.snapshot(), files, "{odd}");
        device.check("").expect(0);
    }

    // A token of the API that is refused.
    let wrong = device.hsm.path("wrong");
    std::fs::write(&wrong, "wrong\n").unwrap();
    let mut command = device.board.local_command();
    device.hsm.show_to(&mut command);
    command.env("DEVICE_API", factory.device_api());
    command.arg("--ca-file").arg(factory.server.ca_file());
    command.arg("--api-token-file").arg(wrong);
    command.args(["--force", "--retry-for", "0", "-m", SOFTHSM]);
    command.args(["-P", lmp_test_support::token::PIN]);
    device.run(command).expect(77);
    assert_eq!(device.hsm.objects(), old);
    assert_eq!(device.board.snapshot(), files);
    device.check("").expect(0);

    // The certificate does not fit: the journal waits, the old pair is in use, and the next run
    // finishes.
    let run = device.register_odd(&factory, "fail=C_CreateObject:31", &["--force"]);
    run.expect(69);
    assert_eq!(device.board.snapshot_of_files(), files);
    let run = device.check("").expect(0);
    assert!(run.stdout.contains("waits to be finished"), "{run}");
    device.register_odd(&factory, "", &["--force"]).expect(0);
    assert_eq!(device.hsm.objects(), registration("07", "09"));
    device.check("").expect(0);
}

/// What cannot be removed after the commit is removed by the next run, and only then.
#[test]
fn old_objects_that_stay_are_removed_by_the_next_run() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.register_odd(&factory, "", &[]).expect(0);
    let run = device.register_odd(&factory, "fail=C_DestroyObject:30", &["--force"]);
    run.expect(0).says(&["warning", "did not remove"]);
    device.check("").expect(0);
    assert_eq!(device.hsm.objects().len(), 6);
    assert!(device.names().contains(&JOURNAL.to_owned()));
    device.register_odd(&factory, "", &["--force"]).expect(0);
    assert_eq!(device.hsm.objects(), registration("07", "09"));
    assert!(!device.names().contains(&JOURNAL.to_owned()));
    assert_eq!(factory.server.devices().unwrap().len(), 2);
    device.check("").expect(0);
}

/// If fioconfig has renewed the key meanwhile, the clean-up must not take its new pair away.
#[test]
fn a_late_clean_up_spares_a_renewed_key() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.register_odd(&factory, "", &[]).expect(0);
    let run = device.register_odd(&factory, "fail=C_DestroyObject:30", &["--force"]);
    run.expect(0);
    let path = device.board.file("sota.toml");
    let text = device.board.text("sota.toml");
    let renewed = text.replace("tls_pkey_id = \"07\"", "tls_pkey_id = \"01\"");
    std::fs::write(&path, &renewed).unwrap();
    let before = device.hsm.objects();
    device.register_odd(&factory, "", &["--force"]).expect(0);
    assert_eq!(device.hsm.objects(), before);
    assert_eq!(device.board.text("sota.toml"), renewed);
}

/// Nobody else would ever remove it: the new sota.toml does not name the token any more.
#[test]
fn an_old_pair_that_stays_on_its_token_is_named() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.hsm.initialise("other one");
    device.register(&factory, &[]).expect(0);
    let to_other = ["--force", "--hsm-token-label", "other one"];
    let run = device.register(&factory, &to_other).expect(0);
    let left = |run: &Run| {
        let line = run.stderr.lines().find(|line| line.contains("stays on"));
        line.map(str::to_owned)
    };
    let line = left(&run).unwrap_or_else(|| panic!("{run}"));
    assert!(line.contains("\"aktualizr\""), "{run}");

    let mut command = factory.command(&device.board);
    device.hsm.show_to(&mut command);
    command.arg("--force");
    let run = device.run(command).expect(0);
    let line = left(&run).unwrap_or_else(|| panic!("{run}"));
    for word in ["\"other one\"", SOFTHSM, "key id 07", "certificate id 09"] {
        assert!(line.contains(word), "{word}: {run}");
    }
    assert_eq!(device.hsm.objects_on("other one"), registration("07", "09"));
    // What it says to do does it.
    let (_, commands) = line.split_once("remove it: ").unwrap();
    for command in commands.split(" && ") {
        let mut shell = std::process::Command::new("/bin/sh");
        device.hsm.show_to(&mut shell);
        shell.args(["-c", &format!("{command} --pin {PIN}")]);
        succeed(shell);
    }
    assert!(device.hsm.objects_on("other one").is_empty());

    // A software key after a software key leaves nothing on a token.
    let mut command = factory.command(&device.board);
    command.arg("--force");
    let run = device.run(command).expect(0);
    assert_eq!(left(&run), None, "{run}");
}
