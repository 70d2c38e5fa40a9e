//! A 201 whose body is not what was agreed.

use serde_json::{Map, Value, json};

use super::common::answers::Backend;
use super::common::board::Board;
use super::common::scripted::{Answer, Request, ScriptedServer, head};
use super::{JOURNAL, register, rejected};

/// A good answer after `spoil`.
fn spoiled(
    spoil: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static,
) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let backend = Backend::new();
    move |request| {
        let mut files = backend.files(request);
        spoil(&mut files);
        Answer::json(201, &files)
    }
}

fn body(text: &'static str) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |_| Answer::whole(201, text.as_bytes())
}

#[test]
fn html() {
    rejected(
        body("<html><title>Welcome to the hotel</title></html>"),
        &["no JSON object"],
    );
}

#[test]
fn an_empty_object() {
    rejected(body("{}"), &["lacks client.pem"]);
}

#[test]
fn nothing() {
    rejected(body(""), &["no JSON object"]);
}

#[test]
fn json_that_is_no_object() {
    for text in [
        "[]",
        "null",
        "\"registered\"",
        "1",
        "{\"a\":\"b\"} {}",
        "{\"a\":\"b\"",
    ] {
        rejected(body(text), &["no JSON object"]);
    }
}

#[test]
fn a_body_that_is_cut_off_inside_its_json() {
    let backend = Backend::new();
    rejected(
        move |request| {
            let whole = serde_json::to_vec(&backend.files(request)).unwrap();
            Answer::whole(201, &whole[..whole.len() / 2])
        },
        &["no JSON object"],
    );
}

/// The connection ends before `Content-Length` says so: the answer may come whole another time.
#[test]
fn a_body_that_is_cut_off_by_the_network() {
    let backend = Backend::new();
    let (board, run) = register(move |request| {
        let whole = serde_json::to_vec(&backend.files(request)).unwrap();
        let mut bytes = head(201, &[], whole.len());
        bytes.extend_from_slice(&whole[..whole.len() / 2]);
        Answer::Close(bytes)
    });
    let run = run.expect(75).says(&["broke off", "hint: "]);
    assert_eq!(run.stdout, "");
    assert_eq!(board.names(), [JOURNAL]);
}

#[test]
fn a_file_that_is_missing_or_empty() {
    for name in ["client.pem", "root.crt", "sota.toml"] {
        let words = format!("lacks {name}");
        rejected(spoiled(move |files| drop(files.remove(name))), &[&words]);
        rejected(spoiled(move |files| files[name] = "".into()), &[&words]);
    }
}

#[test]
fn values_that_are_no_text() {
    for value in [
        json!(null),
        json!(1),
        json!(true),
        json!(["a"]),
        json!({"a": "b"}),
    ] {
        let script = move |files: &mut Map<String, Value>| files["client.pem"] = value.clone();
        rejected(spoiled(script), &["no JSON object of files"]);
    }
}

#[test]
fn a_name_that_stands_twice() {
    let backend = Backend::new();
    rejected(
        move |request| {
            let text = serde_json::to_string(&backend.files(request)).unwrap();
            let twice = text.replacen('{', "{\"client.pem\":\"first\",", 1);
            Answer::whole(201, twice.as_bytes())
        },
        &["stands twice"],
    );
}

#[test]
fn files_without_end() {
    rejected(
        spoiled(|files| {
            for number in 0..1000 {
                files.insert(format!("extra-{number}"), "x".into());
            }
        }),
        &["too many files"],
    );
}

#[test]
fn text_that_is_no_utf8() {
    rejected(
        |_| Answer::whole(201, b"{\"client.pem\":\"\xff\xfe\"}"),
        &["no JSON object"],
    );
}

#[test]
fn a_root_that_is_none() {
    for root in [
        "root",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        rejected(
            spoiled(move |files| files["root.crt"] = root.into()),
            &["certificate"],
        );
    }
}

/// What one of the two readers of `sota.toml` would choke on is not installed.
#[test]
fn a_configuration_that_its_readers_do_not_take() {
    let spoil = |change: fn(&str) -> String, words: &'static str| {
        let script = spoiled(move |files| {
            let text = change(files["sota.toml"].as_str().unwrap());
            files["sota.toml"] = text.into();
        });
        rejected(script, &["sota.toml does not suit its readers", words]);
    };
    spoil(|_| "<html></html>".into(), "");
    spoil(|text| format!("{text}[tls]\nserver = \"https://b\"\n"), "");
    spoil(|text| format!("\u{feff}{text}"), "");
    spoil(
        |text| text.replace("tags = \"main\"", "tags = 'main'"),
        "double quotes",
    );
    spoil(
        |text| text.replace("tags = \"main\"", "tags = \"main\" # x"),
        "comment",
    );
    spoil(
        |text| text.replace("tags = \"main\"", "tags = \"\"\"\nmain\"\"\""),
        "",
    );
    spoil(|text| text.replace("tags = \"main\"", "tags = \"main"), "");
    spoil(
        |text| text.replace("https://gateway", "gateway"),
        "https URL",
    );
    spoil(|text| text.replace("server =", "servant ="), "https URL");
    spoil(
        |text| text.replace("ca_source = \"file\"", "ca_source = \"x\""),
        "tls.ca_source",
    );
    spoil(
        |text| text.replace("pkey_source", "key_source"),
        "tls.pkey_source",
    );
    spoil(
        |text| text.replace("tls_pkey_path", "pkey"),
        "import.tls_pkey_path",
    );
    spoil(
        |text| text.replace("tls_cacert_path", "ca"),
        "import.tls_cacert_path",
    );
}

/// The next run asks for the device that the backend may have made, and succeeds.
#[test]
fn after_a_rejected_answer_the_next_run_asks_for_the_same_device() {
    let board = Board::new();
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| match request.number {
        0 => Answer::whole(201, b"{}"),
        _ => backend.signed(request),
    });
    board.register(&server.url(), [""; 0]).expect(65);
    board.register(&server.url(), [""; 0]).expect(0);
    let bodies: Vec<Value> = server.requests().iter().map(Request::json).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(
        board.names(),
        [
            "client.chained",
            "client.pem",
            "pkey.pem",
            "root.crt",
            "sota.toml"
        ]
    );
}

/// What other backends answer is no less good.
#[test]
fn answers_of_other_backends_are_accepted() {
    let backend = Backend::new();
    let (board, run) = register(move |request| backend.signed_as_update_server(request));
    run.expect(0);
    assert_eq!(
        board.names(),
        ["client.pem", "pkey.pem", "root.crt", "sota.toml"]
    );

    let backend = Backend::new();
    let root = backend.root.pem().trim_end().to_owned();
    let (board, run) = register(move |request| backend.signed_as_reference(request));
    run.expect(0);
    assert_eq!(board.text("root.crt"), root, "as it was sent");
}

/// Names of plain files that nobody has heard of are kept: backends may send more.
#[test]
fn a_file_that_nobody_has_heard_of_is_kept() {
    let (board, run) = register(spoiled(|files| {
        drop(files.insert("z-80.conf".into(), "new\n".into()));
    }));
    run.expect(0);
    assert_eq!(board.text("z-80.conf"), "new\n");
    assert_eq!(board.mode("z-80.conf"), 0o644);
}
