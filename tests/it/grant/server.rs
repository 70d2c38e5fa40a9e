//! The authorisation server, byte for byte: what it is asked, and what it may answer.

use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use lmp_test_support::answers::{self, Backend};
use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};

const DEVICE_CODE: &str = "d3v1ce-c0de";
const ACCESS_TOKEN: &str = "acce55?t0ken>";
/// `ACCESS_TOKEN` in base64, by another program: `printf 'acce55?t0ken>' | base64`.
const ENCODED_TOKEN: &str = "YWNjZTU1P3Qwa2VuPg==";

/// An invitation that lets the agent poll at once.
fn invitation() -> Value {
    let mut body = answers::invitation();
    body["interval"] = 0.into();
    body
}

fn invited() -> Answer {
    Answer::json(200, &invitation())
}

fn refused(error: &str) -> Answer {
    Answer::json(400, &json!({ "error": error }))
}

fn granted() -> Answer {
    Answer::json(
        200,
        &json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer" }),
    )
}

fn is_invitation(request: &Request) -> bool {
    request.target.ends_with("/authorization/device/")
}

fn is_poll(request: &Request) -> bool {
    request.target.ends_with("/token/")
}

/// Authorisation server and backend under one address. Each list is gone through, and its last
/// answer repeated.
fn server(invitations: Vec<Answer>, polls: Vec<Answer>) -> ScriptedServer {
    let backend = Backend::new();
    let next = |list: &Mutex<Vec<Answer>>| {
        let mut list = list.lock().unwrap();
        match list.len() {
            1 => list[0].clone(),
            _ => list.remove(0),
        }
    };
    let (invitations, polls) = (Mutex::new(invitations), Mutex::new(polls));
    ScriptedServer::new(move |request| {
        if is_invitation(request) {
            next(&invitations)
        } else if is_poll(request) {
            next(&polls)
        } else {
            backend.signed(request)
        }
    })
}

/// Tries once.
fn command(board: &Board, server: &ScriptedServer) -> Command {
    let mut command = patient_command(board, server);
    command.args(["--retry-for", "0"]);
    command
}

fn patient_command(board: &Board, server: &ScriptedServer) -> Command {
    let mut command = board.local_command();
    command.env("DEVICE_API", server.url());
    command.env("OAUTH_BASE", format!("http://{}/oauth", server.address()));
    command.args(["--start-daemon", "0", "--verbose"]);
    command
}

/// Runs it; whatever happens, nobody sees what only the two programs may know.
#[track_caller]
fn watch(command: Command) -> Run {
    let run = run(command);
    for secret in [DEVICE_CODE, ACCESS_TOKEN, ENCODED_TOKEN] {
        assert!(!format!("{run}").contains(secret), "{secret} in {run}");
    }
    run
}

/// Fails with this exit code and words, and nothing was made.
#[track_caller]
fn fails(invitations: Vec<Answer>, polls: Vec<Answer>, code: i32, words: &[&str]) -> Run {
    let (board, server) = (Board::new(), server(invitations, polls));
    let run = watch(command(&board, &server)).expect(code).says(words);
    assert!(board.names().is_empty());
    let registrations = server.requests();
    let registrations = registrations
        .iter()
        .filter(|r| !is_invitation(r) && !is_poll(r));
    assert_eq!(registrations.count(), 0, "the backend was not asked");
    run
}

#[track_caller]
fn succeeds(invitations: Vec<Answer>, polls: Vec<Answer>) -> ScriptedServer {
    let (board, server) = (Board::new(), server(invitations, polls));
    watch(command(&board, &server)).expect(0);
    board.check(["--offline"]).expect(0);
    server
}

fn fields(request: &Request) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(&request.body);
    pairs.into_owned().collect()
}

