//! What a registration may cost: counted, never timed. Instructions are `make bench`'s.

use std::fs;

use lmp_test_support::board::{Board, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::tools::under;

/// What a registration with a software key did.
struct Cost {
    calls: usize,
    flushes: usize,
    threads: usize,
    connections: usize,
    /// Read every file of the directory of CAs.
    directory: bool,
}

/// A registration at `factory` under this name, on a device with its whole trust store.
fn cost(factory: &Factory, host: &str) -> Cost {
    let board = Board::new();
    fs::write(board.path("token"), factory.server.api_token().unwrap()).unwrap();
    let url = factory.device_api().replace("localhost", host);
    let mut command = board.command(&url);
    command.args(["--start-daemon=0", "--retry-for=0"]);
    let bundle = board.path("bundle.pem");
    let ca = fs::read(factory.server.ca_file()).unwrap_or_default();
    let cas = fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap();
    fs::write(&bundle, [cas, ca].concat()).unwrap();
    command.env("SSL_CERT_FILE", bundle);
    command.env("SSL_CERT_DIR", "/etc/ssl/certs");
    let trace = board.path("trace");
    let words = [
        "-f",
        "-qq",
        "-e",
        "signal=none",
        "-o",
        trace.to_str().unwrap(),
    ];
    run(under("/usr/bin/strace", words, &command)).expect(0);
    let trace = fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> = trace
        .lines()
        .filter(|line| !line.contains(" resumed>") && !line.contains("+++"))
        // Rust's library looks at every descriptor that it closes where assertions are on.
        .filter(|line| !line.contains("F_GETFD)"))
        .filter_map(|line| line.split_once(' '))
        .map(|(_, call)| call.trim_start())
        .collect();
    let count = |names: &[&str]| {
        let is_one = |call: &&&str| {
            call.split_once('(')
                .is_some_and(|(name, _)| names.contains(&name))
        };
        calls.iter().filter(is_one).count()
    };
    let to_network = |call: &&&str| call.starts_with("connect(") && call.contains("AF_INET");
    Cost {
        calls: calls.len(),
        flushes: count(&["fsync", "fdatasync", "syncfs", "sync"]),
        threads: count(&["clone", "clone3", "fork", "vfork"]),
        connections: calls.iter().filter(to_network).count(),
        directory: calls.iter().any(|call| call.contains("\"/etc/ssl/certs\"")),
    }
}

#[test]
fn a_registration() {
    for (factory, most) in [(Factory::new(), 250), (Factory::plain(), 220)] {
        let Cost {
            calls,
            flushes,
            threads,
            connections,
            directory,
        } = cost(&factory, "127.0.0.1");
        assert!(
            (100..=most).contains(&calls),
            "{calls} system calls of {most}"
        );
        assert!((1..=10).contains(&flushes), "{flushes} flushes");
        assert_eq!((threads, connections), (0, 1));
        assert!(!directory, "the bundle is enough");
    }
    // A name is looked up on a thread of its own.
    assert_eq!(cost(&Factory::plain(), "localhost").threads, 1);
}
