//! Values that are refused, and what is made of those that are not.

use super::*;
use crate::key::pkcs11::{TokenChoice, TokenSettings};

#[test]
fn the_variable_production_is_true_if_it_is_set_at_all() {
    for value in ["1", "true", "YES", "on", "x", "production", "2"] {
        let case = Case::enough(&[]).variable("PRODUCTION", value);
        case.shows(&[r#"production = "true" (environment PRODUCTION)"#]);
    }
    // Either reading of these would surprise somebody.
    for value in ["0", "false", "No", "OFF", ""] {
        let case = Case::enough(&[]).variable("PRODUCTION", value);
        assert!(case.error().contains("PRODUCTION"), "{value:?}");
        // Unless the command line decides.
        let yes = Case::enough(&["-p1"]).variable("PRODUCTION", value);
        yes.shows(&[r#"production = "true" (command line)"#]);
        let no = Case::enough(&["-p0"]).variable("PRODUCTION", value);
        no.shows(&[r#"production = "false" (command line)"#]);
    }
}

#[test]
fn production_may_be_built_in() {
    let built = |word| {
        let mut case = Case::enough(&[]);
        case.build.production = Some(word);
        case
    };
    built("1").shows(&[r#"production = "true" (built in PRODUCTION)"#]);
    built("Off").shows(&[r#"production = "false" (built in PRODUCTION)"#]);
    assert!(built("maybe").error().contains("\"maybe\""));
}

#[test]
fn factories_that_are_none() {
    for factory in ["lmp", ""] {
        assert!(Case::new(&["-f", factory]).error().contains("factory"));
        let case = Case::new(&[]).variable("DEVICE_FACTORY", factory);
        assert!(case.error().contains("factory"));
        let release = format!("LMP_FACTORY={factory}\n");
        let case = Case {
            os_release: &release,
            ..Case::new(&[])
        };
        assert!(case.error().contains("factory"));
    }
    assert_eq!(Case::new(&[]).error(), "no factory is set");
}

#[test]
fn hardware_and_tags_must_be_known() {
    assert_eq!(
        Case::new(&["-f", "a", "-t", "b"]).error(),
        "no hardware id is set"
    );
    assert_eq!(
        Case::new(&["-f", "a", "-t", "b", "-i", ""]).error(),
        "no hardware id is set"
    );
    assert_eq!(Case::new(&["-f", "a", "-i", "b"]).error(), "no tag is set");
    assert_eq!(
        Case::new(&["-f", "a", "-i", "b", "-t", ""]).error(),
        "no tag is set"
    );
}

/// ub-common-name and ub-organizational-unit-name count characters, not bytes.
#[test]
fn a_certificate_holds_64_characters() {
    for text in ["x".repeat(64), "ü".repeat(64)] {
        let case = Case::new(&["-f", &text, "-i", "h", "-t", "t", "-v", "0", "-u", &text]);
        case.resolve().unwrap();
        let longer = format!("{text}x");
        assert!(
            Case::new(&["-f", &longer])
                .error()
                .contains("65 characters")
        );
        let case = Case::enough(&["-v", "0", "-u", &longer]);
        assert!(case.error().contains("65 characters"));
    }
    for text in ["a\nb", "a\0b", "a\u{9b}b"] {
        assert!(
            Case::new(&["-f", text])
                .error()
                .contains("control character")
        );
        assert!(
            Case::enough(&["-v0", "-u", text])
                .error()
                .contains("control character")
        );
    }
}

#[test]
fn uuids() {
    for uuid in [
        "67e67bf8-6f72-481d-a05e-bcf2784dd584",
        "67E67BF8-6F72-481D-A05E-BCF2784DD584",
        "00000000-0000-0000-0000-000000000000",
    ] {
        Case::enough(&["-u", uuid]).resolve().unwrap();
    }
    for uuid in [
        "67e67bf8",
        "67e67bf86f72481da05ebcf2784dd584",
        "{67e67bf8-6f72-481d-a05e-bcf2784dd584}",
        "urn:uuid:67e67bf8-6f72-481d-a05e-bcf2784dd584",
        "67e67bf8-6f72-481d-a05e-bcf2784dd58",
        "67e67bf8-6f72-481d-a05e-bcf2784dd5844",
        "67e67bf8-6f72-481d-a05e-bcf2784dd58g",
        "67e67bf-86f72-481d-a05e-bcf2784dd584",
        " 67e67bf8-6f72-481d-a05e-bcf2784dd584",
    ] {
        assert!(
            Case::enough(&["-u", uuid]).error().contains("UUID"),
            "{uuid}"
        );
    }
    let other = Case::enough(&["-u", "board-7", "-v", "off"])
        .resolve()
        .unwrap();
    assert_eq!(other.uuid.as_deref(), Some("board-7"));
}

#[test]
fn tokens() {
    let found = |words, origin| Case {
        token: Some((Secret::from("tok"), origin)),
        ..Case::enough(words)
    };
    let case = found(&[], Origin::File("/t".into()));
    case.shows(&[r#"api-token = "[secret]" (file "/t")"#]);
    let case = found(&[], Origin::Credential("api-token"));
    case.shows(&[r#"api-token = "[secret]" (credential api-token)"#]);
    let case = found(&["-T", "typed"], Origin::File("/t".into()));
    case.shows(&[r#"api-token = "[secret]" (command line)"#]);
    let Authorisation::ApiToken { header, token } = case.resolve().unwrap().authorisation else {
        panic!("no token");
    };
    assert_eq!((header.as_str(), token.expose()), ("OSF-TOKEN", "typed"));
    // Nothing that a log could hold shows it.
    assert!(!format!("{:?}", case.resolve().unwrap()).contains("typed"));
    for token in ["a\r\nX: y", "a\n", "\ra", "a\0", "ä", "a\tb", "a\u{7f}"] {
        let case = Case::enough(&["-T", token]);
        assert!(case.error().contains("no header may hold"), "{token:?}");
        assert!(!format!("{:?}", case.resolve().unwrap_err()).contains("X: y"));
    }
}

/// Without a token a person approves the device; an empty one is none.
#[test]
fn no_token() {
    for case in [Case::enough(&[]), Case::enough(&["-T", ""])] {
        let Authorisation::DeviceGrant { base } = case.resolve().unwrap().authorisation else {
            panic!("a token");
        };
        assert_eq!(base.as_str(), "https://app.foundries.io/oauth");
    }
}

#[test]
fn addresses() {
    for url in [
        "http://localhost:1/v1/devices",
        "https://[::1]:8/",
        "HTTPS://a.example?x=1",
    ] {
        Case::enough(&[])
            .variable("DEVICE_API", url)
            .resolve()
            .unwrap();
    }
    for url in [
        "",
        "localhost",
        "ftp://a.example/",
        "file:///etc/passwd",
        "https://",
        "http:///",
        "/x",
    ] {
        let error = Case::enough(&[]).variable("DEVICE_API", url).error();
        let shown = format!("device-api is {url:?} (environment DEVICE_API)");
        assert!(error.starts_with(&shown), "{error}");
        let error = Case::enough(&["--oauth-base", url]).error();
        let shown = format!("oauth-base is {url:?} (command line)");
        assert!(error.starts_with(&shown), "{error}");
    }
    for url in [
        "https://user@a.example/",
        "https://user:pass@a.example/",
        "https://:pass@a.example/",
    ] {
        let error = Case::enough(&[]).variable("DEVICE_API", url).error();
        assert!(
            error.contains("user name or password") && !error.contains("pass@"),
            "{error}"
        );
    }
}

#[test]
fn keys_on_a_token() {
    let case = Case::enough(&["-m", "/m.so", "-P", "1234", "-S", "5678"]);
    let key = KeySetting::Token(TokenSettings {
        module: "/m.so".into(),
        choice: TokenChoice::labelled("aktualizr"),
        pin: Secret::from("1234"),
        so_pin: Some(Secret::from("5678")),
        allow_final_try: false,
    });
    assert_eq!(case.resolve().unwrap().key, key);
    for words in [
        &["-P", "1234"][..],
        &["-S", "5678"],
        &["-m", "/m.so"],
        &["-m", "/m.so", "-S", "5678"],
    ] {
        let error = Case::enough(words).error();
        assert!(
            error.contains("PIN") && !error.contains("1234"),
            "{words:?}: {error}"
        );
    }
}
