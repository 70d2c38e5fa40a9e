//! The decision as a table: how far a run came, what has changed since, what the next one does.

use std::path::{Path, PathBuf};

use super::super::request::asked;
use super::*;
use crate::board::update_client::is_running;
use crate::key::pkcs11::Ids;
use crate::secret::Secret;
use crate::settings::{BUILD, BuildDefaults, settings_of, update_client};
use crate::sota::journal::{Installation, Planned, Request, TokenPlace};

const RANDOM: &str = "11111111-1111-4111-8111-111111111111";
const CHOSEN: &str = "22222222-2222-4222-8222-222222222222";

fn settings(words: &[&str]) -> Settings {
    let needed = [["-f", "acme"], ["-i", "hw"], ["-t", "main"], ["-T", "tok"]];
    let missing = needed.into_iter().filter(|[name, _]| !words.contains(name));
    settings_of(&[&missing.flatten().collect::<Vec<_>>(), words].concat())
}

const FREE: HostFacts = HostFacts {
    registered_by: None,
    update_client_running: false,
};

fn registered() -> HostFacts {
    HostFacts {
        registered_by: Some(PathBuf::from("/var/sota/client.pem")),
        ..FREE
    }
}

/// The record of a run with these options that came so far.
fn record(words: &[&str], far: Far, replaces: bool) -> Record {
    let settings = settings(words);
    let key = match &settings.key {
        KeySetting::Software => KeyPlace::Software,
        KeySetting::Token(token) => KeyPlace::Token(TokenPlace {
            module: token.module.clone(),
            label: token.choice.label.clone(),
            serial: "5e71a1".into(),
            ids: Ids {
                key: 1,
                certificate: 3,
            },
            supersedes: false,
        }),
    };
    let request = Request {
        csr: "csr".into(),
        software_key: (key == KeyPlace::Software).then(|| Secret::from("key")),
    };
    let identity = identity(&settings, None, RANDOM.into());
    let installation = Installation {
        asked: asked(&settings, &identity).unwrap(),
        files: Vec::new(),
        remove: Vec::new(),
        replaces: None,
    };
    Record {
        plan: Planned {
            identity,
            key,
            replaces,
        },
        orphans: Vec::new(),
        progress: match far {
            Far::Planned => Progress::Planned,
            Far::KeyReady => Progress::KeyReady(request),
            Far::Sent => Progress::Sent(request),
            Far::Received => Progress::Received(request, installation),
            Far::Installed => Progress::Installed(request, installation),
        },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Far {
    Planned,
    KeyReady,
    Sent,
    Received,
    Installed,
}
use Far::{Installed, KeyReady, Planned as Begun, Received, Sent};

/// What is decided, in a word: the plan, or the class of the refusal.
fn decision(words: &[&str], facts: &HostFacts, journal: Option<&Record>) -> &'static str {
    match decide(&settings(words), facts, journal.cloned()) {
        Ok(Plan::Begin { leftover: None, .. }) => "begin",
        Ok(Plan::Begin {
            leftover: Some(_), ..
        }) => "start again",
        Ok(Plan::AskAgain(_)) => "ask again",
        Ok(Plan::Install(_)) => "install",
        Ok(Plan::CleanUp(_)) => "clean up",
        Ok(Plan::Replace(_)) => "replace",
        Err(error) => error.kind().name(),
    }
}

#[test]
fn without_a_journal() {
    assert_eq!(decision(&[], &FREE, None), "begin");
    assert_eq!(decision(&["--force"], &FREE, None), "begin");
    assert_eq!(decision(&[], &registered(), None), "already-registered");
    assert_eq!(decision(&["--force"], &registered(), None), "begin");
    for facts in [FREE, registered()] {
        let running = HostFacts {
            update_client_running: true,
            ..facts
        };
        for words in [&[][..], &["--force"]] {
            assert_eq!(decision(words, &running, None), "busy", "{running:?}");
        }
    }
}

#[test]
fn with_a_journal() {
    for (far, replaces, facts, words, expected) in [
        // Nothing was sent: nobody knows of it.
        (Begun, false, FREE, &[][..], "start again"),
        (KeyReady, false, FREE, &[], "start again"),
        (Begun, false, registered(), &[], "already-registered"),
        (KeyReady, true, registered(), &[], "already-registered"),
        (KeyReady, true, registered(), &["--force"], "start again"),
        // The backend may know it.
        (Sent, false, FREE, &[], "ask again"),
        (Sent, false, FREE, &["--force"], "ask again"),
        (Sent, true, registered(), &[], "ask again"),
        (Sent, true, FREE, &[], "ask again"),
        // Somebody else registered the device meanwhile.
        (Sent, false, registered(), &[], "already-registered"),
        (Sent, false, registered(), &["--force"], "ask again"),
        // The verified files are here: half of them may be in place already.
        (Received, false, FREE, &[], "install"),
        (Received, false, registered(), &[], "install"),
        (Received, true, registered(), &["--force"], "install"),
        (Installed, false, registered(), &[], "clean up"),
        (Installed, true, registered(), &["--force"], "clean up"),
    ] {
        let record = record(&[], far, replaces);
        let decided = decision(words, &facts, Some(&record));
        assert_eq!(decided, expected, "{far:?} {replaces} {facts:?} {words:?}");
        let running = HostFacts {
            update_client_running: true,
            ..facts
        };
        assert_eq!(decision(words, &running, Some(&record)), "busy");
    }
}

/// What only the request says is asked for as it is now; what makes another device of it starts
/// again. Nothing is a dead end.
#[test]
fn with_other_settings() {
    let request_only = [
        &["-n", "other"][..],
        &["-g", "other"],
        &["-i", "other"],
        &["-t", "other"],
        &["-a", "other"],
        &["-A", ""],
        &["--use-ostree-server=0"],
        &["--retry-for=1", "--start-daemon=0", "-l0", "-H", "X-Token"],
    ];
    for words in request_only {
        for (far, expected) in [
            (KeyReady, "start again"),
            (Sent, "ask again"),
            (Received, "install"),
            (Installed, "clean up"),
        ] {
            let record = record(&[], far, false);
            let decided = decision(words, &FREE, Some(&record));
            assert_eq!(decided, expected, "{far:?} {words:?}");
        }
    }
    let identity = [
        &["-u", CHOSEN][..],
        &["-p"],
        &["-f", "other"],
        &["-m", "/m.so", "-P", "12345678"],
    ];
    for words in identity {
        for far in [Begun, KeyReady, Sent, Received] {
            let record = record(&[], far, false);
            let decided = decision(words, &FREE, Some(&record));
            assert_eq!(decided, "start again", "{far:?} {words:?}");
        }
        let complete = record(&[], Installed, false);
        assert_eq!(decision(words, &registered(), Some(&complete)), "clean up");
        let forced = [words, &["--force"]].concat();
        assert_eq!(decision(&forced, &registered(), Some(&complete)), "replace");
        // What was cut off while it was installed is no registration of anybody's.
        let half = record(&[], Received, false);
        assert_eq!(
            decision(words, &registered(), Some(&half)),
            "start again",
            "{words:?}"
        );
        // One that is there and works is kept, unless it shall be replaced.
        let sent = record(&[], Sent, false);
        let decided = decision(words, &registered(), Some(&sent));
        assert_eq!(decided, "already-registered", "{words:?}");
        let forced_before = record(&[], Sent, true);
        let decided = decision(words, &registered(), Some(&forced_before));
        assert_eq!(decided, "start again", "{words:?}");
    }
    // Who does not name a UUID means the one that was begun with.
    let given = record(&["-u", CHOSEN], Sent, false);
    assert_eq!(decision(&[], &FREE, Some(&given)), "ask again");
    // A journal that lost its key can only be replaced.
    let mut lost = record(&[], Sent, false);
    if let Progress::Sent(request) = &mut lost.progress {
        request.software_key = None;
    }
    assert_eq!(decision(&[], &FREE, Some(&lost)), "start again");
}

#[test]
fn who_chose_the_uuid() {
    let identity = |words: &[&str], token: Option<&str>| {
        let token = token.map(str::to_owned);
        let Identity {
            uuid, uuid_origin, ..
        } = identity(&settings(words), token, RANDOM.into());
        (uuid, uuid_origin)
    };
    assert_eq!(identity(&[], None), (RANDOM.into(), UuidOrigin::Generated));
    assert_eq!(
        identity(&["-u", CHOSEN], None),
        (CHOSEN.into(), UuidOrigin::Given)
    );
    // The token's comes between the two.
    assert_eq!(
        identity(&[], Some("token's")),
        ("token's".into(), UuidOrigin::Token)
    );
    assert_eq!(identity(&["-u", CHOSEN], Some("token's")).0, CHOSEN);
    let name = |words| {
        let settings = settings(words);
        let identity = super::identity(&settings, None, RANDOM.into());
        asked(&settings, &identity).unwrap().name
    };
    assert_eq!((&*name(&[]), &*name(&["-n", "nam"])), (RANDOM, "nam"));
}

/// A key on a token that is ready is used; a software key is made again in a millisecond.
#[test]
fn with_a_journal_of_a_token() {
    let token = ["-m", "/m.so", "-P", "12345678"];
    let with = |more: &[&'static str]| [&token[..], more].concat();
    for (far, words, expected) in [
        (Begun, with(&[]), "start again"),
        (KeyReady, with(&[]), "ask again"),
        (KeyReady, with(&["-n", "other"]), "ask again"),
        (KeyReady, with(&["-u", CHOSEN]), "start again"),
        (KeyReady, vec![], "start again"),
        (Sent, with(&[]), "ask again"),
        (Sent, vec![], "start again"),
        (Sent, vec!["-m", "/n.so", "-P", "1"], "start again"),
        (Sent, with(&["--hsm-token-label=x"]), "start again"),
        // The PIN may have been changed.
        (Received, vec!["-m", "/m.so", "-P", "87654321"], "install"),
        (
            Received,
            vec!["-P1", "-m", "pkcs11:serial=5e71a1?module-path=/m.so"],
            "install",
        ),
        (
            Received,
            vec!["-P1", "-m", "pkcs11:serial=other?module-path=/m.so"],
            "start again",
        ),
        (Installed, with(&[]), "clean up"),
    ] {
        let record = record(&token, far, false);
        let decided = decision(&words, &FREE, Some(&record));
        assert_eq!(decided, expected, "{far:?} {words:?}");
    }
    let ready = record(&token, KeyReady, false);
    assert_eq!(
        decision(&token, &registered(), Some(&ready)),
        "already-registered"
    );
}

#[test]
fn what_is_replaced_is_remembered() {
    let replaces = |words: &[&str], facts: &HostFacts| {
        let plan = decide(&settings(words), facts, None::<Record>).unwrap();
        matches!(plan, Plan::Begin { replaces: true, .. })
    };
    assert!(!replaces(&["--force"], &FREE));
    assert!(replaces(&["--force"], &registered()));
}

#[test]
fn refusals_say_what_to_do() {
    let hint = |facts: &HostFacts| {
        let error = decide(&settings(&[]), facts, None::<Record>).unwrap_err();
        error.hint_text().unwrap().to_owned()
    };
    assert!(hint(&registered()).contains("--force"));
    let running = HostFacts {
        update_client_running: true,
        ..FREE
    };
    assert_eq!(
        hint(&running),
        "stop it first: systemctl stop aktualizr-lite"
    );
}

/// The built-in name counts for every command.
#[test]
fn the_update_client_has_the_name_that_was_built_in() {
    let build = BuildDefaults {
        update_client: Some("my-client"),
        ..BUILD
    };
    let error = is_running(update_client(build), Path::new("/lock"));
    assert_eq!(
        error.hint_text(),
        Some("stop it first: systemctl stop my-client")
    );
}
