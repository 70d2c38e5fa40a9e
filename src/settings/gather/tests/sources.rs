//! Which of several sources wins, and what a command takes of them.

use super::*;
use crate::settings::files::parse;
use crate::settings::options::Field;
use crate::settings::resolve::update_client_lock;

/// A URI with a PIN.
const URI: &str = "hsm-module = \"pkcs11:token=b?module-path=/m.so&pin-value=uri\"\n";

/// What is said by a command line, variables, and configuration files, the first one first.
fn said<'a>(
    words: &[&'a str],
    variables: &[(&'a str, &'a str)],
    files: &[(&str, &str)],
) -> Sources {
    let case = Case {
        environment: variables.to_vec(),
        ..Case::new(words)
    };
    let read = |(path, text): &(&str, &str)| parse(path.as_ref(), text).unwrap();
    case.sources(files.iter().map(read).collect()).unwrap()
}

#[track_caller]
fn assert_first(sources: &Sources, field: Field<String>, value: &str, origin: Origin) {
    assert_eq!(sources.first(field), Some((&value.to_owned(), &origin)));
}

fn file(path: &str) -> Origin {
    Origin::File(path.into())
}

#[test]
fn typed_words_win_and_the_first_file_comes_next() {
    let files = [
        ("/above", "name = \"above\"\nhsm-allow-final-try = false"),
        (
            "/below",
            "name = \"below\"\ntags = \"t\"\nhwid = \"h\"\nhsm-allow-final-try = true",
        ),
    ];
    let sources = said(&["-i", "typed"], &[], &files);
    assert_first(&sources, |o| &o.register.hwid, "typed", Origin::CommandLine);
    assert_first(&sources, |o| &o.register.name, "above", file("/above"));
    assert_first(&sources, |o| &o.register.tags, "t", file("/below"));
    assert_first(
        &sources,
        |o| &o.register.api_token_header,
        "OSF-TOKEN",
        Origin::Default,
    );
    assert!(!sources.is_on(|o| &o.register.hsm_allow_final_try));
    let sources = said(&["--hsm-allow-final-try"], &[], &files);
    assert!(sources.is_on(|o| &o.register.hsm_allow_final_try));
}

#[test]
fn the_environment_hides_a_file() {
    let files = [(
        "/c",
        "factory = \"f\"\nproduction = false\nhsm-pin-file = \"/nowhere\"",
    )];
    let variables = [
        ("DEVICE_FACTORY", "v"),
        ("PRODUCTION", "1"),
        ("LMP_HSM_PIN", "p"),
    ];
    let sources = said(&[], &variables, &files);
    let origin = Origin::Environment("DEVICE_FACTORY");
    assert_first(&sources, |o| &o.register.factory, "v", origin);
    assert!(sources.is_on(|o| &o.register.production));
    let pin = Some((Secret::from("p"), Origin::Environment("LMP_HSM_PIN")));
    assert_eq!(secrets::find(&sources).unwrap().hsm_pin, pin);
    // An empty PIN is none.
    let sources = said(&[], &[("LMP_HSM_PIN", "")], &[("/c", "hsm-pin = \"file\"")]);
    let pin = Some((Secret::from("file"), file("/c")));
    assert_eq!(secrets::find(&sources).unwrap().hsm_pin, pin);
}

#[test]
fn a_secret_and_its_file_are_one_setting() {
    let found = |words: &[&'static str], files: &[(&str, &str)]| {
        let sources = said(words, &[], files);
        secrets::find(&sources)
    };
    let files = [
        ("/a", "api-token = \"above\""),
        ("/b", "api-token-file = \"/nowhere\""),
    ];
    let token = found(&[], &files).unwrap().api_token;
    assert_eq!(token, Some((Secret::from("above"), file("/a"))));
    let reversed = [files[1], files[0]];
    let error = found(&[], &reversed).unwrap_err().full_message();
    assert!(error.contains("/nowhere"), "{error}");
    let token = found(&["-T", "x"], &reversed).unwrap().api_token;
    assert_eq!(token, Some((Secret::from("x"), Origin::CommandLine)));
    let both = [("/c", "hsm-pin = \"1\"\nhsm-pin-file = \"/pin\"")];
    let error = found(&[], &both).unwrap_err().full_message();
    assert_eq!(error, "file \"/c\" sets both hsm-pin and hsm-pin-file");
    found(&["-P", "2"], &both).unwrap();
}

/// It counts for more than what was only passed on, and no option may stand beside it.
#[test]
fn the_pin_of_a_uri() {
    let pin = |words: &[&'static str], variables: &[_], more: &str| {
        let sources = said(words, variables, &[("/c", &format!("{URI}{more}"))]);
        secrets::find(&sources).map(|found| found.hsm_pin)
    };
    let of_uri = Some((Secret::from("uri"), file("/c")));
    let variable = [("LMP_HSM_PIN", "v")];
    assert_eq!(pin(&[], &[], "").unwrap(), of_uri);
    assert_eq!(pin(&[], &variable, "").unwrap(), of_uri);
    assert_eq!(pin(&[], &variable, "hsm-pin = \"f\"").unwrap(), of_uri);
    for (words, more) in [(&["-P", "p"][..], ""), (&[], "hsm-pin = \"f\"")] {
        let error = pin(words, &[], more).unwrap_err().full_message();
        assert!(error.contains("an option gives one too"), "{error}");
    }
}

#[test]
fn a_command_gets_only_its_own_options() {
    let text = "sota-dir = \"/d\"\nhsm-pin = \"1\"\nhsm-pin-file = \"/nowhere\"\n\
                update-client-lock = \"/l\"\njson = true\n";
    let sources = said(&["check"], &[], &[("/c", text)]);
    assert_eq!(sota_dir(&sources), PathBuf::from("/d"));
    assert!(sources.is_on(|o| &o.common.json));
    let sources = said(&["-d", "/x", "check"], &[], &[("/c", text)]);
    assert_eq!(sota_dir(&sources), PathBuf::from("/x"));

    let sources = said(&["unregister", "--yes"], &[], &[("/c", text)]);
    assert_eq!(update_client_lock(&sources), PathBuf::from("/l"));
    // Neither the PIN that stands beside the file nor an error about both.
    let error = pin_of_unregister(sources).unwrap_err().full_message();
    assert!(error.contains("/nowhere"), "{error}");
}
