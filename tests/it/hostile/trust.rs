//! Whom the agent trusts as a server.

use std::process::Command;

use lmp_test_support::answers::signing_server;
use lmp_test_support::board::{Board, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::pki::Ca;
use lmp_test_support::tools::openssl;

/// A registration at `factory` that is told nothing about whom to trust.
fn trusting_nobody(factory: &Factory, board: &Board) -> Command {
    let mut command = board.command(factory.device_api());
    command.args(["--start-daemon=0"]);
    command
}

/// The same with the factory's own token, so that trust alone decides.
pub(super) fn with_token(factory: &Factory, board: &Board) -> Command {
    std::fs::write(board.path("token"), factory.server.api_token().unwrap()).unwrap();
    trusting_nobody(factory, board)
}

#[test]
fn a_server_of_an_unknown_ca() {
    let (factory, board) = (Factory::new(), Board::new());
    let stranger = board.path("stranger.pem");
    std::fs::write(&stranger, Ca::new("stranger").pem()).unwrap();

    // The system's own store does not know the factory's CA, and neither does another file.
    let system = with_token(&factory, &board);
    let mut file = with_token(&factory, &board);
    file.arg("--ca-file").arg(&stranger);
    let mut variable = with_token(&factory, &board);
    variable.env("SSL_CERT_FILE", &stranger);
    for mut command in [system, file, variable] {
        // Trying again would not mend it.
        command.arg("--retry-for=600");
        let run = run(command).expect(78);
        assert!(!run.stderr.contains("trying again"), "{run}");
        run.says(&[
            "cannot connect to",
            "UnknownIssuer",
            "hint: give --ca-file FILE",
            "SSL_CERT_FILE",
        ]);
        assert!(
            board.names().is_empty(),
            "the backend cannot know this device"
        );
    }
    assert!(factory.server.devices().unwrap().is_empty());
}

#[test]
fn every_way_to_name_a_ca() {
    let factory = Factory::new();
    let ca = factory.server.ca_file();
    let board = Board::new();
    let mut command = with_token(&factory, &board);
    run({
        command.arg("--ca-file").arg(&ca);
        command
    })
    .expect(0);

    let board = Board::new();
    let mut command = with_token(&factory, &board);
    run({
        command.env("SSL_CERT_FILE", &ca);
        command
    })
    .expect(0);

    // OpenSSL's layout: a directory of files named by the hash of their subject.
    let board = Board::new();
    let dir = board.path("certs");
    std::fs::create_dir(&dir).unwrap();
    let hash = openssl(&format!("x509 -noout -hash -in {}", ca.display()));
    std::fs::copy(&ca, dir.join(format!("{}.0", hash.trim()))).unwrap();
    let mut command = with_token(&factory, &board);
    run({
        command.env("SSL_CERT_DIR", &dir);
        command
    })
    .expect(0);
    // A bundle, as every device has one, and the CA in a directory only; and the other way round.
    for (in_bundle, in_directory) in [(None, Some(&ca)), (Some(&ca), None)] {
        let board = Board::new();
        let stranger = board.path("stranger.pem");
        std::fs::write(&stranger, Ca::new("stranger").pem()).unwrap();
        let dir = board.path("certs");
        std::fs::create_dir(&dir).unwrap();
        std::fs::copy(in_directory.unwrap_or(&stranger), dir.join("factory.crt")).unwrap();
        let mut command = with_token(&factory, &board);
        command.env("SSL_CERT_FILE", in_bundle.unwrap_or(&stranger));
        command.env("SSL_CERT_DIR", format!("/nonexistent:{}", dir.display()));
        run(command).expect(0);
    }
    assert_eq!(factory.server.devices().unwrap().len(), 5);
}

/// Also where nobody speaks TLS: the file that somebody named is wrong, and the next address may be
/// another one.
#[test]
fn a_ca_file_that_is_none() {
    for url in ["https://127.0.0.1:1/", "http://127.0.0.1:1/"] {
        let board = Board::new();
        let path = board.path("ca.pem");
        let register = |words: &str| {
            for more in [&[][..], &["--dry-run"]] {
                let file = ["--ca-file", path.to_str().unwrap()];
                let run = board.register(url, [&file, more].concat());
                assert!(board.names().is_empty());
                run.expect(78).says(&["ca.pem", words]);
            }
        };
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, words) in [
            (&b""[..], "holds no certificate"),
            (b"\xff\xfe", "UTF-8"),
            (damaged.as_bytes(), "damaged"),
        ] {
            std::fs::write(&path, text).unwrap();
            register(words);
        }
        std::fs::remove_file(&path).unwrap();
        register("No such file");
    }
}

#[test]
fn a_server_under_another_name() {
    let (factory, board) = (Factory::new(), Board::new());
    let mut command = with_token(&factory, &board);
    // The certificate holds localhost and 127.0.0.1, and Linux answers on all of 127/8.
    let url = factory.device_api().replace("localhost", "127.0.0.1");
    command
        .env("DEVICE_API", url)
        .arg("--ca-file")
        .arg(factory.server.ca_file());
    run(command).expect(0);

    let factory = Factory::with(|options| options.api_listen = "127.0.0.2:0".parse().unwrap());
    let board = Board::new();
    let mut command = with_token(&factory, &board);
    let url = factory.device_api().replace("localhost", "127.0.0.2");
    command
        .env("DEVICE_API", url)
        .arg("--ca-file")
        .arg(factory.server.ca_file())
        .arg("--retry-for=600");
    let run = run(command).expect(78);
    run.says(&[
        "cannot connect to",
        "hint: the server is not the one that the address names",
    ]);
    assert!(board.names().is_empty());
}

/// No CA is asked for where no TLS is spoken.
#[test]
fn plain_http_needs_no_ca() {
    let (server, board) = (signing_server(), Board::new());
    let mut command = board.command(&server.url());
    command.args(["--start-daemon=0", "--retry-for=0"]);
    command
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent");
    run(command).expect(0);
}

#[test]
fn a_device_without_any_ca() {
    let (factory, board) = (Factory::new(), Board::new());
    let mut command = with_token(&factory, &board);
    command
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent");
    run(command)
        .expect(78)
        .says(&["no CA certificates to trust", "hint: give --ca-file FILE"]);
    assert!(board.names().is_empty());
}
