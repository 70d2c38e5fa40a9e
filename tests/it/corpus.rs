//! Replays the fuzzer's corpus, crashes that it once found among it, without the fuzzer.

#[path = "../../fuzz/inputs.rs"]
mod inputs;

use std::fs;

use lmp_test_support::repository;

fn replay(target: &str, at_least: usize, run: fn(&[u8])) {
    let directory = repository("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}")) {
        let path = entry.unwrap().path();
        // Names the input of a panic in the test's output.
        eprintln!("{path:?}");
        run(&fs::read(path).unwrap());
        count += 1;
    }
    assert!(count >= at_least, "{directory:?} holds {count} inputs only");
}

#[test]
fn answers() {
    replay("answer", 10, inputs::answer);
}

#[test]
fn certificates() {
    replay("certificate", 10, inputs::certificate);
}

#[test]
fn configurations() {
    replay("sota_toml", 10, inputs::sota_toml);
}

#[test]
fn releases() {
    replay("os_release", 5, inputs::os_release);
}

#[test]
fn pkcs11_uris() {
    replay("pkcs11_uri", 10, inputs::pkcs11_uri);
}

#[test]
fn hsm_files() {
    replay("hsm_file", 8, inputs::hsm_file);
}
