//! The journal in a directory of its own: what is read back, whatever was cut off.

#![allow(clippy::disallowed_methods, reason = "a test plants files")]

use std::fs;

use super::*;
use crate::key::pkcs11::Ids;

const TOKEN: &str = "/m.so";

fn plan(key: KeyPlace) -> Planned {
    Planned {
        identity: Identity {
            uuid: "first".into(),
            uuid_origin: UuidOrigin::Generated,
            factory: "acme".into(),
            production: false,
            device_api: "https://x/".into(),
        },
        key,
        replaces: false,
    }
}

fn on_token() -> KeyPlace {
    KeyPlace::Token(TokenPlace {
        module: TOKEN.into(),
        label: "aktualizr".into(),
        serial: "1".into(),
        ids: Ids {
            key: 1,
            certificate: 3,
        },
        supersedes: false,
    })
}

fn file(name: &str, text: &str) -> ReceivedFile {
    ReceivedFile {
        name: name.into(),
        text: text.into(),
        private: false,
    }
}

fn asked() -> Asked {
    Asked {
        name: "board".into(),
        sha256: None,
    }
}

fn directory() -> (tempfile::TempDir, Directory) {
    let dir = tempfile::tempdir().unwrap();
    let sota = Directory::open(dir.path()).unwrap();
    (dir, sota)
}

/// A journal that came to the end.
fn received(sota: &Directory) -> Journal<'_> {
    let mut journal = Journal::begin(sota, plan(KeyPlace::Software)).unwrap();
    journal
        .key_ready("csr".into(), Some("a key\nof lines\n".into()))
        .unwrap();
    journal.sent().unwrap();
    journal
        .take_new_uuid("second".into(), "csr 2".into())
        .unwrap();
    let files = vec![file("client.pem", "cert\n"), file(CONFIGURATION, "[tls]\n")];
    journal
        .receive(asked(), files, vec!["sql.db".into()])
        .unwrap();
    journal
}

#[test]
fn what_was_noted_is_read_back() {
    let (dir, sota) = directory();
    let journal = received(&sota);
    let record = Journal::load(&sota).unwrap().unwrap();
    assert_eq!(record.record(), journal.record());
    assert_eq!(record.record().orphans, ["first"]);
    assert_eq!(record.record().plan.identity.uuid, "second");
    let names: Vec<_> = record
        .record()
        .files()
        .into_iter()
        .map(|f| f.name)
        .collect();
    assert_eq!(names, ["pkey.pem", "client.pem", "sota.toml"]);
    fs::write(dir.path().join("sql.db"), "old").unwrap();
    let mut journal = record;
    journal.install().unwrap();
    assert!(!dir.path().join("sql.db").exists());
    let key = fs::read_to_string(dir.path().join("pkey.pem")).unwrap();
    assert_eq!(key, "a key\nof lines\n");
    // A journal that a power cut brings back is only cleaned up.
    let again = Journal::load(&sota).unwrap().unwrap();
    assert!(matches!(again.record().progress, Progress::Installed(..)));
    again.close().unwrap();
    assert!(Journal::load(&sota).unwrap().is_none());
    assert!(!is_there(&sota).unwrap());
}

/// Before the request leaves nothing is written for a key in memory, and one flush of the file does.
#[test]
fn nothing_is_on_the_disk_that_nobody_needs_there() {
    let (_dir, sota) = directory();
    let mut journal = Journal::begin(&sota, plan(KeyPlace::Software)).unwrap();
    journal.key_ready("csr".into(), Some("key".into())).unwrap();
    assert!(!is_there(&sota).unwrap());
    journal.sent().unwrap();
    let found = Journal::peek(&sota).unwrap().unwrap();
    assert!(matches!(found.progress, Progress::Sent(_)));
    let (_dir, sota) = directory();
    let _journal = Journal::begin(&sota, plan(on_token())).unwrap();
    let found = Journal::peek(&sota).unwrap().unwrap();
    assert_eq!(found.progress, Progress::Planned);
}

