//! What both readers take, and what one of them would not.

use proptest::prelude::*;

use super::*;

const GOOD: &str = "\
# written by a backend
[tls]
server = \"https://gateway.example.com:8443\"
ca_source = \"file\"
pkey_source = \"file\"

[storage]
path = \"/var/sota/\"

[import]
tls_cacert_path = \"/var/sota/root.crt\"
tls_pkey_path = \"/var/sota/pkey.pem\"
tls_clientcert_path = \"/var/sota/client.pem\"

[uptane]
polling_sec = 300
key_source = \"file\"
verify = true
";

const TOKEN: P11<'static> = P11 {
    module: "/usr/lib/softhsm/libsofthsm2.so",
    pin: "87654321",
    label: None,
    key_id: "01",
    certificate_id: "03",
};

fn good() -> SotaToml {
    SotaToml::parse(GOOD).unwrap()
}

/// Why a text is refused.
#[track_caller]
fn refusal(text: &str) -> String {
    SotaToml::parse(text).unwrap_err().full_message()
}

#[test]
fn a_good_one_is_kept_as_it_is() {
    let good = good();
    assert_eq!(good.text(), GOOD);
    assert_eq!(good.gateway().unwrap(), "https://gateway.example.com:8443");
    assert_eq!(good.value("storage", "path"), Some("/var/sota/"));
    assert_eq!(good.value("uptane", "polling_sec"), None, "no text");
    assert_eq!(good.value("tls", "nothing"), None);
    assert_eq!(good.value("nothing", "server"), None);
    good.check_complete().unwrap();
    for harmless in [
        "",
        "\n\n",
        "# comment\n",
        "[tls]",
        "[a-b_1]\r\nx=1\r\n",
        "x = \"a # b; c\"",
    ] {
        assert_eq!(SotaToml::parse(harmless).unwrap().text(), harmless);
    }
}

/// The configuration daemon's reader fails.
#[test]
fn what_is_no_toml() {
    for text in [
        "[tls\n",
        "[tls]\nserver = https://unquoted\n",
        "[tls]\nserver\n",
        "; comment\n",
        "[tls]\na = 1\na = 2\n",
        "[tls]\na = 1\n[tls]\nb = 1\n",
        "[tls]\npass = 0123\n",
        "a = \"\0\"\n",
        "a = \"open\n",
        "<html>",
    ] {
        refusal(text);
    }
}

/// The update client's reader fails, or reads another value.
#[test]
fn what_ini_reads_otherwise() {
    for (text, words) in [
        ("\u{feff}[tls]\n", "byte order mark"),
        ("a = 'single'\n", "a is not in plain double quotes"),
        ("[t]\na = '''x'''\n", "t.a is not in plain double quotes"),
        ("a = \"\"\"x\"\"\"\n", "not in plain double quotes"),
        ("a = \"\"\"\nx\n\"\"\"\n", ""),
        ("a = 1 # why\n", "a has a comment on its line"),
        ("[t]\na = \"x\" # why\n", "t.a has a comment"),
        ("[t] # why\na = 1\n", "line 1 is no plain [section]"),
        ("[ t ]\n", "line 1 is no plain [section]"),
        ("[\"t\"]\n", "line 1 is no plain [section]"),
        ("[a.b]\n", "line 1 is no plain [section]"),
        ("\n[[t]]\n", "line 2 is no plain [section]"),
        ("a.b = 1\n", ""),
        ("[t]\na.b = 1\n", ""),
        ("\"a\" = 1\n", "key"),
        ("[t]\n\"a b\" = 1\n", "key"),
        ("[t]\n'a' = 1\n", "key"),
        ("a = [1, 2]\n", "neither text, number nor boolean"),
        ("a = [\n1\n]\n", ""),
        ("a = {b = 1}\n", "neither text, number nor boolean"),
        ("a = 1979-05-27\n", "neither text, number nor boolean"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.contains(words), "{text:?}: {refusal}");
    }
}

