//! What every status means: the exit code, the backend's own words, and whether the device may be
//! known there.

use super::register;
use lmp_test_support::answers::Backend;
use lmp_test_support::board::{Board, JOURNAL, run};
use lmp_test_support::scripted::{Answer, ScriptedServer};

/// The backend said no, so it knows no device: nothing is left.
#[track_caller]
fn refused(status: u16, body: &'static str, code: i32, words: &[&str]) {
    let (board, run) = register(move |_| Answer::whole(status, body.as_bytes()));
    run.expect(code)
        .says(&[&format!("the backend answered {status}")])
        .says(words);
    assert!(board.names().is_empty(), "{status}: {:?}", board.names());
}

#[test]
fn not_authorised() {
    refused(
        401,
        r#"{"message":"bad token"}"#,
        77,
        &["bad token", "hint: check the API token"],
    );
    refused(403, "no", 77, &["no", "devices:create"]);
}

#[test]
fn refusals() {
    refused(400, r#""csr is missing""#, 76, &["400: csr is missing"]);
    refused(400, r#"{"errors":{"csr":"bad"}}"#, 76, &["csr: bad"]);
    refused(
        404,
        "<html><title>Not here</title>",
        76,
        &["404: Not here", "hint: check DEVICE_API"],
    );
    refused(405, "", 76, &[]);
    refused(413, "", 76, &[]);
    refused(
        422,
        r#"{"error":"x","error_description":"the why"}"#,
        76,
        &["the why"],
    );
    refused(
        409,
        r#"{"message":"Device already exists"}"#,
        76,
        &[
            "Device already exists",
            "allow it there if it is denied",
            "--uuid",
        ],
    );
}

/// The reference service refuses a group with plain text.
#[test]
fn plain_text_is_shown() {
    refused(
        400,
        "Device groups are not supported\n",
        76,
        &["Device groups are not supported"],
    );
}

/// The runner of every test checks that no control character comes through.
#[test]
fn control_characters_are_escaped() {
    refused(
        400,
        "{\"message\":\"\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m\\u0000\\u202egnp\"}",
        76,
        &["\\u{1b}]0;owned\\u{7}", "\\u{202e}gnp"],
    );
    let (_, run) = register(|_| Answer::whole(400, b"\x1b[31mred\r\nerror: forged\x07\x7f"));
    let run = run.expect(76).says(&["\\u{1b}[31mred error: forged"]);
    assert!(!run.stderr.contains("\nerror: forged"), "{run}");
    let (_, run) = register(|_| {
        Answer::with_headers(302, &[("Location", "http://a/\u{9b}31m\u{202e}x")], b"")
    });
    run.expect(76);
}

/// Another success is none: a captive portal answers 200 to everything.
#[test]
fn only_201_is_success() {
    for status in [200, 202, 204] {
        let (board, run) = register(move |_| Answer::whole(status, b""));
        run.expect(65)
            .says(&[&format!("answered {status}"), "201 was expected"]);
        assert_eq!(board.names(), [JOURNAL]);
    }
    let backend = Backend::new();
    let (board, run) = register(move |request| Answer::json(200, &backend.files(request)));
    run.expect(65);
    assert_eq!(board.names(), [JOURNAL]);
}

/// A failing backend may have made the device before it failed.
#[test]
fn failures_that_may_pass() {
    for status in [500, 501, 502, 503, 504, 520] {
        let (board, run) = register(move |_| Answer::whole(status, b"{\"message\":\"tired\"}"));
        run.expect(75)
            .says(&[&format!("answered {status}: tired"), "hint: "]);
        assert_eq!(board.names(), [JOURNAL], "{status}");
    }
}

/// update-server allows two requests a second: who is refused so is not known.
#[test]
fn too_many_requests() {
    let (board, run) = register(|_| Answer::whole(429, br#"{"message":"rate limit exceeded"}"#));
    run.expect(75).says(&["429: rate limit exceeded"]);
    assert!(board.names().is_empty(), "{:?}", board.names());
}

#[test]
fn tries_again_while_it_may() {
    for status in [502, 503, 504, 429] {
        let backend = Backend::new();
        let server = ScriptedServer::new(move |request| match request.number {
            0 | 1 => Answer::with_headers(status, &[("Retry-After", "0")], b"later"),
            _ => backend.signed(request),
        });
        let board = Board::new();
        let mut command = board.command(&server.url());
        command.args(["--start-daemon=0", "--retry-for=60"]);
        run(command)
            .expect(0)
            .says(&[&format!("answered {status}: later"), "trying again"]);
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        assert!(
            requests
                .iter()
                .all(|request| request.body == requests[0].body)
        );
        assert_eq!(server.connections(), 1, "the connection is kept");
    }
}

/// The backend knows its own load: a wait that is longer than all the time there is ends it.
#[test]
fn a_retry_after_beyond_the_deadline_ends_it() {
    for wait in [
        "3600",
        "Fri, 31 Dec 2100 23:59:59 GMT",
        "99999999999999999999",
    ] {
        let server =
            ScriptedServer::always(Answer::with_headers(503, &[("Retry-After", wait)], b""));
        let board = Board::new();
        let mut command = board.command(&server.url());
        command.args(["--start-daemon=0", "--retry-for=5"]);
        run(command).expect(75);
        assert_eq!(server.requests().len(), 1, "{wait}");
    }
}

/// A refusal stays one: it is not asked twice.
#[test]
fn a_refusal_is_final() {
    for (status, code) in [
        (400, 76),
        (401, 77),
        (403, 77),
        (404, 76),
        (409, 76),
        (302, 76),
        (500, 75),
    ] {
        let server = ScriptedServer::always(Answer::whole(status, b""));
        let board = Board::new();
        let mut command = board.command(&server.url());
        command.args(["--start-daemon=0", "--retry-for=60"]);
        run(command).expect(code);
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

/// A token is for the server that it was given for.
#[test]
fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = ScriptedServer::always(Answer::whole(201, b"{}"));
        let location = elsewhere.url();
        let target = location.clone();
        let (board, run) =
            register(move |_| Answer::with_headers(status, &[("Location", &target)], b""));
        run.expect(76)
            .says(&[&format!("answered {status}"), &location]);
        assert_eq!(elsewhere.connections(), 0);
        assert!(board.names().is_empty());
    }
}

/// A query may hold a secret: it is in no message and no cause, whatever goes wrong.
#[test]
fn the_query_of_an_address_is_not_shown() {
    const SECRET: &str = "k3y-0f-the-query";
    let watch = |url: &str, code| {
        for more in [&[][..], &["--dry-run"], &["--json"]] {
            let board = Board::new();
            let query = format!("{url}?key={SECRET}#{SECRET}");
            let run = board.register(&query, [&["--verbose"], more].concat());
            let run = if more == ["--dry-run"] {
                run
            } else {
                run.expect(code)
            };
            assert!(!format!("{run}").contains(SECRET), "{url}: {run}");
        }
    };
    let closed = [
        Answer::Close(Vec::new()),
        Answer::Close(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{".to_vec()),
        Answer::Close(b"no HTTP\r\n\r\n".to_vec()),
    ];
    let statuses = [302, 404, 500].map(|status| Answer::whole(status, b""));
    for (answer, code) in closed
        .into_iter()
        .chain(statuses)
        .zip([75, 75, 75, 76, 76, 75])
    {
        watch(&ScriptedServer::always(answer).url(), code);
    }
    watch("http://127.0.0.1:1/", 75);
    watch("https://backend.invalid/", 75);
    watch("htp://backend.invalid/", 78);
    watch("backend", 78);
}

#[test]
fn nobody_listens() {
    let server = ScriptedServer::always(Answer::Hang);
    let url = server.url();
    drop(server);
    let board = Board::new();
    board
        .register(&url, [""; 0])
        .expect(75)
        .says(&["cannot connect to", "hint: "]);
    assert!(
        board.names().is_empty(),
        "the backend cannot know this device"
    );
}

#[test]
fn a_name_that_does_not_resolve() {
    let board = Board::new();
    let run = board.register(
        "http://backend.invalid/ota/devices/",
        ["--connect-timeout=5"],
    );
    run.expect(75)
        .says(&["cannot connect to", "backend.invalid", "hint: "]);
    assert!(board.names().is_empty());
}

/// A device that the backend knows from an interrupted run gets a new UUID if nobody chose the
/// old one; the orphan is reported.
#[test]
fn a_conflict_after_an_interruption() {
    let script = |backend: Backend| {
        ScriptedServer::new(move |request| match request.number {
            0 => Answer::Close(Vec::new()),
            1 => Answer::whole(409, br#"{"message":"Device already exists"}"#),
            _ => backend.signed(request),
        })
    };
    let server = script(Backend::new());
    let board = Board::new();
    board.register(&server.url(), [""; 0]).expect(75);
    let run = board.register(&server.url(), ["--json"]).expect(0);
    let uuids: Vec<_> = server
        .requests()
        .iter()
        .map(|r| r.json()["uuid"].clone())
        .collect();
    assert_eq!(uuids[0], uuids[1]);
    assert_ne!(uuids[1], uuids[2]);
    let json = run.json();
    assert_eq!(json["uuid"], uuids[2]);
    assert_eq!(json["name"], uuids[2]);
    assert_eq!(json["orphans"], serde_json::json!([uuids[0]]));

    let server = script(Backend::new());
    let board = Board::new();
    let chosen = ["--uuid", "67e67bf8-6f72-481d-a05e-bcf2784dd584"];
    board.register(&server.url(), chosen).expect(75);
    board
        .register(&server.url(), chosen)
        .expect(76)
        .says(&["already exists", &format!("delete device {}", chosen[1])]);
    assert_eq!(board.names(), [JOURNAL]);
}
