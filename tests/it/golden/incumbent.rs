//! What the incumbent's users type and set, and the body that each of it has always meant; files,
//! too. Written from the interface, and from nothing that this program sends.

use std::collections::BTreeMap;

use lmp_test_support::answers::{Backend, signing_server};
use lmp_test_support::board::{Board, FILES, TOKEN, run};
use lmp_test_support::image::Image;
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use lmp_test_support::token::{PIN, SO_PIN, SOFTHSM, SoftHsm};
use lmp_test_support::tools::openssl;
use serde_json::{Value, json};

use super::{UUID, default_body};

/// What differs from the body without any option (RFC 7396).
fn merge(body: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *body = patch;
        return;
    };
    let body = body.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            body.remove(&name);
        } else {
            merge(body.entry(name).or_insert_with(|| json!({})), value);
        }
    }
}

/// The body without its CSR, and the CSR's subject.
fn sent(board: &Board, request: &Request) -> (Value, String) {
    let mut body = request.json();
    let csr = body.as_object_mut().unwrap().remove("csr").unwrap();
    let path = board.path("csr.pem");
    std::fs::write(&path, csr.as_str().unwrap()).unwrap();
    let show = "-noout -verify -subject -nameopt utf8,sep_comma_plus";
    let subject = openssl(&format!("req -in {} {show}", path.display()));
    (body, subject.trim().to_owned())
}

fn subject(uuid: &str, factory: &str, production: bool) -> String {
    let category = if production {
        ",businessCategory=production"
    } else {
        ""
    };
    format!("subject=CN={uuid},OU={factory}{category}")
}

/// A line of the table: words, of which each stands alone between two bars, and what they change.
struct Line {
    words: &'static str,
    variables: Pairs,
    patch: Value,
    factory: &'static str,
    uuid: &'static str,
    production: bool,
}

fn line(words: &'static str, patch: Value) -> Line {
    Line {
        words,
        variables: &[],
        patch,
        factory: "acme",
        uuid: UUID,
        production: false,
    }
}

fn pacman(name: &str, text: &str) -> Value {
    json!({ "overrides": { "pacman": { name: text } } })
}

fn no_restorable_apps() -> Value {
    json!({ "overrides": { "pacman": { "reset_apps": null } } })
}

fn off() -> Value {
    json!({ "use-ostree-server": "false" })
}

const OTHER: &str = "b1f9c9c5-6ea4-4a2b-8a4f-1c5e3b8a0001";

