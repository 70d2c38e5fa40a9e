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

/// The incumbent's long options, as its help lists them.
const INCUMBENT: &str = "help use-ostree-server production start-daemon sota-dir device-group \
    factory hsm-so-pin mlock-all validate-uuid hwid tags api-token api-token-header hsm-module \
    hsm-pin uuid name force apps restorable-apps";

/// Whatever options are added, for a registration and for `auto`.
#[test]
fn every_prefix_that_was_unambiguous_means_what_it_meant() {
    let all: Vec<&str> = INCUMBENT.split_whitespace().collect();
    let mut tried = 0;
    for name in &all {
        for prefix in (1..name.len()).map(|end| &name[..end]) {
            let meant = all.iter().filter(|other| other.starts_with(prefix));
            if meant.count() > 1 || all.contains(&prefix) {
                continue;
            }
            tried += 1;
            let parse = |name: &str, words: &[&str]| {
                let option = format!("--{name}");
                let words = [&["lmp-device-register"], words, &[&option, "1"]].concat();
                let kind = |error: clap::Error| error.kind();
                parse(words.into_iter().map(OsString::from)).map_err(kind)
            };
            for command in [&[][..], &["auto"]] {
                let (short, full) = (parse(prefix, command), parse(name, command));
                assert_eq!(format!("{short:?}"), format!("{full:?}"), "--{prefix}");
                assert!(short.is_ok() || *name == "help", "--{prefix}");
            }
        }
    }
    assert!(tried > 100, "{tried}");
    // A command has only its own.
    let check = parse(["lmp-device-register", "check", "--verb"].map(OsString::from));
    assert_eq!(check.unwrap().common.verbose, Some(true));
}

#[test]
fn values_may_begin_with_a_dash() {
    for words in [
        &["-T", "-abc", "-P", "-123"][..],
        &["-T=-abc", "-P=-123"],
        &["-T-abc", "-P-123"],
        &["--api-token", "-abc", "--hsm-p", "-123"],
        &["--api-token=-abc", "--hsm-pin=-123"],
    ] {
        let args = parsed(words).unwrap();
        assert_eq!(args.api_token, Some(Secret::from("-abc")), "{words:?}");
        assert_eq!(args.hsm_pin, Some(Secret::from("-123")), "{words:?}");
    }
    let name = |value: &str| parsed(&["-n", value]).unwrap().name.unwrap();
    for value in ["--", "-", "-z", "--nonsense", "=a", "a=b", "-T=x"] {
        assert_eq!(name(value), value);
    }
    // A variable that was empty and not quoted: no tag is called --force.
    for words in [
        &["-t", "--force"][..],
        &["-t", "-f", "acme"],
        &["--tags", "--name=x"],
        &["-t"],
    ] {
        assert!(parsed(words).is_err(), "{words:?}");
    }
}

#[test]
fn what_is_empty() {
    assert_eq!(
        parsed(&["", "-f", "acme", ""]).unwrap(),
        parsed(&["-facme"]).unwrap()
    );
    assert_eq!(parsed(&["--force", ""]).unwrap().force, Some(true));
    for words in [
        ["-l", ""],
        ["-v", ""],
        ["--start-daemon", ""],
        ["--use", ""],
    ] {
        assert_eq!(parsed(&words).unwrap(), RegisterOptions::default());
    }
    let args = parsed(&["-A", "", "-a", ""]).unwrap();
    assert_eq!(args.restorable_apps.as_deref(), Some(""));
    assert_eq!(args.apps.as_deref(), Some(""));
    // To write into / is nobody's wish.
    assert!(parsed(&["-d", ""]).is_err());
}

/// A word that means nothing is said to, with what may have been meant.
#[test]
fn what_may_have_been_meant() {
    let error = |words: &[&str]| parsed(words).unwrap_err().to_string();
    let shown = error(&["chekc"]);
    assert!(
        shown.contains("'chekc'") && shown.contains("'check'"),
        "{shown}"
    );
    let shown = error(&["--factroy", "acme"]);
    assert!(shown.contains("'--factory'"), "{shown}");
    for words in [&["--force", "maybe"][..], &["-p", "maybe"]] {
        let shown = error(words);
        assert!(
            shown.contains("invalid value 'maybe'") && shown.contains("1, 0, true"),
            "{shown}"
        );
    }
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
