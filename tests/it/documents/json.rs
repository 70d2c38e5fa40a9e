//! `docs/json.md` has every field that the program prints, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;

use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::token::{PIN, SO_PIN, SOFTHSM, SoftHsm};
use serde_json::Value;

use super::rows;

/// The fields of a value with the types that they have; keys that vary are `*`.
fn fields(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let Value::Object(fields_here) = value else {
        return;
    };
    for (name, value) in fields_here {
        let name = if path == "settings" { "*" } else { name };
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Object(_) => "object",
            Value::Array(items) if items.iter().all(Value::is_string) => "strings",
            Value::Array(items) => {
                for item in items {
                    fields(item, &format!("{path}[]"), found);
                }
                "objects"
            }
        };
        found.entry(path.clone()).or_default().insert(kind);
        fields(value, &path, found);
    }
}

/// What these runs print is what the section says: every field, with every type, and no other.
#[track_caller]
fn assert_is_documented(section: &str, runs: &[Run]) {
    let mut printed = BTreeMap::new();
    for run in runs {
        fields(&run.json(), "", &mut printed);
    }
    let mut documented = BTreeMap::new();
    let table = rows("docs/json.md", section);
    for row in &table {
        let types: BTreeSet<&str> = row[1].split(" or ").collect();
        documented.insert(row[0].trim_matches('`').to_owned(), types);
    }
    assert_eq!(printed, documented, "docs/json.md, {section}");
}

#[test]
#[cfg_attr(not(feature = "pkcs11"), ignore = "has no token")]
fn json_is_as_documented() {
    let (factory, board, hsm) = (Factory::new(), Board::new(), SoftHsm::new());
    let mut rehearsals = vec![factory.register(&board, &["--dry-run", "--json"]).expect(0)];
    let mut on_token = factory.command(&board);
    hsm.show_to(&mut on_token);
    on_token.args([
        "--hsm-module",
        SOFTHSM,
        "--hsm-pin",
        PIN,
        "--hsm-so-pin",
        SO_PIN,
        "--dry-run",
        "--json",
    ]);
    rehearsals.push(run(on_token).expect(0));
    assert_is_documented("Rehearsal", &rehearsals);

    let registered = factory.register(&board, &["--json"]).expect(0);
    let replaced = factory.register(&board, &["--json", "--force"]).expect(0);
    assert_is_documented("Registered", &[registered, replaced]);
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(board.file("pkey.pem"), readable).unwrap();
    let checks = [
        board.check(["--json"]).expect(0),
        board.check(["--json", "--offline"]).expect(0),
    ];
    assert_is_documented("Check", &checks);

    std::fs::remove_file(board.file("pkey.pem")).unwrap();
    let failures = [
        factory.register(&board, &["--json"]).expect(10),
        Board::new()
            .register("http://127.0.0.1:9/", ["--json"])
            .expect(75),
        rejected(),
    ];
    assert_is_documented("Failure", &failures);
    let failed = [board.check(["--json"]).expect(78), foreign_root(&factory)];
    assert_is_documented("Failed check", &failed);

    let unregister = || {
        let mut command = board.bare_command();
        command.args(["unregister", "--yes", "--json", "--sota-dir"]);
        command
            .arg(board.sota())
            .arg("--update-client-lock")
            .arg(board.lock());
        run(command).expect(0)
    };
    assert_is_documented("Unregistered", &[unregister(), unregister()]);
}

/// A check of another gateway than the one that `root.crt` verifies.
fn foreign_root(factory: &Factory) -> Run {
    let board = Board::new();
    factory.register(&board, &[]).expect(0);
    std::fs::copy(factory.server.ca_file(), board.file("root.crt")).unwrap();
    board.check(["--json"])
}

/// A failure for which there is no hint.
fn rejected() -> Run {
    let server = ScriptedServer::always(Answer::whole(201, b"{}"));
    Board::new().register(&server.url(), ["--json"]).expect(65)
}
