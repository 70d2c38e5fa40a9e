//! What a registration leaves in its directory, and what the gateway says to it.

use std::fs;
use std::os::unix::fs::symlink;

use lmp_test_support::board::{Board, FILES, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::tools::{openssl, output, tool, under};

fn root_metadata(factory: &Factory) -> String {
    format!("{}/repo/1.root.json", factory.server.urls().gateway)
}

/// The status that the gateway gives to curl with the files on the disk.
fn ask_with_curl(factory: &Factory, board: &Board) -> String {
    let file = |name| board.file(name).to_str().unwrap().to_owned();
    let line = format!(
        "-sS --max-time 60 -o /dev/null -w %{{http_code}} --cacert {} --cert {} --key {} {}",
        file("root.crt"),
        file("client.pem"),
        file("pkey.pem"),
        root_metadata(factory)
    );
    tool("curl", line.split_whitespace())
}

#[test]
fn over_https() {
    registers(&Factory::new());
}

#[test]
fn over_plain_http() {
    registers(&Factory::plain());
}

fn registers(factory: &Factory) {
    let board = Board::new();
    let run = factory
        .register(&board, &["-n", "front door", "-g", "grp"])
        .expect(0);
    assert_eq!(board.names(), FILES);
    for name in FILES {
        let mode = if name == "pkey.pem" { 0o600 } else { 0o644 };
        assert_eq!(board.mode(name), mode, "{name}");
    }
    board.assert_token_was_not_kept();
    assert!(
        !board.lock().exists(),
        "the update client's lock file is not ours to make"
    );
    assert!(
        run.stdout.starts_with("Device is now registered.\n"),
        "{run}"
    );

    let devices = factory.server.devices().unwrap();
    assert_eq!(devices.len(), 1);
    let device = &devices[0];
    assert_eq!(
        (device.name.as_str(), device.group.as_deref()),
        ("front door", Some("grp"))
    );
    assert!(run.stdout.contains(&device.uuid), "{run}");

    assert_eq!(ask_with_curl(factory, &board), "200");
    board.check([""; 0]).expect(0);
    agrees_with_openssl(&board, &device.uuid);
}

/// Key, certificate and chain fit together, as OpenSSL sees it.
fn agrees_with_openssl(board: &Board, uuid: &str) {
    let file = |name| board.file(name).to_str().unwrap().to_owned();
    let key = board.text("pkey.pem");
    assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----\n"), "SEC1");
    let (key, certificate) = (file("pkey.pem"), file("client.pem"));
    let of_key = openssl(&format!("pkey -in {key} -pubout"));
    let of_certificate = openssl(&format!("x509 -in {certificate} -noout -pubkey"));
    assert_eq!(of_key, of_certificate);
    let subject = format!("x509 -in {certificate} -noout -subject -nameopt RFC2253");
    assert_eq!(
        openssl(&subject).trim(),
        format!("subject=OU=acme,CN={uuid}")
    );
    assert!(
        board
            .text("client.chained")
            .starts_with(&board.text("client.pem"))
    );
    assert_eq!(
        board
            .text("client.pem")
            .matches("BEGIN CERTIFICATE")
            .count(),
        1
    );
}

#[test]
fn a_production_device() {
    let (factory, board) = (Factory::new(), Board::new());
    let run = factory.register(&board, &["-p", "--json"]).expect(0);
    assert_eq!(run.json()["production"], true);
    assert!(factory.server.devices().unwrap()[0].production);
    let path = board.file("client.pem");
    let text = openssl(&format!("x509 -in {} -noout -subject", path.display()));
    assert!(text.contains("businessCategory = production"), "{text}");
}

/// `sota.toml` starts the daemons that read everything else: it appears when all the rest is
/// complete, and nothing that they read is ever half-written. Seen from outside by strace.
#[test]
fn sota_toml_appears_last() {
    let (factory, board) = (Factory::plain(), Board::new());
    let inner = factory.command(&board);
    let log = board.path("strace.log");
    let strace = format!(
        "-f -qq -y -e trace=rename,renameat,renameat2,fsync,linkat,link -o {}",
        log.display()
    );
    let strace = strace.split_whitespace();
    run(under("/usr/bin/strace", strace, &inner)).expect(0);
    let log = fs::read_to_string(log).unwrap();
    let sota = board.sota().to_str().unwrap();
    // Renames into the directory itself, not into the journal.
    let target = format!("<{sota}>, \"");
    let appeared: Vec<(usize, &str)> = log
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("renameat"))
        .filter_map(|(number, line)| {
            let (_, rest) = line.rsplit_once(&target)?;
            Some((number, rest.split('"').next()?))
        })
        .collect();
    let mut names: Vec<&str> = appeared.iter().map(|(_, name)| *name).collect();
    assert_eq!(names.last(), Some(&"sota.toml"), "{log}");
    let (last, before_last) = (appeared[4].0, appeared[3].0);
    let flushed = log.lines().take(last).skip(before_last);
    let flush = format!("<{sota}>)");
    assert!(
        flushed
            .into_iter()
            .any(|line| line.contains("fsync(") && line.contains(&flush)),
        "the other names are on the disk first: {log}"
    );
    names.sort_unstable();
    assert_eq!(names, FILES);
}

/// A new registration leaves nothing of the old one behind, above all not the update client's
/// database, which names the old keys.
#[test]
fn a_forced_registration_replaces_everything() {
    let (factory, board) = (Factory::new(), Board::new());
    factory.register(&board, &[]).expect(0);
    let before = board.snapshot();
    for name in ["sql.db", "sql.db-wal", "sql.db-shm"] {
        fs::write(board.file(name), "old").unwrap();
    }
    fs::write(board.file("mine.txt"), "a file of the operator").unwrap();
    fs::create_dir(board.file("compose-apps")).unwrap();
    factory.register(&board, &["--force"]).expect(0);

    let mut names: Vec<String> = FILES.map(str::to_owned).to_vec();
    names.extend(["compose-apps".into(), "mine.txt".into()]);
    names.sort();
    assert_eq!(board.names(), names);
    let after = board.snapshot();
    for name in ["client.pem", "client.chained", "pkey.pem"] {
        assert_ne!(before[name], after[name], "{name}");
    }
    assert_eq!(ask_with_curl(&factory, &board), "200");
    assert_eq!(factory.server.devices().unwrap().len(), 2);
}

/// A directory that is reached through a link is as good as any.
#[test]
fn a_link_to_the_directory() {
    let (factory, board) = (Factory::plain(), Board::new());
    let link = board.path("link");
    symlink(board.sota(), &link).unwrap();
    let board = board.with_sota(link);
    factory.register(&board, &[]).expect(0);
    assert_eq!(board.names(), FILES);
}

/// A registration is for one key: without it the certificate opens nothing.
#[test]
fn the_gateway_refuses_who_has_no_certificate() {
    let (factory, board) = (Factory::new(), Board::new());
    factory.register(&board, &[]).expect(0);
    assert_eq!(ask_with_curl(&factory, &board), "200", "it is there");
    let root = board.file("root.crt");
    let (root, url) = (root.display(), root_metadata(&factory));
    let line = format!("-sS --max-time 60 --cacert {root} {url}");
    let curl = output("curl", line.split_whitespace());
    assert!(!curl.status.success());
}
