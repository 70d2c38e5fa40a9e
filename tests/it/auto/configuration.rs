//! `config.toml` and `conf.d`: any option, in the order of names, below what is typed or set.

use std::fs;
use std::process::Command;

use crate::agent::option_names;
use serde_json::Value;

use lmp_test_support::answers::signing_server;
use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::image::Image;
use lmp_test_support::token::{SOFTHSM, SoftHsm};

/// A board with these files in its configuration directory.
fn board(files: &[(&str, &str)]) -> Board {
    let board = Board::new();
    fs::create_dir_all(board.path("config/conf.d")).unwrap();
    for (name, text) in files {
        fs::write(board.path("config").join(name), text).unwrap();
    }
    board
}

/// `--dry-run` with that directory and nothing else typed.
fn rehearse(board: &Board) -> Command {
    let mut command = board.bare_command();
    command.args(["--dry-run", "--json", "--config-dir"]);
    command.arg(board.path("config"));
    command
}

/// What `--dry-run` says of a setting: value and origin.
pub(super) fn setting(run: &Run, name: &str) -> (String, String) {
    let setting = &run.json()["settings"][name];
    let text = |value: &Value| {
        let text = value.as_str();
        text.unwrap_or_else(|| panic!("{name} is {setting} in {run}"))
            .to_owned()
    };
    (text(&setting["value"]), text(&setting["origin"]))
}

/// A configuration that is complete.
fn base(board: &Board) -> String {
    format!(
        "factory = \"acme\"\nhwid = \"hw\"\ntags = \"main\"\nsota-dir = {:?}\n\
         update-client-lock = {:?}\nos-release = {:?}\n",
        board.sota(),
        board.lock(),
        board.path("os-release"),
    )
}

#[test]
fn later_names_win() {
    let board = board(&[
        ("conf.d/20-last.toml", "name = \"20\"\n"),
        ("conf.d/10-first.toml", "name = \"10\"\ntags = \"10\"\n"),
        ("conf.d/.hidden.toml", "name = \"hidden\"\n"),
        ("conf.d/99.toml.bak", "no TOML\n"),
        ("conf.d/README", "no TOML\n"),
    ]);
    let text = format!(
        "name = \"config\"\ndevice-group = \"config\"\n{}",
        base(&board)
    );
    fs::write(
        board.path("config/config.toml"),
        text.replace("tags = \"main\"\n", "tags = \"config\"\n"),
    )
    .unwrap();
    let run = run(rehearse(&board)).expect(0);
    let file = |name: &str| format!("file {:?}", board.path("config").join(name));
    let is =
        |name, value: &str, origin| assert_eq!(setting(&run, name), (value.to_owned(), origin));
    is("name", "20", file("conf.d/20-last.toml"));
    is("tags", "10", file("conf.d/10-first.toml"));
    is("device-group", "config", file("config.toml"));
}

#[test]
fn the_command_line_and_the_environment_win() {
    let board = board(&[]);
    let text = format!("production = false\n{}", base(&board));
    fs::write(board.path("config/config.toml"), text).unwrap();
    let mut command = rehearse(&board);
    command.args(["-t", "typed", "--hwid=typed"]);
    command.envs([("DEVICE_FACTORY", "variable"), ("PRODUCTION", "1")]);
    let run = run(command).expect(0);
    let is = |name, value: &str, origin: &str| {
        assert_eq!(setting(&run, name), (value.to_owned(), origin.to_owned()));
    };
    is("tags", "typed", "command line");
    is("hwid", "typed", "command line");
    is("factory", "variable", "environment DEVICE_FACTORY");
    is("production", "true", "environment PRODUCTION");
}

