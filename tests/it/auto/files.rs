//! What the wrapper script read, under its absolute names: token, tag, host name, apps.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use lmp_test_support::answers::{invitation, signing_server};
use lmp_test_support::board::{Run, TOKEN, run};
use lmp_test_support::image::Image;
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use lmp_test_support::tools::tool;

/// `auto` with nothing else said but what `adjust` adds.
fn auto(image: &Image, server: &ScriptedServer, adjust: impl FnOnce(&mut Command)) -> Run {
    let mut command = image.command(["auto"]);
    command.env("DEVICE_API", server.url());
    adjust(&mut command);
    run(command)
}

/// The request of an `auto` that succeeds.
#[track_caller]
fn request(image: &Image, adjust: impl FnOnce(&mut Command)) -> Request {
    let server = signing_server();
    auto(image, &server, adjust).expect(0);
    server.only_request()
}

/// An `auto` that is refused before anything is made or anybody asked.
#[track_caller]
fn refused(image: &Image, adjust: impl FnOnce(&mut Command), words: &[&str]) {
    let before = image.snapshot();
    let server = signing_server();
    auto(image, &server, |command| {
        // Who falls back to the device grant would be seen to.
        command.env("OAUTH_BASE", format!("http://{}/oauth", server.address()));
        adjust(command);
    })
    .expect(78)
    .says(words);
    assert_eq!(server.connections(), 0);
    assert_eq!(image.snapshot(), before);
}

fn pacman(request: &Request, name: &str) -> Value {
    request.json()["overrides"]["pacman"][name].clone()
}

#[test]
fn an_image_that_has_only_the_token() {
    let image = Image::new();
    let request = request(&image, |_| {});
    assert_eq!(request.header("osf-token"), [TOKEN]);
    let body = request.json();
    assert_eq!(body["hardware-id"], "raspberrypi4-64");
    assert_eq!(body["sota-config-dir"], "/var/sota");
    assert_eq!(body["name"], body["uuid"]);
    assert_eq!(pacman(&request, "tags"), "\"main\"");
    assert_eq!(pacman(&request, "compose_apps"), Value::Null);
    image.board().assert_token_was_not_kept();
    run(image.command(["check", "--offline"])).expect(0);
    let again = signing_server();
    auto(&image, &again, |_| {}).expect(10);
    assert_eq!(again.connections(), 0);
}

/// Each one hides those after it.
#[test]
fn where_the_token_comes_from() {
    let image = Image::new();
    let token = |adjust: &dyn Fn(&mut Command)| {
        let image = Image::new();
        request(&image, adjust).header("osf-token").concat()
    };
    assert_eq!(token(&|_| {}), TOKEN);

    let other = image.board().path("other");
    fs::write(&other, "from-TOKEN_FILE\nsecond line\n").unwrap();
    let variable = |command: &mut Command| {
        command.env("TOKEN_FILE", &other);
    };
    assert_eq!(token(&variable), "from-TOKEN_FILE");
    let empty = |command: &mut Command| {
        command.env("TOKEN_FILE", "");
    };
    assert_eq!(token(&empty), TOKEN, "an empty variable is none");

    let store = tempfile::tempdir().unwrap();
    let credential = |command: &mut Command| {
        variable(command);
        command.env("CREDENTIALS_DIRECTORY", store.path());
    };
    assert_eq!(token(&credential), "from-TOKEN_FILE", "no credential yet");
    fs::write(store.path().join("api-token"), "from-credential").unwrap();
    assert_eq!(token(&credential), "from-credential");

    let typed = image.board().path("typed");
    fs::write(&typed, "from-command-line").unwrap();
    let typed = |command: &mut Command| {
        credential(command);
        command.arg("--api-token-file").arg(&typed);
    };
    assert_eq!(token(&typed), "from-command-line");
}

/// A configuration file names another place than the one that is only assumed.
#[test]
fn a_token_file_of_the_configuration() {
    let image = Image::new();
    image.remove("/etc/lmp-device-register-token");
    image.write("/etc/acme/token", "from-configuration");
    let config = "api-token-file = \"/etc/acme/token\"\n";
    image.write("/etc/lmp-device-register/config.toml", config);
    assert_eq!(
        request(&image, |_| {}).header("osf-token"),
        ["from-configuration"]
    );
}

/// It never becomes a device grant that nobody would see.
#[test]
fn no_token() {
    let image = Image::new();
    image.remove("/etc/lmp-device-register-token");
    let words = [
        "\"/etc/lmp-device-register-token\"",
        "No such file",
        "hint: write the API token",
    ];
    for unset in ["", "removed"] {
        let unnamed = |command: &mut Command| match unset {
            "" => _ = command.env("OAUTH_BASE", ""),
            _ => _ = command.env_remove("OAUTH_BASE"),
        };
        refused(&image, unnamed, &words);
    }
    image.write("/etc/lmp-device-register-token", "\n");
    refused(
        &image,
        |_| {},
        &["\"/etc/lmp-device-register-token\"", "is empty", "hint: "],
    );

    let image = Image::new();
    let elsewhere = |command: &mut Command| {
        command.env("TOKEN_FILE", "/nowhere/token");
    };
    refused(
        &image,
        elsewhere,
        &["\"/nowhere/token\"", "No such file", "hint: "],
    );
    let store = tempfile::tempdir().unwrap();
    fs::write(store.path().join("api-token"), "").unwrap();
    let credential = |command: &mut Command| {
        command.env("CREDENTIALS_DIRECTORY", store.path());
    };
    refused(&image, credential, &["api-token", "is empty", "hint: "]);
}