#[test]
fn what_is_asked_and_over_how_many_connections() {
    let board = Board::new();
    let polls = vec![refused("authorization_pending"), granted()];
    let server = server(vec![invited()], polls);
    watch(command(&board, &server)).expect(0);
    let requests = server.requests();
    let targets: Vec<_> = requests
        .iter()
        .map(|r| (r.method.as_str(), r.target.as_str()))
        .collect();
    let invite = ("POST", "/oauth/authorization/device/");
    let poll = ("POST", "/oauth/token/");
    assert_eq!(targets, [invite, poll, poll, ("POST", "/ota/devices/")]);
    assert_eq!(server.connections(), 1);

    let registration = requests[3].json();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let uuid = pair("client_id", registration["uuid"].as_str().unwrap());
    let scope = pair("scope", "acme:devices:create");
    assert_eq!(fields(&requests[0]), [uuid.clone(), scope.clone()]);
    let grant = pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let code = pair("device_code", DEVICE_CODE);
    assert_eq!(fields(&requests[1]), [grant, code, uuid, scope]);
    assert_eq!(requests[1].body, requests[2].body);
    for request in &requests[..3] {
        let form = ["application/x-www-form-urlencoded"];
        assert_eq!(request.header("content-type"), form);
        assert!(request.header("authorization").is_empty());
    }
    let bearer = format!("Bearer {ENCODED_TOKEN}");
    assert_eq!(requests[3].header("authorization"), [bearer]);
    assert!(requests[3].header("osf-token").is_empty());
    for (path, (_, content)) in board.snapshot() {
        let content = String::from_utf8_lossy(&content).into_owned();
        assert!(
            !content.contains(ENCODED_TOKEN) && !content.contains(ACCESS_TOKEN),
            "{path}"
        );
    }
}

#[test]
fn what_would_end_a_form_field_is_encoded() {
    let board = Board::new();
    let server = server(vec![invited()], vec![granted()]);
    let mut command = command(&board, &server);
    command.args(["--validate-uuid", "0", "--uuid", "a&scope=b+c"]);
    watch(command).expect(0);
    for request in &server.requests()[..2] {
        let ids: Vec<_> = fields(request)
            .into_iter()
            .filter(|(name, _)| name == "client_id")
            .collect();
        assert_eq!(ids, [("client_id".to_owned(), "a&scope=b+c".to_owned())]);
    }
}

#[test]
fn bases_with_slashes() {
    for ending in ["/", "//"] {
        let board = Board::new();
        let server = server(vec![invited()], vec![granted()]);
        let mut command = command(&board, &server);
        command.env(
            "OAUTH_BASE",
            format!("http://{}/oauth{ending}", server.address()),
        );
        watch(command).expect(0);
        assert_eq!(server.requests()[0].target, "/oauth/authorization/device/");
        assert_eq!(server.requests()[1].target, "/oauth/token/");
    }
}

#[test]
fn an_invitation_that_is_none() {
    let html = || Answer::whole(200, b"<html><title>Sign in</title></html>");
    let words = ["authorisation server", "hint: check OAUTH_BASE"];
    let bad = |answer| fails(vec![answer], vec![granted()], 76, &words);
    bad(html());
    bad(Answer::whole(200, b""));
    bad(Answer::json(200, &json!([])));
    bad(Answer::huge(200, 50_000_000));
    for name in ["device_code", "user_code", "verification_uri"] {
        for spoilt in [None, Some(json!(null)), Some(json!("")), Some(json!(["x"]))] {
            let mut body = invitation();
            match spoilt {
                None => drop(body.as_object_mut().unwrap().remove(name)),
                Some(value) => body[name] = value,
            }
            bad(Answer::json(200, &body));
        }
    }
}

/// Only what RFC 8628 requires: no interval, no complete address.
#[test]
fn an_invitation_without_what_is_optional() {
    let mut body = invitation();
    body.as_object_mut().unwrap().remove("interval");
    succeeds(vec![Answer::json(200, &body)], vec![granted()]);
}

#[test]
fn statuses_of_the_invitation() {
    let page = b"<html><title>Nothing here</title></html>";
    for (status, code) in [
        (301, 76),
        (400, 76),
        (401, 77),
        (403, 77),
        (404, 76),
        (429, 75),
        (500, 75),
        (503, 75),
    ] {
        fails(
            vec![Answer::whole(status, page)],
            vec![granted()],
            code,
            &[&status.to_string(), "hint: "],
        );
    }
    fails(
        vec![Answer::Close(Vec::new())],
        vec![granted()],
        75,
        &["broke before an answer came"],
    );
    let error = Answer::json(
        400,
        &json!({ "error": "invalid_scope", "error_description": "no such factory" }),
    );
    fails(vec![error], vec![granted()], 76, &["no such factory"]);
}

