//! What the agent sends: the body of the request and the CSR in it, for every combination of
//! options that changes them.

use lmp_test_support::answers::signing_server;
use lmp_test_support::board::{Board, TOKEN, run};
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use lmp_test_support::tools::openssl;
use serde_json::{Value, json};

mod incumbent;

const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";

/// The request of a registration with these options, which must succeed.
fn request(board: &Board, arguments: &[&str]) -> Request {
    let server = signing_server();
    board.register(&server.url(), arguments).expect(0);
    server.only_request()
}

/// The body of a registration with these options and [`UUID`]; its CSR is left out.
fn body(arguments: &[&str]) -> (Value, String) {
    let board = Board::new();
    let mut all = vec!["--uuid", UUID];
    all.extend(arguments);
    let mut body = request(&board, &all).json();
    let csr = body.as_object_mut().unwrap().remove("csr").unwrap();
    assert!(
        csr.as_str()
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE REQUEST-----\n")
    );
    (body, board.sota().to_str().unwrap().to_owned())
}

/// The body without its CSR when no option is given, for a board whose directory is `sota`.
fn default_body(sota: &str) -> Value {
    json!({
        "use-ostree-server": "true",
        "sota-config-dir": sota,
        "hardware-id": "raspberrypi4-64",
        "name": UUID,
        "uuid": UUID,
        "overrides": {
            "pacman": {
                "type": "\"ostree+compose_apps\"",
                "compose_apps_root": format!("\"{sota}/compose-apps\""),
                "reset_apps_root": format!("\"{sota}/reset-apps\""),
                "reset_apps": "\" \"",
                "tags": "\"main\"",
            },
        },
    })
}

/// The body with these options is the default one after `change`.
#[track_caller]
fn golden(arguments: &[&str], change: impl FnOnce(&mut Value)) {
    let (body, sota) = body(arguments);
    let mut expected = default_body(&sota);
    change(&mut expected);
    assert_eq!(body, expected, "{arguments:?}");
}

/// An override is TOML source: what a person typed must not end the string it is in.
#[test]
fn quotes_backslashes_and_newlines_stay_inside_their_string() {
    golden(&["-t", r#"a"b"#], |body| {
        body["overrides"]["pacman"]["tags"] = r#""a\"b""#.into();
    });
    golden(&["-a", r"a\b"], |body| {
        body["overrides"]["pacman"]["compose_apps"] = r#""a\\b""#.into();
    });
    golden(&["-A", "x\nreset_apps_root = 1"], |body| {
        body["overrides"]["pacman"]["reset_apps"] = r#""x\nreset_apps_root = 1""#.into();
    });
    golden(&["-n", "a\"\\\nb"], |body| body["name"] = "a\"\\\nb".into());
}

/// Which directory it is does not hang on where this runs; links in it stay as they are typed.
#[test]
fn the_directory_is_sent_and_written_absolute() {
    for (typed, meant) in [
        ("sota", "sota"),
        ("./sota/", "sota"),
        ("sota/../sota", "sota/../sota"),
    ] {
        let board = Board::new();
        let server = signing_server();
        let mut command = board.bare_command();
        command.current_dir(board.path(""));
        command.env("DEVICE_API", server.url());
        command.args([
            "-d",
            typed,
            "--start-daemon",
            "0",
            "--os-release",
            "os-release",
        ]);
        command.args(["--api-token-file", "token", "--update-client-lock", "lock"]);
        let shown = run(command).expect(0).stdout;
        let meant = board.path(meant).to_str().unwrap().to_owned();
        assert_eq!(
            server.only_request().json()["sota-config-dir"],
            meant.as_str()
        );
        assert!(shown.contains(&format!("{meant}/sota.toml")), "{shown}");
        let configuration = board.text("sota.toml");
        assert!(
            configuration.contains(&format!("{meant}/")),
            "{configuration}"
        );
        assert!(!configuration.contains("\"sota") && !configuration.contains("\"./"));
    }
}

/// One directory, also for what an interrupted run left there.
#[test]
fn a_slash_at_the_end_is_no_other_directory() {
    let failing = ScriptedServer::always(Answer::whole(503, b"{}"));
    let board = Board::new();
    board.register(&failing.url(), [""; 0]).expect(75);
    let first = failing.requests().pop().unwrap().json();
    let with_slash = board.sota().join("");
    let board = board.with_sota(with_slash);
    let server = signing_server();
    board.register(&server.url(), ["--verbose"]).expect(0);
    let second = server.only_request().json();
    assert_eq!(second["sota-config-dir"], first["sota-config-dir"]);
}

/// Without `--uuid` the device chooses one, says it everywhere, and never the same.
#[test]
fn a_uuid_of_its_own() {
    let uuids = [(); 2].map(|()| {
        let request = request(&Board::new(), &[]).json();
        let uuid = request["uuid"].as_str().unwrap().to_owned();
        assert_eq!(request["name"], uuid.as_str());
        assert_eq!(
            uuid::Uuid::try_parse(&uuid).unwrap().get_version_num(),
            4,
            "{uuid}"
        );
        assert_eq!(uuid, uuid.to_lowercase());
        uuid
    });
    assert_ne!(uuids[0], uuids[1]);
}