/// Cut off after any byte, or with any byte changed: what is read is what an earlier step had
/// promised, and a file that was changed is never installed.
#[test]
fn a_journal_that_was_cut_off_or_changed() {
    let (dir, sota) = directory();
    let whole = received(&sota).record().clone();
    let path = dir.path().join(FILE);
    let text = fs::read(&path).unwrap();
    let mut seen = 0;
    for end in 0..=text.len() {
        fs::write(&path, &text[..end]).unwrap();
        let record = Journal::peek(&sota).unwrap();
        let stage = match record.as_ref().map(|record| &record.progress) {
            None => 0,
            Some(Progress::Planned) => 1,
            Some(Progress::KeyReady(_)) => 2,
            Some(Progress::Sent(_)) => 3,
            Some(_) => 4,
        };
        assert!(stage >= seen, "{end} bytes");
        seen = stage;
        assert_eq!(record == Some(whole.clone()), end == text.len());
    }
    assert_eq!(seen, 4);
    for index in 0..text.len() {
        let mut changed = text.clone();
        changed[index] ^= 1;
        fs::write(&path, &changed).unwrap();
        if let Ok(Some(record)) = Journal::peek(&sota) {
            assert_ne!(record.progress, whole.progress, "byte {index}");
        }
    }
}

/// What is behind the end is overwritten by what comes next.
#[test]
fn it_goes_on_behind_what_was_cut_off() {
    let (dir, sota) = directory();
    let mut journal = Journal::begin(&sota, plan(on_token())).unwrap();
    journal.key_ready("csr".into(), None).unwrap();
    let path = dir.path().join(FILE);
    let mut text = fs::read(&path).unwrap();
    text.extend(
        b"{\"event\":\"sent\"} and a torn, much longer rest of what was begun to be written",
    );
    fs::write(&path, &text).unwrap();
    let mut journal = Journal::load(&sota).unwrap().unwrap();
    assert!(matches!(journal.record().progress, Progress::KeyReady(_)));
    journal.sent().unwrap();
    let found = Journal::load(&sota).unwrap().unwrap();
    assert!(matches!(found.record().progress, Progress::Sent(_)));
}

/// Orphans are remembered until a registration could name them.
#[test]
fn orphans_survive_a_run_that_gives_up() {
    let (_dir, sota) = directory();
    let mut journal = Journal::begin(&sota, plan(KeyPlace::Software)).unwrap();
    journal.key_ready("csr".into(), Some("key".into())).unwrap();
    journal.sent().unwrap();
    let mut journal = Journal::load(&sota).unwrap().unwrap();
    let mut other = plan(KeyPlace::Software);
    other.identity.uuid = "other".into();
    journal.begin_anew(other).unwrap();
    journal
        .key_ready("csr".into(), Some("key 2".into()))
        .unwrap();
    journal.sent().unwrap();
    assert_eq!(journal.record().orphans, ["first"]);
    journal.abandon(false).unwrap();
    journal.close().unwrap();
    let left = Journal::load(&sota).unwrap().unwrap();
    assert_eq!(left.record().orphans, ["first"]);
    assert_eq!(left.record().progress, Progress::Planned);
}

/// Whoever can write here must not make a run, as root, write or remove anything else.
#[test]
fn a_planted_journal() {
    let (dir, sota) = directory();
    for (name, remove) in [
        ("../evil", None),
        ("client.pem", Some("/etc/passwd")),
        ("pkey.pem", None),
        ("client.pem", Some("..")),
    ] {
        let record = Record {
            plan: plan(KeyPlace::Software),
            orphans: Vec::new(),
            progress: Progress::Received(
                Request {
                    csr: String::new(),
                    software_key: Some("key".into()),
                },
                Installation {
                    asked: asked(),
                    files: vec![file(name, "x")],
                    remove: remove.into_iter().map(str::to_owned).collect(),
                    replaces: None,
                },
            ),
        };
        let text = entry::rewrite(&record).unwrap();
        fs::write(dir.path().join(FILE), &*text).unwrap();
        let error = Journal::load(&sota).unwrap_err();
        assert!(error.full_message().contains("is damaged"), "{error}");
    }
    for plant in [
        (|path| fs::create_dir(path).unwrap()) as fn(&std::path::Path),
        |path| std::os::unix::fs::symlink("/etc/passwd", path).unwrap(),
        |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
    ] {
        let path = dir.path().join(FILE);
        discard(&sota).unwrap();
        plant(&path);
        let error = Journal::load(&sota).unwrap_err();
        assert!(error.hint_text().unwrap().contains("unregister"), "{error}");
        discard(&sota).unwrap();
        assert!(!is_there(&sota).unwrap());
    }
}

