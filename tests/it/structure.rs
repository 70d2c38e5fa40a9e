//! The rooms of both crates: arrows point down, none runs in a circle, each room says what it must
//! never do, and no file is long.

mod imports;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lmp_test_support::repository;

use imports::{Arrows, Tree, arrows, read};

/// Rooms from the lowest to the highest: each uses only those before it.
const AGENT: &[&str] = &[
    "version", "secret", "error", "report", "key", "sota", "board", "backend", "settings",
    "commands", "cli", "lib", "main",
];
const FACTORY: &[&str] = &[
    "error",
    "secret",
    "time",
    "site",
    "data_dir",
    "store",
    "pki",
    "http",
    "registration",
    "gateway",
    "approval",
    "factory",
    "api",
    "server",
    "cli",
    "lib",
    "main",
];
/// The most lines of a file.
const LINES: usize = 400;

#[test]
fn rooms_of_the_agent() {
    let tree = read(&repository("src"));
    assert_eq!(problems(&tree, "lmp_device_register", AGENT), [""; 0]);
}

#[test]
fn rooms_of_the_factory() {
    let tree = read(&repository("factory/src"));
    assert_eq!(problems(&tree, "lmp_factory", FACTORY), [""; 0]);
}

#[test]
fn no_file_is_long() {
    let mut long = Vec::new();
    let mut count = 0;
    for folder in ["src", "factory/src", "tests", "fuzz"] {
        for path in files_below(&repository(folder)) {
            let text = std::fs::read(&path).unwrap();
            if is_source(&path, &text) {
                count += 1;
                let lines = String::from_utf8_lossy(&text).lines().count();
                if lines > LINES {
                    long.push(format!("{} has {lines} lines", path.display()));
                }
            }
        }
    }
    assert!(count > 100, "{count} files only");
    assert_eq!(long, [""; 0]);
}

/// Code, among data for tests.
fn is_source(path: &Path, text: &[u8]) -> bool {
    match path.extension().and_then(|end| end.to_str()) {
        Some(end) => ["rs", "py", "sh"].contains(&end),
        None => text.starts_with(b"#!"),
    }
}

/// Every file below a folder, but what a build put there.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files_below(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// The room that a file is in.
fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// What is wrong with the rooms of a crate.
fn problems(tree: &Tree, crate_name: &str, order: &[&str]) -> Vec<String> {
    let files = arrows(tree, crate_name);
    let (inside, between): (Arrows, Arrows) = files
        .into_iter()
        .partition(|(from, to)| room(from) == room(to));
    let rooms = between
        .iter()
        .map(|(from, to)| (room(from).to_owned(), room(to).to_owned()));
    let mut problems = circles(&rooms.collect());
    problems.extend(circles(&inside));
    let height = |file: &str| order.iter().position(|name| *name == room(file));
    let up = between
        .iter()
        .filter(|(from, to)| height(from) <= height(to));
    problems.extend(up.map(|(from, to)| format!("{from} uses {to}, which is not below it")));
    let names: BTreeSet<&str> = tree.keys().map(|file| room(file)).collect();
    let unknown = names.iter().filter(|name| height(name).is_none());
    problems.extend(unknown.map(|name| format!("room {name} has no place in the order")));
    let rooms = tree.iter().filter(|(file, _)| !file.contains('/'));
    let rooms = rooms.filter(|(file, _)| !["lib", "main"].contains(&room(file)));
    let silent = rooms.filter(|(_, text)| {
        let mut header = text.lines().take_while(|line| line.starts_with("//!"));
        !header.any(|line| line.to_lowercase().contains("never"))
    });
    problems.extend(silent.map(|(file, _)| format!("{file} does not say what it must never do")));
    problems
}

/// Each circle as `a -> b -> a`, one for every set of circles that hang together.
fn circles(arrows: &Arrows) -> Vec<String> {
    let mut arrows = arrows.clone();
    let mut found = Vec::new();
    loop {
        // Who uses nobody that is left is in no circle.
        let users: BTreeSet<String> = arrows.iter().map(|(from, _)| from.clone()).collect();
        let before = arrows.len();
        arrows.retain(|(_, to)| users.contains(to));
        if arrows.len() < before {
            continue;
        }
        let Some((first, _)) = arrows.first() else {
            return found;
        };
        let mut way = vec![first.clone()];
        let mut circle = loop {
            let last = way.last().unwrap();
            let (_, next) = arrows.iter().find(|(from, _)| from == last).unwrap();
            if let Some(start) = way.iter().position(|name| name == next) {
                break way.split_off(start);
            }
            way.push(next.clone());
        };
        let lowest = circle
            .iter()
            .min()
            .and_then(|name| circle.iter().position(|n| n == name));
        circle.rotate_left(lowest.unwrap_or_default());
        circle.push(circle[0].clone());
        found.push(circle.join(" -> "));
        arrows.retain(|(from, _)| !circle.contains(from));
    }
}