#[test]
fn the_request_itself() {
    let board = Board::new();
    let sent = request(&board, &[]);
    assert_eq!(
        (sent.method.as_str(), sent.target.as_str()),
        ("POST", "/ota/devices/")
    );
    assert_eq!(sent.header("content-type"), ["application/json"]);
    assert_eq!(sent.header("osf-token"), [TOKEN]);
    assert!(sent.header("authorization").is_empty());

    let board = Board::new();
    let sent = request(&board, &["-H", "X-Api-Key"]);
    assert_eq!(sent.header("x-api-key"), [TOKEN]);
    assert!(sent.header("osf-token").is_empty());
}

/// update-server's URL has no trailing slash, and another one would be a 404.
#[test]
fn the_url_is_used_verbatim() {
    let server = signing_server();
    for path in ["/v1/devices", "/v1/devices/", "/sign?x=1"] {
        let url = format!("http://{}{path}", server.address());
        Board::new().register(&url, [""; 0]).expect(0);
        assert_eq!(server.requests().last().unwrap().target, path);
    }
}

/// What `openssl req -text` says of the CSR, and its subject as `openssl asn1parse` shows it.
fn csr(arguments: &[&str]) -> (String, String) {
    let board = Board::new();
    let mut all = vec!["--uuid", UUID];
    all.extend(arguments);
    let pem = request(&board, &all).json()["csr"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(pem.ends_with("-----END CERTIFICATE REQUEST-----\n") && !pem.contains('\r'));
    let path = board.path("csr.pem");
    std::fs::write(&path, pem).unwrap();
    let path = path.to_str().unwrap();
    let text = openssl(&format!("req -in {path} -noout -text -verify"));
    (text, openssl(&format!("asn1parse -in {path}")))
}

/// The attributes of the subject: name, string type and value, in the order of the DER.
fn subject(structure: &str) -> Vec<(String, String, String)> {
    // The subject is the only thing before the public key that holds object identifiers.
    let (before, _) = structure.split_once(":id-ecPublicKey").unwrap();
    let primitive = |line: &str| {
        let (_, rest) = line.split_once("prim:")?;
        let (kind, value) = rest.split_once(':')?;
        Some((kind.trim().to_owned(), value.to_owned()))
    };
    let primitives: Vec<_> = before.lines().filter_map(primitive).collect();
    primitives
        .windows(2)
        .filter(|pair| pair[0].0 == "OBJECT")
        .map(|pair| (pair[0].1.clone(), pair[1].0.clone(), pair[1].1.clone()))
        .collect()
}

fn attribute(name: &str, value: &str) -> (String, String, String) {
    (name.into(), "UTF8STRING".into(), value.into())
}

#[test]
fn the_signing_request() {
    let (text, structure) = csr(&[]);
    assert_eq!(
        subject(&structure),
        [
            attribute("commonName", UUID),
            attribute("organizationalUnitName", "acme")
        ]
    );
    for words in [
        "Version: 1 (0x0)",
        "Public Key Algorithm: id-ecPublicKey",
        "ASN1 OID: prime256v1",
        "Signature Algorithm: ecdsa-with-SHA256",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (_, extensions) = text.split_once("Requested Extensions:\n").unwrap();
    let (extensions, _) = extensions.split_once("Signature Algorithm").unwrap();
    let lines: Vec<&str> = extensions
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    assert_eq!(
        lines,
        [
            "X509v3 Key Usage: critical",
            "Digital Signature",
            "X509v3 Extended Key Usage: critical",
            "TLS Web Client Authentication",
        ]
    );
    assert_eq!(text.matches("Requested Extensions").count(), 1);
    // The very bits of digitalSignature: one byte of seven unused bits.
    assert!(structure.contains("[HEX DUMP]:03020780"), "{structure}");
}

#[test]
fn the_signing_request_of_a_production_device() {
    for arguments in [&["-p"][..], &["--production=yes"]] {
        let (_, structure) = csr(arguments);
        assert_eq!(
            subject(&structure),
            [
                attribute("commonName", UUID),
                attribute("organizationalUnitName", "acme"),
                attribute("businessCategory", "production"),
            ]
        );
    }
}

/// As long as a certificate allows: 64 characters each.
#[test]
fn the_signing_request_of_a_long_name() {
    let long = "é".repeat(32) + &"x".repeat(32);
    let (server, board) = (signing_server(), Board::new());
    let arguments = ["--uuid", &long, "--validate-uuid", "0"];
    board.register(&server.url(), arguments).expect(0);
    let path = board.path("csr.pem");
    std::fs::write(&path, server.only_request().json()["csr"].as_str().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let show = format!("req -in {path} -noout -subject -nameopt utf8,sep_comma_plus");
    assert_eq!(openssl(&show).trim(), format!("subject=CN={long},OU=acme"));
}