#[test]
fn an_invitation_is_asked_for_again() {
    let (board, server) = (
        Board::new(),
        server(
            vec![
                Answer::whole(503, b""),
                Answer::Close(Vec::new()),
                invited(),
            ],
            vec![granted()],
        ),
    );
    watch(patient_command(&board, &server))
        .expect(0)
        .says(&["trying again in"]);
    assert_eq!(
        server
            .requests()
            .iter()
            .filter(|r| is_invitation(r))
            .count(),
        3
    );
}

#[test]
fn polls_that_end_it() {
    let end =
        |answer, code, words: &[&str]| drop(fails(vec![invited()], vec![answer], code, words));
    end(refused("access_denied"), 77, &["denied"]);
    end(refused("expired_token"), 77, &["expired"]);
    end(refused("invalid_grant"), 76, &["invalid_grant"]);
    end(Answer::whole(400, b"<html>"), 76, &["answered 400"]);
    end(Answer::whole(200, b"<html>"), 76, &["lacks access_token"]);
    end(Answer::json(200, &json!({})), 76, &["lacks access_token"]);
    end(
        Answer::json(200, &json!({ "access_token": "" })),
        76,
        &["lacks access_token"],
    );
    end(Answer::whole(401, b""), 77, &["answered 401"]);
    end(Answer::whole(404, b""), 76, &["answered 404"]);
    // The answer that did not come may have been the token, which a code is good for once.
    let lost = |answer| {
        let words = ["did not answer", "hint: run this again for a new code"];
        let polls = vec![answer, refused("invalid_grant")];
        fails(vec![invited()], polls, 75, &words);
    };
    lost(Answer::Close(Vec::new()));
    lost(Answer::Close(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"acc".to_vec(),
    ));
}

/// A person is not shown a code that nobody would ask about.
#[test]
fn a_code_that_ends_before_its_first_poll() {
    let mut body = invitation();
    (body["interval"], body["expires_in"]) = (20.into(), 2.into());
    let words = [
        "ends before it may be asked about",
        "hint: check OAUTH_BASE",
    ];
    let run = fails(vec![Answer::json(200, &body)], vec![granted()], 76, &words);
    assert!(!run.stderr.contains("Approve"), "{run}");
}

#[test]
fn polls_that_go_on() {
    let polls = vec![
        Answer::Close(Vec::new()),
        refused("authorization_pending"),
        Answer::whole(503, b"<html>"),
        refused("authorization_pending"),
        Answer::whole(500, b""),
        granted(),
    ];
    let server = succeeds(vec![invited()], polls);
    assert_eq!(server.requests().iter().filter(|r| is_poll(r)).count(), 6);
}

#[test]
fn a_server_that_wants_it_slower() {
    let server = succeeds(vec![invited()], vec![refused("slow_down"), granted()]);
    assert_eq!(server.requests().iter().filter(|r| is_poll(r)).count(), 2);
}

/// `run` fails for control characters in what is shown.
#[test]
fn codes_that_would_move_a_cursor() {
    let mut body = invitation();
    body["user_code"] = "AB\u{1b}[2J\r\nerror: forged".into();
    body["verification_uri"] = "https://x/\u{202e}\u{7}".into();
    let (board, server) = (
        Board::new(),
        server(vec![Answer::json(200, &body)], vec![granted()]),
    );
    let run = watch(command(&board, &server)).expect(0);
    assert!(
        !run.stderr.lines().any(|line| line.starts_with("error:")),
        "{run}"
    );
    assert!(!run.stderr.contains('\u{202e}'), "{run}");
}

/// Cut off after the request: the next run has the same device approved again.
#[test]
fn an_interrupted_registration_is_approved_again() {
    let (backend, board) = (Backend::new(), Board::new());
    let broken = Mutex::new(true);
    let server = ScriptedServer::new(move |request| {
        if is_invitation(request) {
            invited()
        } else if is_poll(request) {
            granted()
        } else if std::mem::take(&mut *broken.lock().unwrap()) {
            Answer::Close(Vec::new())
        } else {
            backend.signed(request)
        }
    });
    watch(command(&board, &server)).expect(75);
    watch(command(&board, &server))
        .expect(0)
        .says(&["asking again for device"]);
    let requests = server.requests();
    let invitations: Vec<_> = requests.iter().filter(|r| is_invitation(r)).collect();
    assert_eq!(invitations.len(), 2);
    assert_eq!(
        invitations[0].body, invitations[1].body,
        "the same client_id"
    );
    assert_eq!(requests[2].body, requests[5].body, "the same registration");
    board.check(["--offline"]).expect(0);
}
