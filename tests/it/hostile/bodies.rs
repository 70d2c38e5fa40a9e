//! Whole answers with a wrong body: cut short, wrong types, encodings, sizes.

use lmp_test_support::scripted::Answer;
use serde_json::{Value, json};

use super::{Case, body, case, rejected};

const NAMES: [&str; 4] = ["client.pem", "client.chained", "root.crt", "sota.toml"];
/// No object whose members are texts.
const NO_OBJECT: &str = "no JSON object of files";

/// At every 64th byte; a good answer has about 2,800.
#[test]
fn cut_short() {
    let cut = |length: usize| {
        let name = format!("cut after {length} bytes");
        let cut = case(name, move |backend, request| {
            let body = serde_json::to_vec(&backend.files(request)).unwrap();
            Answer::whole(201, &body[..length.min(body.len() - 1)])
        });
        cut.says(NO_OBJECT)
    };
    rejected((0..2816).step_by(64).map(cut));
}

#[test]
fn values_that_are_no_text() {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5e300),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({"a": {"b": "c"}}),
    ];
    let pairs = NAMES
        .iter()
        .flat_map(|name| values.iter().map(move |value| (name, value)));
    rejected(pairs.map(|(name, value)| with(name, value).says(NO_OBJECT)));
}

/// An answer where this file is that.
fn with(name: &'static str, value: &Value) -> Case {
    let value = value.clone();
    case(format!("{name} is {value}"), move |backend, request| {
        let mut files = backend.files(request);
        files.insert(name.into(), value.clone());
        Answer::json(201, &files)
    })
}

#[test]
fn files_that_are_missing_empty_or_there_twice() {
    let control = json!("\u{1b}[2J\r\n\u{0}\u{202e}");
    let mut cases = Vec::new();
    for name in NAMES {
        let (empty, missing) = (with(name, &json!("")), format!("lacks {name}"));
        cases.push(with(name, &control));
        let twice = case(format!("{name} twice"), move |backend, request| {
            let files = serde_json::to_string(&backend.files(request)).unwrap();
            let again = format!("{{{}:\"x\",{}", Value::from(name), &files[1..]);
            Answer::whole(201, again.as_bytes())
        });
        cases.push(twice.says("stands twice"));
        if name == "client.chained" {
            cases.push(empty.says(name));
            continue;
        }
        cases.push(empty.says(&missing));
        let without = case(format!("no {name}"), move |backend, request| {
            let mut files = backend.files(request);
            files.remove(name);
            Answer::json(201, &files)
        });
        cases.push(without.says(&missing));
    }
    rejected(cases);
}

/// Bodies as bytes, from the good one.
type Spoil = fn(String) -> Vec<u8>;

#[test]
fn texts_that_are_no_answer() {
    let spoiled: [(&str, Spoil); 16] = [
        ("a string", |good| {
            Value::from(good).to_string().into_bytes()
        }),
        ("an array", |good| format!("[{good}]").into_bytes()),
        ("UTF-16", |good| {
            good.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }),
        ("a byte order mark", |good| {
            format!("\u{feff}{good}").into_bytes()
        }),
        ("Latin-1", |good| {
            let mut bytes = good.into_bytes();
            bytes[200] = 0xe9;
            bytes
        }),
        ("a lone surrogate", |good| {
            good.replacen("BEGIN", "\\ud800", 1).into_bytes()
        }),
        ("a raw control character", |good| {
            good.replacen("BEGIN", "BE\x1bGIN", 1).into_bytes()
        }),
        ("two answers", |good| format!("{good}{good}").into_bytes()),
        ("something behind it", |good| {
            format!("{good} \x1b]0;title\x07").into_bytes()
        }),
        ("single quotes", |good| good.replace('"', "'").into_bytes()),
        ("a comment", |good| format!("/* */{good}").into_bytes()),
        ("a comma too much", |good| {
            good.replace('}', ",}").into_bytes()
        }),
        ("200,000 levels", |_| b"{\"a\":".repeat(200_000)),
        ("200,000 levels of arrays", |_| b"[".repeat(200_000)),
        ("a file of 200,000 levels", |good| {
            let deep = "[".repeat(200_000);
            format!("{{\"client.pem\":{deep}{good}").into_bytes()
        }),
        ("a number", |_| b"42".to_vec()),
    ];
    let cases = spoiled.map(|(name, spoil)| {
        case(format!("the body is {name}"), move |backend, request| {
            let good = serde_json::to_string(&backend.files(request)).unwrap();
            Answer::whole(201, &spoil(good))
        })
    });
    let fixed = [
        body("white space", b" \r\n\t".to_vec()),
        body("null", b"null".to_vec()),
        body("an empty array", b"[]".to_vec()),
        body(
            "HTML",
            b"<html><title>\x1b[31mlogin\x07</title></html>".to_vec(),
        ),
        body("bytes", b"{\"client.pem\":\"\xff\xfe\"}".to_vec()),
    ];
    rejected(
        cases
            .into_iter()
            .chain(fixed)
            .map(|case| case.says(NO_OBJECT)),
    );
    rejected([body("an empty object", b"{}".to_vec()).says("lacks client.pem")]);
}

#[test]
fn answers_without_end() {
    let many = case("1000 files", |backend, request| {
        let mut files = backend.files(request);
        files.extend((0..1000).map(|n| (format!("file{n}"), json!("x"))));
        Answer::json(201, &files)
    });
    let large = body("two megabytes", vec![b' '; 2_000_000]);
    rejected([many.says("too many files"), large.says("larger than 1 MiB")]);
}
