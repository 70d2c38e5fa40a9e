//! A person decides, on the real other side; the agent writes plain lines.

use lmp_test_support::board::Board;
use lmp_test_support::factory::Factory;
use lmp_test_support::watched::Watched;

/// A factory that tells the agent to poll as often as it may.
fn factory() -> Factory {
    Factory::with(|options| options.oauth_interval_seconds = 0)
}

#[test]
fn approved() {
    let (factory, board) = (factory(), Board::new());
    let run = Watched::piped(factory.grant_command(&board));
    let page = format!("{}/activate/", factory.server.urls().api);
    assert_eq!(run.line("address:"), page);
    let code = run.line("code:");
    assert_eq!(run.line("within:"), "15 minutes");
    assert!(
        board.names().is_empty(),
        "nothing is made before somebody approves"
    );
    factory.server.decide(&code, true).unwrap();
    let ended = run.end().expect(0);
    let ended = ended.says(&["The registration is approved", "Device is now registered."]);
    for terminals_only in ["\u{2588}", "\r", "waiting,"] {
        assert!(!ended.output.contains(terminals_only), "{ended:?}");
    }
    board.check(["--verbose"; 0]).expect(0);
    assert_eq!(factory.server.devices().unwrap().len(), 1);
}

#[test]
fn denied() {
    let (factory, board) = (factory(), Board::new());
    let run = Watched::piped(factory.grant_command(&board));
    factory.server.decide(&run.line("code:"), false).unwrap();
    let words = ["the registration was denied", "hint: run this again"];
    run.end().expect(77).says(&words);
    assert!(board.names().is_empty());
    assert!(factory.server.devices().unwrap().is_empty());
}

#[test]
fn nobody_came() {
    let factory = Factory::with(|options| {
        options.oauth_interval_seconds = 0;
        options.oauth_expires_seconds = 2;
    });
    let board = Board::new();
    let run = Watched::piped(factory.grant_command(&board));
    let words = ["before its code expired", "hint: run this again"];
    run.end().expect(77).says(&words);
    assert!(board.names().is_empty());
}

/// The address of the approval server may end with a slash.
#[test]
fn a_base_with_a_trailing_slash() {
    let (factory, board) = (factory(), Board::new());
    let mut command = factory.grant_command(&board);
    command.env("OAUTH_BASE", format!("{}/", factory.server.urls().oauth));
    let run = Watched::piped(command);
    factory.server.decide(&run.line("code:"), true).unwrap();
    run.end().expect(0);
}