#[rustfmt::skip]
fn table() -> Vec<Line> {
    let same = || json!({});
    let production = |words| Line { production: true, ..line(words, json!({})) };
    let variable = |variables| Line { variables, ..line("", json!({})) };
    let uuid = |words| Line { uuid: OTHER, ..line(words, json!({ "uuid": OTHER, "name": OTHER })) };
    let factory = |words, factory| Line { factory, ..line(words, json!({})) };
    vec![
        line("", same()),
        // Apps: a list, all of them, and what to restore.
        line("-a|app1", pacman("compose_apps", r#""app1""#)),
        line("-a|app1,app2", pacman("compose_apps", r#""app1,app2""#)),
        line("-aapp1", pacman("compose_apps", r#""app1""#)),
        line("--apps|app1", pacman("compose_apps", r#""app1""#)),
        line("--apps=app1", pacman("compose_apps", r#""app1""#)),
        line("--app|app1", pacman("compose_apps", r#""app1""#)),
        line("-a| ", pacman("compose_apps", r#"" ""#)),
        line("-a|", same()),
        line("--apps=", same()),
        line("-A|app3", pacman("reset_apps", r#""app3""#)),
        line("-A|app3,app4", pacman("reset_apps", r#""app3,app4""#)),
        line("-A| ", same()),
        line("-A|", no_restorable_apps()),
        line("--restorable-apps=", no_restorable_apps()),
        line("--re|app3", pacman("reset_apps", r#""app3""#)),
        line("--r=app3", pacman("reset_apps", r#""app3""#)),
        line("-a||-A|", no_restorable_apps()),
        line("-a|a1|-A|a1,a3", json!({ "overrides": { "pacman": {
            "compose_apps": r#""a1""#, "reset_apps": r#""a1,a3""# } } })),
        // Tags, group, name, hardware.
        line("-t|devel", pacman("tags", r#""devel""#)),
        line("-t|devel,test", pacman("tags", r#""devel,test""#)),
        line("--tag|-devel", pacman("tags", r#""-devel""#)),
        line("-g|grp-1", json!({ "group": "grp-1" })),
        line("--d|grp-1", json!({ "group": "grp-1" })),
        line("--device|grp-1", json!({ "group": "grp-1" })),
        line("-g|", same()),
        line("-n|front door", json!({ "name": "front door" })),
        line("--n|-dash", json!({ "name": "-dash" })),
        line("-n|", same()),
        line("-i|intel-corei7-64", json!({ "hardware-id": "intel-corei7-64" })),
        line("--hw|x", json!({ "hardware-id": "x" })),
        line("-i|", same()),
        // The proxy of OSTree, in all words of a BOOL.
        line("--use-ostree-server|0", off()),
        line("--use-ostree-server=no", off()),
        line("--us|FALSE", off()),
        line("--use|Off", off()),
        line("--use-ostree-server|1", same()),
        line("--use-ostree-server|YES", same()),
        line("--use-ostree-server|", same()),
        // Production stands in the CSR alone.
        production("-p1"),
        production("-p|true"),
        production("-p"),
        production("-p|"),
        production("--pr|on"),
        production("--production=yes"),
        line("-p|0", same()),
        line("--production|Off", same()),
        Line { production: true, ..variable(&[("PRODUCTION", "1")]) },
        Line { variables: &[("PRODUCTION", "1")], ..line("-p0", same()) },
        // Whose device it is.
        factory("-f|other", "other"),
        factory("--fa|other", "other"),
        Line { factory: "other", ..variable(&[("DEVICE_FACTORY", "other")]) },
        Line { variables: &[("DEVICE_FACTORY", "unused")], ..factory("-f|other", "other") },
        variable(&[("DEVICE_FACTORY", "")]),
        uuid("-u|b1f9c9c5-6ea4-4a2b-8a4f-1c5e3b8a0001"),
        uuid("--uu=b1f9c9c5-6ea4-4a2b-8a4f-1c5e3b8a0001|--v|1"),
        Line { uuid: "board-7", ..line("-u|board-7|-v|0", json!({ "uuid": "board-7", "name": "board-7" })) },
        // What changes nothing of it: places, memory, force, empty words, no token.
        line("-d|SOTA/", same()),
        line("--so|SOTA", same()),
        line("-l|0", same()),
        line("--mlock|off", same()),
        line("--force|1", same()),
        line("--force", same()),
        line("--force|0|", same()),
        line("|-v|0|", same()),
        line("--st|0", same()),
        line("-m||-P||-S|", same()),
        line("--hsm-m||--hsm-p||--hsm-so|", same()),
        line("-g|grp|-n|nam|-i|hw|-t|t1,t2|-a|a1|-A|a2|--use-ostree-server=no", json!({
            "use-ostree-server": "false", "hardware-id": "hw", "name": "nam", "group": "grp",
            "overrides": { "pacman": {
                "compose_apps": r#""a1""#, "reset_apps": r#""a2""#, "tags": r#""t1,t2""# } } })),
    ]
}

/// Each with nothing else said than where this board has its files.
#[test]
fn every_line_means_what_it_meant() {
    let server = signing_server();
    for Line {
        words,
        variables,
        patch,
        factory,
        uuid,
        production,
    } in table()
    {
        let board = Board::new();
        let sota = board.sota().to_str().unwrap().to_owned();
        let typed: Vec<String> = match words {
            "" => Vec::new(),
            words => words
                .split('|')
                .map(|word| word.replace("SOTA", &sota))
                .collect(),
        };
        let mut command = board.bare_command();
        command
            .env("DEVICE_API", server.url())
            .envs(variables.iter().copied());
        command.arg("--os-release").arg(board.path("os-release"));
        command.arg("--update-client-lock").arg(board.lock());
        command.args(["-T", TOKEN]).args(&typed);
        let is_typed = |names: &[&str]| {
            let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
            typed
                .iter()
                .any(|word| names.contains(&name(word).as_str()))
        };
        for (option, value, names) in [
            ("-d", sota.as_str(), &["-d", "--so"][..]),
            ("-u", UUID, &["-u", "--uu"]),
            ("--start-daemon", "0", &["--st"]),
        ] {
            if !is_typed(names) {
                command.args([option, value]);
            }
        }
        let ended = run(command);
        // The backend signs for its own factory, whatever it is asked.
        let code = if factory == "acme" { 0 } else { 65 };
        assert_eq!(ended.code, Some(code), "{words:?}: {ended}");
        let request = server.requests().pop().unwrap();
        assert_eq!(request.header("osf-token"), [TOKEN], "{words:?}");
        let mut expected = default_body(&sota);
        merge(&mut expected, patch);
        let (body, csr) = sent(&board, &request);
        assert_eq!(body, expected, "{words:?} {variables:?}");
        assert_eq!(
            csr,
            subject(uuid, factory, production),
            "{words:?} {variables:?}"
        );
        if code == 0 {
            assert_eq!(board.names(), FILES, "{words:?}");
        }
    }
}

/// Before a key is made on a token, it is asked whether it is there.
fn reachable_server() -> ScriptedServer {
    let backend = Backend::new();
    ScriptedServer::new(move |request| match request.method.as_str() {
        "HEAD" => Answer::whole(405, b""),
        _ => backend.signed(request),
    })
}

/// Key and certificate are on the token, and the configuration says so, for either way to name it.
#[test]
#[cfg_attr(not(feature = "pkcs11"), ignore = "has no token")]
fn a_token_means_what_it_meant() {
    let no_files = json!({ "tls_pkey_path": "", "tls_clientcert_path": "" });
    let patch = json!({ "overrides": {
        "tls": { "pkey_source": "\"pkcs11\"", "cert_source": "\"pkcs11\"" },
        "storage": no_files,
        "import": no_files,
    } });
    let files: Vec<&str> = FILES
        .into_iter()
        .filter(|name| *name != "pkey.pem")
        .collect();
    for words in [
        ["-m", SOFTHSM, "-P", PIN, "-S", SO_PIN],
        ["--hsm-m", SOFTHSM, "--hsm-p", PIN, "--hsm-so", SO_PIN],
    ] {
        let (server, hsm, board) = (reachable_server(), SoftHsm::blank(), Board::new());
        let mut command = board.command(&server.url());
        hsm.show_to(&mut command);
        command
            .args(["-u", UUID, "--start-daemon", "0"])
            .args(words);
        run(command).expect(0);
        let (body, csr) = sent(&board, &server.requests()[1]);
        let mut expected = default_body(board.sota().to_str().unwrap());
        merge(&mut expected, patch.clone());
        assert_eq!(body, expected, "{words:?}");
        assert_eq!(csr, subject(UUID, "acme", false));
        assert_eq!(board.names(), files);
    }
    // The same from the wrapper script's file, with nothing typed.
    let (server, hsm, image) = (reachable_server(), SoftHsm::blank(), Image::new());
    let text = format!("HSM_MODULE={SOFTHSM}\nHSM_PIN={PIN}\nHSM_SOPIN={SO_PIN}\n");
    image.write("/etc/sota/hsm", &text);
    let mut command = image.command(["auto", "-u", UUID]);
    command.env("DEVICE_API", server.url());
    hsm.show_to(&mut command);
    run(command).expect(0);
    let (body, _) = sent(image.board(), &server.requests()[1]);
    let mut expected = default_body("/var/sota");
    merge(&mut expected, patch);
    assert_eq!(body, expected);
    assert_eq!(image.board().names(), files);
}

/// Files, variables, and what they change.
type SetUp = (Pairs, Pairs, Value);
type Pairs = &'static [(&'static str, &'static str)];

/// The wrapper script's set-ups, file by file and variable by variable.
#[test]
fn what_the_wrapper_script_read() {
    let host = lmp_test_support::tools::tool("uname", ["-n"]);
    let set_ups: [SetUp; 10] = [
        (&[], &[], json!({})),
        (
            &[("/etc/sota/tag", "devel\n")],
            &[],
            pacman("tags", r#""devel""#),
        ),
        (
            &[],
            &[("USE_HOSTNAME", "1")],
            json!({ "name": host.trim() }),
        ),
        (&[], &[("USE_HOSTNAME", "")], json!({})),
        (&[], &[("APPS", "b,a")], pacman("compose_apps", r#""b,a""#)),
        (&[], &[("APPS", "")], json!({})),
        (
            &[
                ("/var/sota/compose-apps/fiotest/x", ""),
                ("/var/sota/compose-apps/a/x", ""),
            ],
            &[],
            pacman("compose_apps", r#""a,fiotest""#),
        ),
        (
            &[("/var/sota/compose-apps/a/x", "")],
            &[("APPS", "b")],
            pacman("compose_apps", r#""b""#),
        ),
        (
            &[("/etc/other", "5ecr3t-t0ken-0f-the-b0ard\n2\n")],
            &[("TOKEN_FILE", "/etc/other")],
            json!({}),
        ),
        (
            &[("/etc/sota/tag", "devel")],
            &[("APPS", "b"), ("USE_HOSTNAME", "yes"), ("PRODUCTION", "1")],
            json!({ "name": host.trim(), "overrides": { "pacman": {
                "tags": r#""devel""#, "compose_apps": r#""b""# } } }),
        ),
    ];
    for (files, variables, patch) in set_ups {
        let (server, image) = (signing_server(), Image::new());
        for (path, text) in files {
            image.write(path, text);
        }
        let mut command = image.command(["auto", "-u", UUID]);
        command.env("DEVICE_API", server.url());
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        command.envs(&variables);
        run(command).expect(0);
        let request = server.only_request();
        assert_eq!(request.header("osf-token"), [TOKEN]);
        let (body, csr) = sent(image.board(), &request);
        let mut expected = default_body("/var/sota");
        merge(&mut expected, patch);
        assert_eq!(body, expected, "{files:?} {variables:?}");
        assert_eq!(
            csr,
            subject(UUID, "acme", variables.contains_key("PRODUCTION"))
        );
    }
}