/// An invented crate of rooms `low`, `middle` and `high`, with these files changed.
fn invented(files: &[(&str, &str)]) -> Vec<String> {
    let rooms = ["low.rs", "middle.rs", "high.rs", "lib.rs"];
    let mut tree: Tree = rooms
        .map(|file| (file.to_owned(), "//! Never.\n".to_owned()))
        .into();
    for (file, text) in files {
        let header = if file.contains('/') {
            ""
        } else {
            "//! Never.\n"
        };
        tree.insert((*file).to_owned(), format!("{header}{text}"));
    }
    problems(&tree, "invented", &["low", "middle", "high", "lib", "main"])
}

#[test]
fn arrows_that_point_down_are_no_problem() {
    let found = invented(&[
        ("middle.rs", "use crate::low::{self, a::{B, C as D}};"),
        (
            "high.rs",
            "use crate::middle; fn f() -> crate::low::X { middle::f() }",
        ),
        ("lib.rs", "mod low; mod middle; mod high; pub use high::f;"),
        ("main.rs", "fn main() { invented::f(); }"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_circle_of_rooms_is_named() {
    let found = invented(&[
        ("low.rs", "fn f() { println!(\"{}\", crate::high::VALUE); }"),
        ("middle.rs", "use crate::{low::a, low::b as c};"),
        ("high.rs", "pub use crate::middle::*;"),
    ]);
    assert!(
        found.contains(&"high -> middle -> low -> high".to_owned()),
        "{found:?}"
    );
    let up = "low.rs uses high.rs, which is not below it";
    assert!(found.contains(&up.to_owned()), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}

/// What a room passes on counts for the file that it is from.
#[test]
fn a_circle_in_a_room_is_named() {
    let room = (
        "low.rs",
        "mod one; mod two; pub(crate) use one::Item as Thing; use two::f;",
    );
    let two = (
        "low/two.rs",
        "use super::Thing; pub(in crate::low) fn f() {}",
    );
    assert_eq!(
        invented(&[room, two, ("low/one.rs", "pub struct Item;")]),
        [""; 0]
    );
    for one in [
        "use super::two::f;",
        "use super::f;",
        "fn g() { self::super::f() }",
    ] {
        let found = invented(&[room, two, ("low/one.rs", one)]);
        assert_eq!(found, ["low/one.rs -> low/two.rs -> low/one.rs"], "{one}");
    }
    // Who only passes on does not use.
    let one = ("low/one.rs", "pub struct Item; use super::Own;");
    let room = "mod one; pub use one::Item; pub struct Own;";
    assert_eq!(invented(&[("low.rs", room), one]), [""; 0]);
    let room = format!("{room} fn f(_: Item) {{}}");
    let found = invented(&[("low.rs", &room), one]);
    assert_eq!(found, ["low.rs -> low/one.rs -> low.rs"]);
    // The room's file uses its child, which uses what is defined in the room's file.
    let found = invented(&[
        ("low.rs", "mod one; pub struct Own; fn f() { one::g() }"),
        ("low/one.rs", "mod inner { use super::super::Own; }"),
    ]);
    assert_eq!(found, ["low.rs -> low/one.rs -> low.rs"]);
}

#[test]
fn tests_comments_and_texts_use_nobody() {
    let found = invented(&[
        (
            "low.rs",
            "#[cfg(test)] mod tests { use crate::high::X; }\n#[cfg(test)] mod more;",
        ),
        ("low/tests.rs", "use crate::high::X;"),
        ("low/tests/more.rs", "use crate::high::X;"),
        (
            "middle.rs",
            "//! See `crate::high::X`.\n// crate::high::f()\nconst T: &str = \"crate::high\";",
        ),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_room_without_a_place_or_a_header() {
    let found = invented(&[("attic.rs", "")]);
    assert_eq!(found, ["room attic has no place in the order"]);
    let tree = Tree::from([("low.rs".to_owned(), "//! Text.\n\n// never\n".to_owned())]);
    let found = problems(&tree, "invented", &["low"]);
    assert_eq!(found, ["low.rs does not say what it must never do"]);
}
