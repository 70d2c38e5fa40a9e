//! The decision as a table.

use std::path::PathBuf;

use super::*;
use crate::args;
use crate::os_release::OsRelease;
use crate::settings::{self, BUILD, Sources};

const RANDOM: &str = "11111111-1111-4111-8111-111111111111";
const CHOSEN: &str = "22222222-2222-4222-8222-222222222222";

fn settings(words: &[&str]) -> Settings {
    let all = [
        "lmp-device-register",
        "-f",
        "acme",
        "-i",
        "hw",
        "-t",
        "main",
        "-T",
        "tok",
    ];
    let line = args::parse(all.iter().chain(words).map(Into::into)).unwrap();
    let sources = Sources {
        common: &line.common,
        args: &line.register,
        environment: &std::collections::BTreeMap::new(),
        api_token: None,
        os_release: &OsRelease::default(),
        build: BUILD,
    };
    settings::resolve(sources).unwrap()
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

fn begun(plan: Plan) -> Beginning {
    match plan {
        Plan::Begin(beginning) => *beginning,
        other => panic!("{other:?}"),
    }
}

/// A journal that was begun with these options and came to `phase`.
fn journal(words: &[&str], phase: Phase, replaces: bool) -> State {
    let mut beginning = begun(decide(&settings(words), &FREE, None, RANDOM).unwrap());
    beginning.replaces = replaces;
    State {
        phase,
        ..State::new(beginning)
    }
}

/// What is decided, in a word: the plan, or the class of the refusal.
fn decision(words: &[&str], facts: &HostFacts, journal: Option<&State>) -> &'static str {
    match decide(&settings(words), facts, journal, RANDOM) {
        Ok(Plan::Begin(_)) => "begin",
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
    let plan = |words: &[&str]| begun(decide(&settings(words), &FREE, None, RANDOM).unwrap());
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
}

#[test]
fn what_is_replaced_is_remembered() {
    let plan =
        |words: &[&str], facts| begun(decide(&settings(words), facts, None, RANDOM).unwrap());
    assert!(!plan(&["--force"], &FREE).replaces);
    assert!(plan(&["--force"], &registered()).replaces);
}

#[test]
fn refusals_say_what_to_do() {
    let hint = |facts: &HostFacts| {
        let error = decide(&settings(&[]), facts, None, RANDOM).unwrap_err();
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
