//! The decision as a table.

use std::path::{Path, PathBuf};

use super::*;
use crate::board::update_client::is_running;
use crate::settings::{BUILD, BuildDefaults, settings_of, update_client};

const RANDOM: &str = "11111111-1111-4111-8111-111111111111";
const CHOSEN: &str = "22222222-2222-4222-8222-222222222222";

fn settings(words: &[&str]) -> Settings {
    let needed = ["-f", "acme", "-i", "hw", "-t", "main", "-T", "tok"];
    settings_of(&[&needed, words].concat())
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

/// What a registration with these options begins with, if it does.
fn begun(words: &[&str], facts: &HostFacts) -> Beginning {
    let settings = settings(words);
    let Plan::Begin { replaces } = decide(&settings, facts, None).unwrap() else {
        panic!("another plan: {words:?}");
    };
    let place = match &settings.key {
        KeySetting::Software => KeyPlace::Software,
        KeySetting::Token(token) => KeyPlace::Token {
            module: token.module.clone(),
            label: token.choice.label.clone(),
            serial: "5e71a1".into(),
            key_id: 1,
            certificate_id: 3,
            supersedes: false,
        },
    };
    let identity = identity(&settings, None, RANDOM.into());
    beginning(&settings, identity, place, replaces).unwrap()
}

/// A journal that was begun with these options and came to `phase`.
fn journal(words: &[&str], phase: Phase, replaces: bool) -> State {
    let mut beginning = begun(words, &FREE);
    beginning.replaces = replaces;
    State {
        phase,
        ..State::new(beginning)
    }
}

/// What is decided, in a word: the plan, or the class of the refusal.
fn decision(words: &[&str], facts: &HostFacts, journal: Option<&State>) -> &'static str {
    match decide(&settings(words), facts, journal) {
        Ok(Plan::Begin { .. }) => "begin",
        Ok(Plan::AskAgain) => "ask again",
        Ok(Plan::Install) => "install",
        Ok(Plan::CleanUp) => "clean up",
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
    use Phase::{Installed, KeyReady, Planned, Received, Sent};
    for (phase, replaces, facts, words, expected) in [
        // Nothing was sent: nobody knows of it.
        (Planned, false, FREE, &[][..], "begin"),
        (KeyReady, false, FREE, &[], "begin"),
        (Planned, false, registered(), &[], "already-registered"),
        (KeyReady, true, registered(), &[], "already-registered"),
        (KeyReady, true, registered(), &["--force"], "begin"),
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
        let state = journal(&[], phase, replaces);
        let decided = decision(words, &facts, Some(&state));
        assert_eq!(
            decided, expected,
            "{phase:?} {replaces} {facts:?} {words:?}"
        );
        let running = HostFacts {
            update_client_running: true,
            ..facts
        };
        assert_eq!(decision(words, &running, Some(&state)), "busy");
    }
}

/// What was begun is finished as it was begun, or not at all.
#[test]
fn another_registration_than_the_one_that_was_begun() {
    let late = [Phase::Sent, Phase::Received, Phase::Installed];
    for words in [
        &["-n", "other"][..],
        &["-g", "other"],
        &["-p"],
        &["-a", "other"],
        &["-A", ""],
        &["-d", "/other"],
        &["--use-ostree-server=0"],
    ] {
        for phase in late {
            let plain = journal(&[], phase, false);
            assert_eq!(
                decision(words, &FREE, Some(&plain)),
                "configuration",
                "{words:?}"
            );
            let other = journal(words, phase, false);
            assert_eq!(
                decision(&[], &FREE, Some(&other)),
                "configuration",
                "{words:?}"
            );
        }
        let unsent = journal(&[], Phase::KeyReady, false);
        assert_eq!(decision(words, &FREE, Some(&unsent)), "begin", "{words:?}");
    }
    for phase in late {
        let state = journal(&[], phase, false);
        assert_eq!(
            decision(&["-u", CHOSEN], &FREE, Some(&state)),
            "configuration"
        );
    }
    // Who does not name a UUID means the one that was begun with.
    let state = journal(&["-u", CHOSEN], Phase::Sent, false);
    assert_eq!(decision(&[], &FREE, Some(&state)), "ask again");
    // What is no part of the device may differ.
    let state = journal(&[], Phase::Sent, false);
    let words = ["--retry-for=1", "--start-daemon=0", "-l0", "-H", "X-Token"];
    assert_eq!(decision(&words, &FREE, Some(&state)), "ask again");
}

#[test]
fn who_chose_the_uuid() {
    let plan = |words: &[&str]| begun(words, &FREE);
    let own = plan(&[]);
    assert_eq!(
        (own.request.uuid.as_str(), own.uuid_origin),
        (RANDOM, UuidOrigin::Generated)
    );
    assert_eq!(own.request.name, RANDOM);
    let given = plan(&["-u", CHOSEN]);
    assert_eq!(
        (given.request.uuid.as_str(), given.uuid_origin),
        (CHOSEN, UuidOrigin::Given)
    );
    assert_eq!(plan(&["-n", "nam"]).request.name, "nam");
    // The token's comes between the two.
    let of_token = |words| identity(&settings(words), Some("token's".into()), RANDOM.into());
    assert_eq!(of_token(&[]).origin, UuidOrigin::Token);
    assert_eq!(of_token(&[]).uuid, "token's");
    assert_eq!(of_token(&["-u", CHOSEN]).uuid, CHOSEN);
}

/// A key on a token that is ready is used; a software key is made again in a millisecond.
#[test]
fn with_a_journal_of_a_token() {
    let token = ["-m", "/m.so", "-P", "12345678"];
    let with = |more: &[&'static str]| [&token[..], more].concat();
    let state = |phase| journal(&token, phase, false);
    for (phase, words, expected) in [
        (Phase::Planned, with(&[]), "begin"),
        (Phase::KeyReady, with(&[]), "ask again"),
        (Phase::KeyReady, with(&["-n", "other"]), "begin"),
        (Phase::KeyReady, vec![], "begin"),
        (Phase::Sent, with(&[]), "ask again"),
        (Phase::Sent, vec![], "configuration"),
        (Phase::Sent, vec!["-m", "/n.so", "-P", "1"], "configuration"),
        (Phase::Sent, with(&["--hsm-token-label=x"]), "configuration"),
        // The PIN may have been changed.
        (
            Phase::Received,
            vec!["-m", "/m.so", "-P", "87654321"],
            "install",
        ),
        (
            Phase::Received,
            vec!["-P1", "-m", "pkcs11:serial=5e71a1?module-path=/m.so"],
            "install",
        ),
        (
            Phase::Received,
            vec!["-P1", "-m", "pkcs11:serial=other?module-path=/m.so"],
            "configuration",
        ),
        (Phase::Installed, with(&[]), "clean up"),
    ] {
        let state = state(phase);
        assert_eq!(
            decision(&words, &FREE, Some(&state)),
            expected,
            "{phase:?} {words:?}"
        );
    }
    let software = journal(&[], Phase::Sent, false);
    assert_eq!(decision(&token, &FREE, Some(&software)), "configuration");
    let ready = state(Phase::KeyReady);
    assert_eq!(
        decision(&token, &registered(), Some(&ready)),
        "already-registered"
    );
}

#[test]
fn what_is_replaced_is_remembered() {
    assert!(!begun(&["--force"], &FREE).replaces);
    assert!(begun(&["--force"], &registered()).replaces);
}

#[test]
fn refusals_say_what_to_do() {
    let hint = |facts: &HostFacts| {
        let error = decide(&settings(&[]), facts, None).unwrap_err();
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
