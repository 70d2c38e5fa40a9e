use std::time::Duration;

use super::*;

/// Each as `name: outcome`.
fn findings(sota_dir: &Path) -> Vec<String> {
    let second = Duration::from_secs(1);
    let timeouts = Timeouts {
        connect: second,
        read: second,
        request: second,
    };
    let words = |finding: Finding| match finding.status {
        Status::Skipped => format!("{}: {}", finding.check, finding.message),
        status => format!("{}: {}", finding.check, status.name()),
    };
    let found = check(sota_dir, true, timeouts).findings;
    found.into_iter().map(words).collect()
}

#[test]
fn each_check_needs_earlier_ones_only() {
    for (index, Check(name, needs, _)) in CHECKS.iter().enumerate() {
        let is_earlier = |name: &str| {
            CHECKS[..index]
                .iter()
                .any(|Check(earlier, ..)| *earlier == name)
        };
        assert!(!is_earlier(name), "{name} stands twice");
        assert!(needs.iter().all(|need| is_earlier(need)), "{name}");
    }
}

/// A failure stops only what needs it, and what is skipped names what failed first.
#[test]
fn all_of_them_are_made() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        findings(directory.path()),
        [
            "directory: ok",
            "sota.toml: failed",
            "key store: because of sota.toml",
            "certificate: because of sota.toml",
            "private key: because of sota.toml",
            "key of the certificate: because of sota.toml",
            "key rotation: ok",
            "validity: because of sota.toml",
            "root.crt: because of sota.toml",
            "interrupted registration: ok",
            "Device Gateway: because of sota.toml",
        ]
    );
    let gone = findings(&directory.path().join("gone"));
    assert_eq!(gone[0], "directory: failed");
    assert!(
        gone[1..]
            .iter()
            .all(|words| words.ends_with(": because of directory"))
    );
}
