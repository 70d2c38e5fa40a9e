//! On a terminal: a QR code that a camera can read, and the time that is left.

use std::process::Command;

use rustix::process::Signal;

use lmp_test_support::board::Board;
use lmp_test_support::factory::Factory;
use lmp_test_support::watched::Watched;

/// Pixels of a module, and of the dark terminal around the picture.
const SCALE: usize = 6;
const MARGIN: usize = 40;

fn factory() -> Factory {
    Factory::with(|options| options.oauth_interval_seconds = 0)
}

/// The lines that are drawn in half blocks.
fn picture(shown: &str) -> Vec<Vec<char>> {
    let is_block = |c: char| matches!(c, '\u{2588}' | '\u{2580}' | '\u{2584}' | ' ');
    let lines = shown.lines().map(|line| line.trim_end_matches('\r'));
    lines
        .filter(|line| line.contains('\u{2580}') || line.contains('\u{2588}'))
        .inspect(|line| assert!(line.chars().all(is_block), "{line:?}"))
        .map(|line| line.chars().collect())
        .collect()
}

/// What a camera reads off a terminal that draws blocks in white on black.
fn read_off(picture: &[Vec<char>]) -> String {
    let is_light = |x: usize, y: usize| {
        let character = picture.get(y / 2).and_then(|line| line.get(x));
        match character {
            Some('\u{2588}') => true,
            Some('\u{2580}') => y.is_multiple_of(2),
            Some('\u{2584}') => !y.is_multiple_of(2),
            _ => false,
        }
    };
    let width = picture[0].len() * SCALE + 2 * MARGIN;
    let height = picture.len() * 2 * SCALE + 2 * MARGIN;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let inside = x >= MARGIN && y >= MARGIN;
        let lit = inside && is_light((x - MARGIN) / SCALE, (y - MARGIN) / SCALE);
        if lit { 230 } else { 20 }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one QR code is on the terminal");
    grids[0].decode().unwrap().1
}

fn on_terminal(locale: Option<(&str, &str)>, columns: u16) -> (Factory, Watched, Board) {
    let (factory, board) = (factory(), Board::new());
    let mut command: Command = factory.grant_command(&board);
    if let Some((name, value)) = locale {
        command.env(name, value);
    }
    let run = Watched::on_terminal(command, columns);
    (factory, run, board)
}

#[test]
fn a_qr_code_leads_to_the_approval_of_this_device() {
    let utf8 = [
        ("LC_ALL", "C.UTF-8"),
        ("LC_CTYPE", "de_DE.utf8"),
        ("LANG", "en_GB.UTF-8"),
    ];
    for (locale, columns) in utf8.into_iter().zip([80, 200, 0]) {
        let (factory, run, board) = on_terminal(Some(locale), columns);
        let shown = run.wait_for("waiting, 14:5");
        let code = run.line("code:");
        let address = format!("{}/activate/?user_code={code}", factory.server.urls().api);
        assert_eq!(read_off(&picture(&shown)), address);
        assert!(shown.contains(" left"), "{shown}");
        factory.server.decide(&code, true).unwrap();
        let ended = run.end().expect(0).says(&["Device is now registered."]);
        let (_, after) = ended.output.split_once("waiting, ").unwrap();
        assert!(
            after.contains("\nThe registration is approved"),
            "on a line of its own: {after}"
        );
        board.check(["--offline"]).expect(0);
    }
}

#[test]
fn no_picture_where_it_could_not_be_read() {
    for (locale, columns) in [
        (None, 80),
        (Some(("LANG", "C")), 80),
        (Some(("LANG", "en_GB.ISO-8859-1")), 80),
        (Some(("LC_ALL", "C.UTF-8")), 30),
    ] {
        let (_factory, run, board) = on_terminal(locale, columns);
        let shown = run.wait_for("waiting, 14:5");
        assert!(picture(&shown).is_empty(), "{shown}");
        assert!(
            shown.contains("address:") && shown.contains("code:"),
            "{shown}"
        );
        run.die_of(Signal::INT);
        assert!(board.names().is_empty());
    }
}

/// The first of these variables that says anything counts (locale(7)).
#[test]
fn a_locale_that_is_overruled() {
    let (factory, board) = (factory(), Board::new());
    let mut command = factory.grant_command(&board);
    command.envs([("LANG", "C.UTF-8"), ("LC_CTYPE", ""), ("LC_ALL", "C")]);
    let run = Watched::on_terminal(command, 80);
    let shown = run.wait_for("waiting,");
    assert!(picture(&shown).is_empty(), "{shown}");
    run.die_of(Signal::HUP);
}