#[test]
fn the_gateway_is_an_https_url() {
    for server in ["", "http://gateway", "gateway:8443", "HTTPS"] {
        let text = GOOD.replace("https://gateway.example.com:8443", server);
        assert!(
            SotaToml::parse(&text).unwrap().gateway().is_err(),
            "{server}"
        );
    }
    assert!(SotaToml::parse("").unwrap().gateway().is_err());
    assert!(SotaToml::parse("tls = 1\n").unwrap().gateway().is_err());
}

/// Without any of these one of the readers fails later, on a device that nobody can reach.
#[test]
fn everything_that_its_readers_need() {
    for key in [
        "server",
        "ca_source",
        "pkey_source",
        "path",
        "tls_cacert_path",
        "tls_pkey_path",
        "tls_clientcert_path",
    ] {
        let start = GOOD.find(&format!("\n{key} = ")).unwrap() + 1;
        let end = start + GOOD[start..].find('\n').unwrap();
        let missing = format!("{}{}", &GOOD[..start], &GOOD[end..]);
        let empty = format!("{}{key} = \"\"{}", &GOOD[..start], &GOOD[end..]);
        for text in [missing, empty] {
            let error = SotaToml::parse(&text)
                .unwrap()
                .check_complete()
                .unwrap_err();
            assert!(
                error.full_message().contains(key),
                "{}",
                error.full_message()
            );
        }
    }
    let other = GOOD.replace("ca_source = \"file\"", "ca_source = \"pkcs11\"");
    assert!(SotaToml::parse(&other).unwrap().check_complete().is_err());
}

/// A key on a token needs its ids instead of paths.
#[test]
fn what_its_readers_need_with_a_token() {
    let paths = ["tls_pkey_path", "tls_clientcert_path"];
    let lines = GOOD
        .lines()
        .filter(|line| !paths.iter().any(|path| line.starts_with(path)));
    let text = lines.collect::<Vec<_>>().join("\n");
    let bare = SotaToml::parse(&text).unwrap();
    assert!(bare.check_complete().is_err());
    let merged = bare.with_p11(TOKEN).unwrap();
    merged.check_complete().unwrap();
    for id in ["tls_pkey_id", "tls_clientcert_id"] {
        let text = merged.text().replace(&format!("{id} = "), "other = ");
        let text = text.replacen("other = \"01\"\nother = ", "other = \"01\"\nmore = ", 1);
        assert!(
            SotaToml::parse(&text).unwrap().check_complete().is_err(),
            "{id}"
        );
    }
}

#[test]
fn a_token_section_is_added_at_the_end() {
    let merged = good().with_p11(TOKEN).unwrap();
    let section = "\n[p11]\nmodule = \"/usr/lib/softhsm/libsofthsm2.so\"\npass = \"87654321\"\n\
                   tls_pkey_id = \"01\"\ntls_clientcert_id = \"03\"\n";
    assert_eq!(merged.text(), format!("{GOOD}{section}"));
    let labelled = P11 {
        label: Some("board"),
        ..TOKEN
    };
    let merged = good().with_p11(labelled).unwrap();
    assert_eq!(merged.text(), format!("{GOOD}{section}label = \"board\"\n"));
    // A text whose last line is not ended.
    let open = SotaToml::parse(GOOD.trim_end())
        .unwrap()
        .with_p11(TOKEN)
        .unwrap();
    assert_eq!(open.text(), format!("{GOOD}{section}"));
    let empty = SotaToml::parse("").unwrap().with_p11(TOKEN).unwrap();
    assert_eq!(empty.text(), section);
}