const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A value for each option, as TOML or as it is shown; what `--dry-run` shows of it; and what it
/// cannot go without.
const VALUES: &[(&str, &str, &str, &str)] = {
    let module = "hsm-module = \"/usr/lib/softhsm/libsofthsm2.so\"\n";
    let token = "hsm-module = \"/usr/lib/softhsm/libsofthsm2.so\"\nhsm-pin = \"1234\"\n";
    &[
        ("sota-dir", "", "", ""),
        ("os-release", "", "", ""),
        ("update-client-lock", "", "", ""),
        ("factory", "\"acme\"", "acme", ""),
        ("hwid", "\"hw\"", "hw", ""),
        ("tags", "[\"a\", \"b\"]", "a,b", ""),
        ("uuid", UUID, UUID, ""),
        ("name", "\"a \\\"b\\\" =c\"", "a \"b\" =c", ""),
        ("device-group", "\"-grp\"", "-grp", ""),
        ("production", "true", "true", ""),
        ("validate-uuid", "false", "false", ""),
        ("apps", "[\"a\", \"b\"]", "a,b", ""),
        ("restorable-apps", "\"\"", "", ""),
        ("use-ostree-server", "\"off\"", "false", ""),
        ("start-daemon", "false", "false", ""),
        ("api-token", "\"s3cret\"", "[secret]", ""),
        ("api-token-file", "", "[secret]", ""),
        (
            "api-token-header",
            "\"X-Token\"",
            "X-Token",
            "api-token = \"x\"\n",
        ),
        ("hsm-module", SOFTHSM, SOFTHSM, "hsm-pin = \"1234\"\n"),
        ("hsm-token-label", "\"mine\"", "mine", token),
        ("hsm-pin", "\"s3cret\"", "[secret]", module),
        ("hsm-pin-file", "", "[secret]", module),
        ("hsm-so-pin", "\"s3cret\"", "[secret]", token),
        ("hsm-so-pin-file", "", "[secret]", token),
        ("hsm-allow-final-try", "true", "true", token),
        ("device-api", "\"http://h/d\"", "http://h/d", ""),
        ("oauth-base", "\"http://h/o\"", "http://h/o", ""),
        ("retry-for", "5", "5", ""),
        ("ca-file", BUNDLE, BUNDLE, ""),
        ("connect-timeout", "5", "5", ""),
        ("read-timeout", "5", "5", ""),
        ("request-timeout", "5", "5", ""),
        ("force", "true", "true", ""),
        ("mlock-all", "0", "false", ""),
        ("wait-clock", "5", "5", ""),
        ("verbose", "false", "", ""),
        ("json", "false", "", ""),
    ]
};

#[test]
#[cfg_attr(not(feature = "pkcs11"), ignore = "has no token")]
fn every_option_can_be_set_and_is_shown_with_its_file() {
    let hsm = SoftHsm::new();
    hsm.initialise("mine");
    for name in option_names() {
        let known = VALUES.iter().find(|(option, ..)| *option == name);
        let (_, value, shown, needed) = known.unwrap_or_else(|| panic!("try --{name} here too"));
        if ["json", "verbose"].contains(&name.as_str()) {
            continue; // These are no settings of a registration; see below.
        }
        let board = board(&[]);
        let secret = board.path("secret");
        fs::write(&secret, "s3cret\n").unwrap();
        let mut text: Vec<String> = base(&board).lines().map(str::to_owned).collect();
        if name.ends_with("-pin-file") || name == "api-token-file" {
            text.push(format!("{name} = {secret:?}"));
        } else if !value.is_empty() {
            text.retain(|line| !line.starts_with(&format!("{name} = ")));
            let quoted = format!("{value:?}");
            let is_plain = [UUID, BUNDLE, SOFTHSM].contains(value);
            let value = if is_plain { &quoted } else { *value };
            text.push(format!("{name} = {value}"));
        }
        text.push((*needed).to_owned());
        let path = board.path("config/config.toml");
        fs::write(&path, text.join("\n")).unwrap();
        let mut command = rehearse(&board);
        hsm.show_to(&mut command);
        let run = run(command).expect(0);
        let setting_name = if name == "api-token-file" || name.ends_with("-pin-file") {
            name.trim_end_matches("-file")
        } else {
            &name
        };
        let (found, origin) = setting(&run, setting_name);
        let file = if setting_name == name { &path } else { &secret };
        assert_eq!(origin, format!("file {file:?}"), "{name}");
        if !shown.is_empty() || name == "restorable-apps" {
            assert_eq!(found, *shown, "{name}");
        }
        assert!(!format!("{run}").contains("s3cret"), "{run}");
    }
}