/// An image that names the approval server and has no token means a person, however it names it.
#[test]
fn a_person_approves() {
    let server = ScriptedServer::new(|request| {
        if request.target == "/oauth/token/" {
            return Answer::json(400, &json!({ "error": "access_denied" }));
        }
        assert_eq!(request.target, "/oauth/authorization/device/");
        Answer::json(200, &invitation())
    });
    let base = format!("http://{}/oauth", server.address());
    let words = ["code:    WDJB-MJHT", "error: the registration was denied"];
    for place in ["variable", "option", "file"] {
        let image = Image::new();
        image.remove("/etc/lmp-device-register-token");
        let ended = auto(&image, &server, |command| match place {
            "variable" => _ = command.env("OAUTH_BASE", &base),
            "option" => _ = command.args(["--oauth-base", &base]),
            _ => image.write(
                "/etc/lmp-device-register/config.toml",
                &format!("oauth-base = {base:?}\n"),
            ),
        });
        ended.expect(77).says(&words);
    }
}

#[test]
fn the_tag() {
    let image = Image::new();
    image.write("/etc/sota/tag", " devel\n\n");
    assert_eq!(pacman(&request(&image, |_| {}), "tags"), "\"devel\"");

    let image = Image::new();
    image.write("/etc/sota/tag", "devel\n");
    let typed = |command: &mut Command| {
        command.args(["--tags", "typed"]);
    };
    assert_eq!(pacman(&request(&image, typed), "tags"), "\"typed\"");

    let image = Image::new();
    image.write("/etc/sota/tag", "\n");
    refused(&image, |_| {}, &["\"/etc/sota/tag\" is empty", "hint: "]);
}

#[test]
fn the_host_name_as_device_name() {
    let image = Image::new();
    let named = request(&image, |command| {
        command.env("USE_HOSTNAME", "1");
    });
    assert_eq!(named.json()["name"], tool("uname", ["-n"]).trim());
    assert_ne!(named.json()["name"], named.json()["uuid"]);
}

#[test]
fn apps() {
    let apps = |directory: &[&str], config: &str, variable: Option<&str>| {
        let image = Image::new();
        for name in directory {
            fs::create_dir_all(image.path("/var/sota/compose-apps").join(name)).unwrap();
        }
        image.write("/etc/lmp-device-register/config.toml", config);
        let request = request(&image, |command| {
            command.envs(variable.map(|value| ("APPS", value)));
        });
        pacman(&request, "compose_apps")
    };
    assert_eq!(apps(&[], "", None), Value::Null);
    assert_eq!(
        apps(&["shellhttpd", "fiotest", ".tmp"], "", None),
        "\"fiotest,shellhttpd\""
    );
    assert_eq!(apps(&[".tmp"], "", None), Value::Null);
    assert_eq!(apps(&["a"], "", Some("b,c")), "\"b,c\"");
    assert_eq!(apps(&["a"], "", Some("")), "\"a\"");
    assert_eq!(apps(&["a"], "apps = [\"b\", \"d\"]", None), "\"b,d\"");
    assert_eq!(apps(&["a"], "apps = \"b\"", Some("c")), "\"c\"");
}

/// Apps are preloaded where the registration goes.
#[test]
fn apps_beside_a_registration_elsewhere() {
    let image = Image::new();
    image.write(
        "/etc/lmp-device-register/config.toml",
        "sota-dir = \"/var/elsewhere\"\n",
    );
    fs::create_dir_all(image.path("/var/sota/compose-apps/wrong")).unwrap();
    fs::create_dir_all(image.path("/var/elsewhere/compose-apps/right")).unwrap();
    let request = request(&image, |_| {});
    assert_eq!(pacman(&request, "compose_apps"), "\"right\"");
    assert!(image.path("/var/elsewhere/sota.toml").exists());
    run(image.command(["check", "--offline"])).expect(0);
}

/// strace sees every program that is started, with all its words.
#[test]
fn no_secret_is_in_the_words_of_a_program() {
    let image = Image::new();
    let board = image.board();
    board.install_program("systemctl", "#!/bin/sh\nexit 0\n");
    let trace = board.path("trace");
    let strace = [
        "/usr/bin/strace",
        "-f",
        "-s",
        "4096",
        "-e",
        "trace=execve",
        "-o",
    ];
    let tool = [&strace[..], &[trace.to_str().unwrap()]].concat();
    let server = signing_server();
    let mut command = image.command_under(&tool, ["auto", "--retry-for", "0"]);
    command.env("DEVICE_API", server.url());
    run(command).expect(0);
    let trace = fs::read_to_string(trace).unwrap();
    assert!(
        trace.contains("systemctl\", \"start\", \"--no-block\", \"aktualizr-lite\"]"),
        "{trace}"
    );
    assert!(
        trace.contains("\"auto\", \"--retry-for\", \"0\"]"),
        "{trace}"
    );
    assert!(!trace.contains(TOKEN), "{trace}");
}
