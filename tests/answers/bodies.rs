//! Whole answers with a wrong body: cut short, wrong types, names, encodings, configurations.

use serde_json::{Value, json};

use crate::common::scripted::Answer;
use crate::{Case, case};

const NAMES: [&str; 4] = ["client.pem", "client.chained", "root.crt", "sota.toml"];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cut_short();
    cases.extend(wrong_types());
    cases.extend(wrong_names());
    cases.extend(wrong_texts());
    cases.extend(wrong_configurations());
    cases
}

/// At every 64th byte; a good answer has about 2,800.
fn cut_short() -> Vec<Case> {
    let cut = |length: usize| {
        case(
            format!("cut after {length} bytes"),
            move |backend, request| {
                let body = serde_json::to_vec(&backend.files(request)).unwrap();
                Answer::whole(201, &body[..length.min(body.len() - 1)])
            },
        )
    };
    (0..2816).step_by(64).map(cut).collect()
}

fn wrong_types() -> Vec<Case> {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5e300),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({"a": {"b": "c"}}),
        json!(""),
        json!("\u{1b}[2J\r\n\u{0}\u{202e}"),
    ];
    let mut cases = Vec::new();
    for name in NAMES {
        for value in &values {
            let value = value.clone();
            cases.push(case(
                format!("{name} is {value}"),
                move |backend, request| {
                    let mut files = backend.files(request);
                    files.insert(name.into(), value.clone());
                    Answer::json(201, &files)
                },
            ));
        }
        if name != "client.chained" {
            cases.push(case(format!("no {name}"), move |backend, request| {
                let mut files = backend.files(request);
                files.remove(name);
                Answer::json(201, &files)
            }));
        }
        cases.push(case(format!("{name} twice"), move |backend, request| {
            let files = serde_json::to_string(&backend.files(request)).unwrap();
            let again = format!("{{{}:\"x\",{}", Value::from(name), &files[1..]);
            Answer::whole(201, again.as_bytes())
        }));
    }
    cases
}

fn wrong_names() -> Vec<Case> {
    let long = "a".repeat(300);
    let names = [
        "",
        ".",
        "..",
        "../evil",
        "../../../../../../tmp/evil",
        "/etc/passwd",
        "a/b",
        "a/",
        "./client.pem",
        "a\\b",
        ".hidden",
        ".registration",
        ".registration/state.json",
        "pkey.pem",
        "sql.db",
        "sql.db-wal",
        "sql.db-journal",
        "x.tmp",
        "sota.toml.tmp",
        "client.pem\u{0}.txt",
        "\u{0}",
        "a b",
        "a\nb",
        "\u{1b}[31mred",
        "\u{202e}lmot.atos",
        "é",
        "*",
        "$(reboot)",
        &long,
    ];
    let holding = |name: &str| {
        let name = name.to_owned();
        case(format!("a file named {name:?}"), move |backend, request| {
            let mut files = backend.files(request);
            files.insert(name.clone(), "x".into());
            Answer::json(201, &files)
        })
    };
    let mut cases: Vec<Case> = names.into_iter().map(holding).collect();
    cases.push(case("1000 files", |backend, request| {
        let mut files = backend.files(request);
        files.extend((0..1000).map(|n| (format!("file{n}"), json!("x"))));
        Answer::json(201, &files)
    }));
    cases
}

/// Bodies as bytes, from the good one.
type Spoil = fn(String) -> Vec<u8>;

fn wrong_texts() -> Vec<Case> {
    let spoiled: [(&str, Spoil); 20] = [
        ("nothing", |_| Vec::new()),
        ("white space", |_| b" \r\n\t".to_vec()),
        ("null", |_| b"null".to_vec()),
        ("a number", |_| b"42".to_vec()),
        ("a string", |good| {
            Value::from(good).to_string().into_bytes()
        }),
        ("an array", |good| format!("[{good}]").into_bytes()),
        ("an empty object", |_| b"{}".to_vec()),
        ("HTML", |_| {
            b"<html><title>\x1b[31mlogin\x07</title></html>".to_vec()
        }),
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
        ("two megabytes", |_| vec![b' '; 2_000_000]),
    ];
    let body_of = |(name, spoil): (&str, Spoil)| {
        case(format!("the body is {name}"), move |backend, request| {
            let good = serde_json::to_string(&backend.files(request)).unwrap();
            Answer::whole(201, &spoil(good))
        })
    };
    spoiled.into_iter().map(body_of).collect()
}

fn wrong_configurations() -> Vec<Case> {
    let replaced = [
        ("server = ", "server == "),
        ("[tls]", "[tls"),
        ("[tls]", "[tls] # comment"),
        ("[tls]", "[[tls]]"),
        ("[tls]", "[tls.inner]"),
        ("[storage]", "[tls]"),
        ("[storage]", "\u{feff}[storage]"),
        ("https://", "http://"),
        ("https://", ""),
        ("server = ", "other = "),
        ("ca_source = \"file\"", "ca_source = \"pkcs11\""),
        ("ca_source = \"file\"", "ca_source = 'file'"),
        ("ca_source = \"file\"", "ca_source = \"file\" # comment"),
        ("ca_source = \"file\"", "ca_source = \"\"\"file\"\"\""),
        (
            "ca_source = \"file\"",
            "ca_source = \"file\"\nca_source = \"file\"",
        ),
        ("ca_source = \"file\"", "; ca_source"),
        ("pkey_source = \"file\"", "pkey_source = [\"file\"]"),
        ("pkey_source = \"file\"", "pkey_source = { a = \"file\" }"),
        ("pkey_source = \"file\"", "pkey_source = 2020-01-01"),
        ("pkey_source = \"file\"", "pkey_source = \"\""),
        ("pkey_source = \"file\"", "pkey_source = \"a\u{1}b\""),
        ("tls_cacert_path", "tls_cacert_nowhere"),
        ("tls_pkey_path", "tls_pkey_nowhere"),
        ("tags = \"main\"", "tags = \"main"),
        ("tags = \"main\"", "tags"),
        ("tags = \"main\"", "\u{1b}[2J = 1"),
    ];
    let replace = |(old, new): (&'static str, &'static str)| {
        case(
            format!("in sota.toml {old:?} is {new:?}"),
            move |backend, request| {
                let mut files = backend.files(request);
                let good = files["sota.toml"].as_str().unwrap();
                assert!(good.contains(old), "{old:?} is not in {good}");
                files["sota.toml"] = good.replacen(old, new, 1).into();
                Answer::json(201, &files)
            },
        )
    };
    replaced.into_iter().map(replace).collect()
}
