//! Words as the incumbent takes them, and new ones.

use super::*;

fn parsed(words: &[&str]) -> Result<RegisterOptions, clap::Error> {
    let words = std::iter::once("lmp-device-register").chain(words.iter().copied());
    parse(words.map(OsString::from)).map(|line| line.register)
}

#[test]
fn bool_words_in_any_case() {
    for word in ["1", "true", "TRUE", "Yes", "on", "ON"] {
        assert_eq!(parse_bool(word), Ok(true), "{word}");
    }
    for word in ["0", "false", "False", "NO", "off"] {
        assert_eq!(parse_bool(word), Ok(false), "{word}");
    }
    for word in ["", "2", "y", "enable", " 1"] {
        assert!(parse_bool(word).is_err(), "{word}");
    }
}

#[test]
fn every_way_to_force() {
    for words in [
        &["--force"][..],
        &["--force", "1"],
        &["--force=1"],
        &["--force", "TRUE"],
        &["--forc", "on"],
        &["--fo"],
        &["--force", "-f", "acme"],
    ] {
        assert_eq!(parsed(words).unwrap().force, Some(true), "{words:?}");
    }
    assert_eq!(parsed(&["--force", "0"]).unwrap().force, Some(false));
    assert_eq!(parsed(&["--force=no"]).unwrap().force, Some(false));
    assert_eq!(parsed(&[]).unwrap().force, None);
    assert!(parsed(&["--force", "maybe"]).is_err());
    assert!(parsed(&["--force=maybe"]).is_err());
}

#[test]
fn every_way_to_production() {
    for words in [
        &["-p"][..],
        &["-p1"],
        &["-p", "1"],
        &["-p=yes"],
        &["--production"],
        &["--prod", "on"],
    ] {
        assert_eq!(parsed(words).unwrap().production, Some(true), "{words:?}");
    }
    assert_eq!(parsed(&["-p0"]).unwrap().production, Some(false));
    assert_eq!(
        parsed(&["--production=off"]).unwrap().production,
        Some(false)
    );
}

#[test]
fn a_bare_force_leaves_the_next_word_alone() {
    let words = ["lmp-device-register", "auto", "--force", "--json"].map(OsString::from);
    let line = parse(words).unwrap();
    assert_eq!((line.common.json, line.common.verbose), (Some(true), None));
    let Some(Command::Auto(args)) = line.command else {
        panic!("no auto");
    };
    assert_eq!(args.force, Some(true));
}

#[test]
fn no_option_is_accepted_and_ignored() {
    let before = |words: [&str; 3]| parse(words.map(OsString::from));
    assert!(before(["lmp-device-register", "--force", "check"]).is_err());
    assert!(before(["lmp-device-register", "-facme", "unregister"]).is_err());
    assert!(before(["lmp-device-register", "-d/x", "check"]).is_ok());
    assert!(before(["lmp-device-register", "check", "-facme"]).is_err());
}

#[test]
fn long_options_may_be_shortened_while_they_are_unambiguous() {
    let args = parsed(&["--fact", "acme", "--tag=main", "--api-token-h", "X"]).unwrap();
    assert_eq!(args.factory.as_deref(), Some("acme"));
    assert_eq!(args.tags.as_deref(), Some("main"));
    assert_eq!(args.api_token_header.as_deref(), Some("X"));
    assert!(parsed(&["--h", "x"]).is_err(), "hwid, hsm-module, help");
}

#[test]
fn the_incumbents_options_all_parse() {
    let line = "--use-ostree-server 0 -p 1 --start-daemon no -d /tmp/x -g grp -f fac \
                -S so -l 0 -v off -i hw -t a,b -T tok -H Hdr -m /m.so -P pin -u u-1 -n nam \
                --force 0 -a a1 -A a2";
    let words: Vec<&str> = line.split_whitespace().collect();
    let args = parsed(&words).unwrap();
    assert_eq!(args.use_ostree_server, Some(false));
    assert_eq!(args.restorable_apps.as_deref(), Some("a2"));
    assert_eq!(args.hsm_so_pin.as_ref().map(Secret::expose), Some("so"));
    let long = "--use-ostree-server=0 --production=1 --start-daemon=no --sota-dir=/tmp/x \
                --device-group=grp --factory=fac --hsm-so-pin=so --mlock-all=0 \
                --validate-uuid=off --hwid=hw --tags=a,b --api-token=tok \
                --api-token-header=Hdr --hsm-module=/m.so --hsm-pin=pin --uuid=u-1 \
                --name=nam --force=0 --apps=a1 --restorable-apps=a2";
    let words: Vec<&str> = long.split_whitespace().collect();
    assert_eq!(
        format!("{:?}", parsed(&words).unwrap()),
        format!("{args:?}")
    );
}

#[test]
fn an_empty_list_is_a_value() {
    assert_eq!(
        parsed(&["-A", ""]).unwrap().restorable_apps.as_deref(),
        Some("")
    );
}

#[test]
fn help_fits_a_terminal() {
    let help = <CommandLine as clap::CommandFactory>::command()
        .render_help()
        .to_string();
    for line in help.lines() {
        assert!(
            line.chars().count() <= 80,
            "{} columns: {line}",
            line.chars().count()
        );
    }
}