/// What version 0.1.0 left, as it wrote it.
fn version1(dir: &std::path::Path, phase: &str, files: &[(&str, &str)]) {
    let folder = dir.join(DIRECTORY);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let staged: Vec<_> = files
        .iter()
        .map(|(name, text)| {
            if !name.contains('/') {
                fs::write(folder.join(name), text).unwrap();
            }
            serde_json::json!({ "name": name, "sha256": sha256(text.as_bytes()) })
        })
        .collect();
    let state = serde_json::json!({
        "version": 1, "phase": phase, "device_api": "http://127.0.0.1:48391/", "factory": "acme",
        "production": false, "uuid_origin": "given", "key": "software", "replaces": false,
        "request": {
            "use-ostree-server": "true", "sota-config-dir": "sota", "hardware-id": "hw",
            "name": "board", "uuid": "67e67bf8-6f72-481d-a05e-bcf2784dd584", "csr": "a request",
            "overrides": { "pacman": { "tags": "\"main\"" } }, "group": "grp"
        },
        "orphans": ["older"],
        "installation": { "files": staged, "remove": ["sql.db"] }
    });
    fs::write(folder.join("state.json"), state.to_string()).unwrap();
}

#[test]
fn a_journal_of_version_0_1_0_is_gone_on_with() {
    const KEY: (&str, &str) = ("pkey.pem", "a key");
    let (dir, sota) = directory();
    let load = |phase: &str, files: &[(&str, &str)]| {
        discard(&sota).unwrap();
        version1(dir.path(), phase, files);
        assert_eq!(
            Journal::peek(&sota).unwrap().as_ref(),
            Some(Journal::load(&sota).unwrap().unwrap().record())
        );
        // It is read as one of ours from now on.
        let found = Journal::load(&sota).unwrap().unwrap();
        assert_eq!(found.record().orphans, ["older"]);
        found.record().clone()
    };
    let sent = load("sent", &[KEY]);
    let Progress::Sent(request) = &sent.progress else {
        panic!("{sent:?}");
    };
    assert_eq!(request.csr, "a request");
    assert_eq!(request.software_key.as_ref().unwrap().expose(), "a key");
    assert!(!dir.path().join(DIRECTORY).exists());
    assert_eq!(load("key-ready", &[]).progress, Progress::Planned);
    assert_eq!(load("planned", &[]).progress, Progress::Planned);

    let files = [KEY, ("client.pem", "c"), ("sota.toml", "[tls]\n")];
    let received = load("received", &files);
    assert_eq!(received.files().len(), 3);
    assert!(matches!(received.progress, Progress::Received(..)));
    // Half of it was moved, and one file was spoilt: it is asked for again.
    version1(dir.path(), "received", &files);
    let folder = dir.path().join(DIRECTORY);
    discard(&sota).unwrap();
    version1(dir.path(), "received", &files);
    fs::rename(folder.join("pkey.pem"), dir.path().join("pkey.pem")).unwrap();
    let moved = Journal::peek(&sota).unwrap().unwrap();
    assert!(matches!(moved.progress, Progress::Received(..)));
    fs::write(folder.join("client.pem"), "").unwrap();
    let spoilt = Journal::peek(&sota).unwrap().unwrap();
    assert!(matches!(spoilt.progress, Progress::Sent(_)));

    discard(&sota).unwrap();
    version1(dir.path(), "received", &[KEY, ("../x", "x")]);
    assert!(Journal::load(&sota).is_err());
    discard(&sota).unwrap();
    version1(dir.path(), "installed", &[]);
    let complete = Journal::load(&sota).unwrap().unwrap();
    assert!(matches!(
        complete.record().progress,
        Progress::Installed(..)
    ));
    complete.close().unwrap();
    assert!(!is_there(&sota).unwrap());
}
