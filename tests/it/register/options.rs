//! The command line through the real program: every option in every spelling that scripts use.

use lmp_test_support::answers::{Backend, signing_server};
use lmp_test_support::board::{Board, Run, TOKEN, run};
use lmp_test_support::scripted::{Request, ScriptedServer};
use lmp_test_support::tools::under;

const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";

/// The request of a registration that is told nothing but these words and where the board's own
/// files are.
fn sent(board: &Board, words: &[&str]) -> Request {
    let server = signing_server();
    let mut command = board.bare_command();
    command.env("DEVICE_API", server.url());
    command.arg("--update-client-lock").arg(board.lock());
    command.args(words);
    run(command).expect(0);
    server.only_request()
}

#[test]
fn every_option_in_every_spelling() {
    let spellings = [
        "-d SOTA -f acme -i hw -t t1,t2 -T TOK -H X-Token -u UUID -n nam -g grp -a a1 -A a2 -p 1 \
         -l 0 -v 1 --use-ostree-server 0 --start-daemon 0 --force 0",
        "-dSOTA -facme -ihw -tt1,t2 -TTOK -HX-Token -uUUID -nnam -ggrp -aa1 -Aa2 -p1 -l0 -v1 \
         --use-ostree-server off --start-daemon FALSE --force no",
        "--sota-dir SOTA --factory acme --hwid hw --tags t1,t2 --api-token TOK \
         --api-token-header X-Token --uuid UUID --name nam --device-group grp --apps a1 \
         --restorable-apps a2 --production yes --mlock-all no --validate-uuid on \
         --use-ostree-server No --start-daemon Off --force False",
        "--sota-dir=SOTA --factory=acme --hwid=hw --tags=t1,t2 --api-token=TOK \
         --api-token-header=X-Token --uuid=UUID --name=nam --device-group=grp --apps=a1 \
         --restorable-apps=a2 --production=TRUE --mlock-all=0 --validate-uuid=1 \
         --use-ostree-server=0 --start-daemon=0 --force=0",
        "--sota SOTA --fact acme --hw hw --tag t1,t2 --api-token TOK --api-token-h X-Token \
         --uu UUID --na nam --dev grp --app a1 --resto a2 --prod --mlock 0 --val 1 --use 0 \
         --start 0 --forc 0",
        "--production --force -d SOTA -f acme -i hw -t t1,t2 -T TOK -H X-Token -u UUID -n nam \
         -g grp -a a1 -A a2 --use-ostree-server 0 --start-daemon 0",
    ];
    for spelling in spellings {
        let board = Board::new();
        let sota = board.sota().to_str().unwrap().to_owned();
        let line = spelling
            .replace("SOTA", &sota)
            .replace("TOK", TOKEN)
            .replace("UUID", UUID);
        let words: Vec<&str> = line.split_whitespace().collect();
        let request = sent(&board, &words);
        assert_eq!(request.header("x-token"), [TOKEN], "{spelling}");
        let mut body = request.json();
        body.as_object_mut().unwrap().remove("csr");
        let expected = serde_json::json!({
            "use-ostree-server": "false", "sota-config-dir": sota, "hardware-id": "hw",
            "name": "nam", "uuid": UUID, "group": "grp",
            "overrides": { "pacman": {
                "type": "\"ostree+compose_apps\"",
                "compose_apps_root": format!("\"{sota}/compose-apps\""),
                "compose_apps": "\"a1\"",
                "reset_apps_root": format!("\"{sota}/reset-apps\""),
                "reset_apps": "\"a2\"",
                "tags": "\"t1,t2\"",
            } },
        });
        assert_eq!(body, expected, "{spelling}");
    }
}

#[test]
fn force_in_every_spelling() {
    for words in [
        &["--force"][..],
        &["--force", "1"],
        &["--force=1"],
        &["--force", "YES"],
        &["--forc", "on"],
        &["--force=TRUE"],
        &["--force", "-n", "nam"],
    ] {
        let board = Board::new();
        std::fs::write(board.file("client.pem"), "old").unwrap();
        let server = signing_server();
        board.register(&server.url(), words).expect(0);
        assert_ne!(board.text("client.pem"), "old");
    }
}

