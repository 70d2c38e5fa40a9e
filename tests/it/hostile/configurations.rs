//! Whole answers with a `sota.toml` that one of its two readers would choke on.

use lmp_test_support::scripted::Answer;

use super::{Case, case, rejected};

/// A good answer whose `sota.toml` is changed so.
fn changed(name: String, change: impl Fn(&str) -> String + Send + Sync + 'static) -> Case {
    let changed = case(name, move |backend, request| {
        let mut files = backend.files(request);
        let good = files["sota.toml"].as_str().unwrap();
        let spoiled = change(good);
        assert_ne!(spoiled, good);
        files["sota.toml"] = spoiled.into();
        Answer::json(201, &files)
    });
    changed.says("sota.toml does not suit its readers")
}

#[test]
fn other_texts() {
    rejected([
        changed("HTML".into(), |_| "<html></html>".into()),
        changed("a mark".into(), |good| format!("\u{feff}{good}")),
        changed("a section twice".into(), |good| {
            format!("{good}[tls]\nserver = \"https://b\"\n")
        }),
    ]);
}

#[test]
fn places_that_are_wrong() {
    let ca_source = "ca_source = \"file\"";
    let pkey_source = "pkey_source = \"file\"";
    let tags = "tags = \"main\"";
    let replaced = [
        ("server = ", "server == ", ""),
        ("server = ", "other = ", "https URL"),
        ("https://", "http://", "https URL"),
        ("https://", "", "https URL"),
        ("[tls]", "[tls", ""),
        ("[tls]", "[tls] # comment", ""),
        ("[tls]", "[[tls]]", ""),
        ("[tls]", "[tls.inner]", ""),
        ("[storage]", "[tls]", ""),
        ("[storage]", "\u{feff}[storage]", ""),
        (ca_source, "ca_source = \"pkcs11\"", "tls.ca_source"),
        (ca_source, "ca_source = \"x\"", "tls.ca_source"),
        (ca_source, "ca_source = 'file'", "double quotes"),
        (ca_source, "ca_source = \"file\" # comment", "comment"),
        (ca_source, "ca_source = \"\"\"file\"\"\"", ""),
        (ca_source, "ca_source = \"file\"\nca_source = \"file\"", ""),
        (ca_source, "; ca_source", ""),
        (pkey_source, "pkey_source = [\"file\"]", ""),
        (pkey_source, "pkey_source = { a = \"file\" }", ""),
        (pkey_source, "pkey_source = 2020-01-01", ""),
        (pkey_source, "pkey_source = \"\"", "tls.pkey_source"),
        (pkey_source, "pkey_source = \"a\u{1}b\"", ""),
        (pkey_source, "key_source = \"file\"", "tls.pkey_source"),
        (
            "tls_cacert_path",
            "tls_cacert_nowhere",
            "import.tls_cacert_path",
        ),
        ("tls_pkey_path", "tls_pkey_nowhere", "import.tls_pkey_path"),
        (tags, "tags = \"main", ""),
        (tags, "tags = 'main'", "double quotes"),
        (tags, "tags = \"main\" # x", "comment"),
        (tags, "tags = \"\"\"\nmain\"\"\"", ""),
        (tags, "tags", ""),
        (tags, "\u{1b}[2J = 1", ""),
    ];
    let replace = |(old, new, words): (&'static str, &'static str, &str)| {
        let name = format!("in sota.toml {old:?} is {new:?}");
        changed(name, move |good| good.replacen(old, new, 1)).says(words)
    };
    rejected(replaced.into_iter().map(replace));
}

/// The update client would look for a key on a token, and load the library that it names.
#[test]
fn a_token_that_nobody_asked_for() {
    let rejected_with = |section: &'static str| {
        let changed = changed(section.into(), move |good| format!("{good}\n{section}\n"));
        changed.says("[p11]")
    };
    rejected([
        rejected_with("[p11]"),
        rejected_with(
            "[p11]\nmodule = \"/tmp/evil.so\"\ntls_pkey_id = \"01\"\ntls_clientcert_id = \"03\"",
        ),
    ]);
}