/// A second section would break both readers.
#[test]
fn a_token_section_that_is_there_is_merged_into() {
    let text =
        format!("[p11]\nmodule = \"/other.so\"\ntls_pkey_id = \"07\"\nextra = \"x\"\n\n{GOOD}");
    let merged = SotaToml::parse(&text).unwrap().with_p11(TOKEN).unwrap();
    assert_eq!(merged.text().matches("[p11]").count(), 1);
    for (key, value) in [
        ("module", TOKEN.module),
        ("pass", "87654321"),
        ("tls_pkey_id", "01"),
        ("tls_clientcert_id", "03"),
        ("extra", "x"),
    ] {
        assert_eq!(merged.value("p11", key), Some(value));
    }
    assert_eq!(
        merged.gateway().unwrap(),
        "https://gateway.example.com:8443"
    );
    // What stands there is replaced where it stands, and the rest of the text stays as it is.
    let old = "[a]\nlabel = \"a\"\n[p11]\n# kept\nlabel = \"old\"\n  pass=\"old\"\nx = 1\n[b]\npass = \"b\"";
    let merged = SotaToml::parse(old).unwrap().with_p11(TOKEN).unwrap();
    let alone = SotaToml::parse("").unwrap().with_p11(TOKEN).unwrap();
    let (_, pairs) = alone.text().split_once("[p11]\n").unwrap();
    assert_eq!(
        merged.text(),
        format!("[a]\nlabel = \"a\"\n[p11]\n{pairs}# kept\nx = 1\n[b]\npass = \"b\"")
    );
    let wrong = SotaToml::parse("p11 = \"no section\"\n").unwrap();
    wrong.with_p11(TOKEN).unwrap_err();
}

#[test]
fn values_that_both_readers_take_alike() {
    for value in [
        "87654321",
        "/usr/lib/libsofthsm2.so",
        "a b",
        "ü",
        "#x",
        "it's",
        "01",
    ] {
        assert!(suits_both(value), "{value}");
    }
    for value in [
        "", "a\"b", "a\\b", "a\nb", "a\tb", "\0", "a\u{7f}", "a\u{9b}",
    ] {
        assert!(!suits_both(value), "{value:?}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "(\\PC|[\\[\\]=\"'#;\\\\\n\r\t\u{feff}])*") {
        let _ = SotaToml::parse(&text);
    }

    /// Lines that look like a configuration come further than noise does.
    #[test]
    fn parsing_lines_never_panics(lines in prop::collection::vec(
        prop_oneof!["\\[+[a-p.\" ]{0,4}\\]+ ?#?", "[a-p.\"']{0,3} ?=.{0,6}", "# ?.{0,5}", "p11 ?=.{0,3}"],
        0..8,
    )) {
        if let Ok(parsed) = SotaToml::parse(&lines.join("\n")) {
            let _ = parsed.check_complete();
            let _ = parsed.with_p11(TOKEN);
        }
    }

    /// What is merged reads back, stays the same when it is merged again, and hurts nothing else.
    #[test]
    fn merging_is_idempotent(
        module in "[^\"\\\\\\p{C}]{1,20}",
        pin in "[^\"\\\\\\p{C}]{1,20}",
        label in prop::option::of("[^\"\\\\\\p{C}]{1,32}"),
        key_id in "0[1-9]",
        section in prop::option::of("[a-z_]{1,9} = \"[a-z]{0,5}\"\n"),
    ) {
        prop_assume!(suits_both(&module) && suits_both(&pin));
        let section = section.map(|line| format!("[p11]\n{line}")).unwrap_or_default();
        let before = SotaToml::parse(&format!("{GOOD}{section}")).unwrap();
        let p11 = P11 {
            module: &module,
            pin: &pin,
            label: label.as_deref(),
            key_id: &key_id,
            certificate_id: "09",
        };
        let once = before.with_p11(p11).unwrap();
        prop_assert_eq!(once.value("p11", "module"), Some(module.as_str()));
        prop_assert_eq!(once.value("p11", "pass"), Some(pin.as_str()));
        prop_assert_eq!(once.value("p11", "tls_pkey_id"), Some(key_id.as_str()));
        let twice = once.with_p11(p11).unwrap();
        prop_assert_eq!(once.text(), twice.text());
        prop_assert!(once.text().starts_with(GOOD));
    }
}