#[test]
fn the_environment_comes_after_the_command_line() {
    let register = |words: &[&str]| {
        let backend = Backend::new();
        let server = ScriptedServer::new(move |request| {
            // Signed for whatever factory: only the request matters here.
            backend.signed(request)
        });
        let board = Board::new();
        let mut command = board.command(&server.url());
        command
            .args(["--start-daemon=0", "--retry-for=0", "--verbose"])
            .args(words);
        command.env("DEVICE_FACTORY", "acme").env("PRODUCTION", "1");
        run(command)
    };
    let by_variable = register(&[]).expect(0);
    by_variable.says(&[
        "factory = \"acme\" (environment DEVICE_FACTORY)",
        "production = \"true\" (environment PRODUCTION)",
    ]);
    register(&["-p", "0", "-f", "acme"]).expect(0).says(&[
        "factory = \"acme\" (command line)",
        "production = \"false\" (command line)",
    ]);
}

/// What the incumbent's users type first. Neither looks at the machine.
#[test]
fn help_and_version() {
    let ask = |word: &str| -> Run {
        let board = Board::new();
        let mut command = board.bare_command();
        command.arg(word);
        run(command).expect(0)
    };
    for word in ["--help", "-h"] {
        let help = ask(word);
        assert_eq!(help.stderr, "");
        for option in [
            "--use-ostree-server",
            "--production",
            "--start-daemon",
            "--sota-dir",
            "--device-group",
            "--factory",
            "--hsm-so-pin",
            "--mlock-all",
            "--validate-uuid",
            "--hwid",
            "--tags",
            "--api-token",
            "--api-token-header",
            "--hsm-module",
            "--hsm-pin",
            "--uuid",
            "--name",
            "--force",
            "--apps",
            "--restorable-apps",
            "check",
            "Exit codes",
            "Identity:",
            "Authorisation:",
            "Network:",
            "Updates:",
        ] {
            assert!(help.stdout.contains(option), "{option}: {help}");
        }
        for line in help.stdout.lines() {
            assert!(
                line.chars().count() <= 80,
                "does not fit a terminal: {line}"
            );
        }
    }
    let version = ask("--version").stdout;
    for fact in [env!("CARGO_PKG_VERSION"), "commit:", "target:", "features:"] {
        assert!(version.contains(fact), "{fact}: {version}");
    }
    assert!(ask("-V").stdout.starts_with("lmp-device-register "));
}

#[test]
fn words_that_mean_nothing() {
    for words in [
        &["--nonsense"][..],
        &["-z"],
        &["nonsense"],
        &["--hwid"],
        &["--h", "x"],
        &["--force", "maybe"],
        &["--force=maybe"],
        &["-p2"],
        &["--mlock-all", "perhaps"],
        &["--retry-for", "-1"],
        &["--retry-for", "soon"],
        &["--connect-timeout", "0"],
        &["--read-timeout", "1e3"],
        &["-f", "a", "-f", "b"],
        &["check", "--nonsense"],
        &["--api-token", "a", "--api-token-file", "b"],
    ] {
        let board = Board::new();
        let mut command = board.bare_command();
        command.args(words);
        let run = run(command).expect(64);
        assert!(
            run.stdout.is_empty() && !run.stderr.is_empty(),
            "{words:?}: {run}"
        );
    }
}

/// A wrong command line that holds a token does not show it.
#[test]
fn a_usage_error_does_not_show_the_token() {
    let board = Board::new();
    let mut command = board.bare_command();
    command.args(["--api-token", TOKEN, "--nonsense"]);
    run(command).expect(64);
    let mut command = board.bare_command();
    command.args(["--api-token", TOKEN, "--api-token-file", "x"]);
    run(command).expect(64);
}

/// Nobody has to write a secret to a disk: standard input is a file, too, and may be a pipe.
#[test]
fn a_token_on_standard_input() {
    for name in ["-", "/dev/stdin"] {
        let (board, server) = (Board::new(), signing_server());
        let mut command = board.local_command();
        command.env("DEVICE_API", server.url());
        command.args([
            "--start-daemon",
            "0",
            "--retry-for",
            "0",
            "--api-token-file",
            name,
        ]);
        let piped = format!("/bin/cat {:?} | \"$@\"", board.path("token"));
        run(under("/bin/sh", ["-c", &piped, "sh"], &command)).expect(0);
        assert_eq!(server.requests()[0].header("osf-token"), [TOKEN]);
    }
    let board = Board::new();
    let nothing = ["--api-token-file", "-"];
    let mut command = board.local_command();
    command.args(nothing);
    run(command)
        .expect(78)
        .says(&["the first line of \"-\" is empty"]);
}
