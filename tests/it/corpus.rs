//! Replays the fuzzer's corpus, crashes that it once found among it, without the fuzzer.

#[path = "../../fuzz/inputs.rs"]
mod inputs;

use std::fs;

use lmp_test_support::repository;

/// What is done with the inputs of a folder, of which there are at least so many.
type Replay = (&'static str, usize, fn(&[u8]));

#[test]
fn every_input() {
    let all: [Replay; 6] = [
        ("answer", 10, inputs::answer),
        ("certificate", 10, inputs::certificate),
        ("sota_toml", 10, inputs::sota_toml),
        ("os_release", 5, inputs::os_release),
        ("pkcs11_uri", 10, inputs::pkcs11_uri),
        ("hsm_file", 8, inputs::hsm_file),
    ];
    for (target, at_least, replay) in all {
        let folder = repository("fuzz/corpus").join(target);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut count = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            // Names the input of a panic in the test's output.
            eprintln!("{path:?}");
            replay(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count >= at_least, "{folder:?} holds {count} inputs only");
    }
    // A new folder must be replayed, too.
    let folders = fs::read_dir(repository("fuzz/corpus")).unwrap().count();
    assert_eq!(folders, all.len());
}