/// They count for every command, and for failures.
#[test]
fn options_of_the_output() {
    let board = board(&[("config.toml", "json = true\nverbose = true\n")]);
    let with = |arguments: &[&str]| {
        let mut command = board.local_command();
        command.args(arguments);
        run(command)
    };
    let rehearsed = with(&["--dry-run"]).expect(0);
    assert_eq!(rehearsed.json()["dry_run"], true);
    let failed = with(&["--dry-run", "-f", "lmp"]).expect(78);
    assert_eq!(failed.json()["exit_code"], 78);
    assert_eq!(failed.json()["error"], "configuration");
}

#[test]
fn check_and_unregister_look_where_the_configuration_says() {
    let board = board(&[]);
    let server = signing_server();
    board.register(&server.url(), [""; 0]).expect(0);
    let config = format!("sota-dir = {:?}\ntags = \"main\"\n", board.sota());
    fs::write(board.path("config/config.toml"), config).unwrap();
    let with = |arguments: &[&str]| {
        let mut command = board.bare_command();
        command
            .args(arguments)
            .arg("--config-dir")
            .arg(board.path("config"));
        run(command)
    };
    with(&["check", "--offline"]).expect(0);
    let lock = board.lock();
    let lock = ["--update-client-lock", lock.to_str().unwrap()];
    with(&[&["unregister", "--yes"][..], &lock].concat()).expect(0);
    assert!(board.names().is_empty());
    let missing = with(&["check", "--offline"]).expect(78);
    missing.says(&["is not registered", board.sota().to_str().unwrap()]);
}

#[test]
fn what_is_wrong_is_named_and_never_quoted() {
    for (text, words) in [
        (
            "factroy = \"s3cret\"",
            "sets \"factroy\", which is no option",
        ),
        (
            "[hsm]\npin = \"s3cret\"",
            "sets \"hsm\", which is no option",
        ),
        (
            "hsm_pin = \"s3cret\"",
            "sets \"hsm_pin\", which is no option",
        ),
        (
            "config-dir = \"s3cret\"",
            "sets \"config-dir\", which is no option",
        ),
        ("tags = \"main\"\nhsm-pin = \"s3cret", "is no TOML: line 2"),
        ("tags = \"s3cret\"\ntags = \"s3cret\"", "is no TOML: line 2"),
        ("retry-for = \"s3cret\"", "retry-for has no usable value"),
        ("force = \"s3cret\"", "force has no usable value"),
        ("tags = [1]", "tags is no text, number or boolean"),
        ("wait-clock = -1", "wait-clock has no usable value"),
        (
            "api-token = \"s3cret\"\napi-token-file = \"/x\"",
            "sets both api-token and api-token-file",
        ),
    ] {
        let board = board(&[("conf.d/50-site.toml", text)]);
        let run = run(board.local_command()).expect(78).says(&[words]);
        assert!(!format!("{run}").contains("s3cret"), "{run}");
        assert!(run.stderr.contains("50-site.toml"), "{run}");
        assert!(board.names().is_empty());
    }
}

#[test]
fn a_directory_that_was_asked_for_must_be_there() {
    let board = Board::new();
    fs::remove_dir_all(board.path("config")).unwrap();
    run(board.local_command())
        .expect(78)
        .says(&["is no directory", "hint: give --config-dir"]);
}

/// A link to nowhere is no file that nobody wrote.
#[test]
fn a_file_that_cannot_be_read() {
    let board = board(&[]);
    std::os::unix::fs::symlink("/nowhere", board.path("config/config.toml")).unwrap();
    run(rehearse(&board))
        .expect(78)
        .says(&["config.toml", "No such file"]);
}

/// Under its real name, and without `auto`.
#[test]
fn the_directory_of_the_device() {
    let image = Image::new();
    image.write(
        "/etc/lmp-device-register/config.toml",
        "tags = \"config\"\n",
    );
    image.write(
        "/etc/lmp-device-register/conf.d/1.toml",
        "api-token-file = \"/etc/lmp-device-register-token\"\n",
    );
    let run = run(image.command(["--dry-run", "--json"])).expect(0);
    let origin = "file \"/etc/lmp-device-register/config.toml\"".to_owned();
    assert_eq!(setting(&run, "tags"), ("config".to_owned(), origin));
    let origin = "file \"/etc/lmp-device-register-token\"".to_owned();
    assert_eq!(setting(&run, "api-token"), ("[secret]".to_owned(), origin));
    assert_eq!(
        setting(&run, "sota-dir"),
        ("/var/sota".to_owned(), "default".to_owned())
    );
}
