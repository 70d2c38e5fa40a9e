//! Answers that are wrong before anybody looks at their body, and answers without end in size or
//! time.

use lmp_test_support::answers::Backend;
use lmp_test_support::board::{Board, JOURNAL};
use lmp_test_support::scripted::{Answer, ScriptedServer, deaf_address, head};

use super::{case, register, rejected};

/// 64 MB, as the predecessor read and printed them.
const HUGE: usize = 64 * 1024 * 1024;

/// The exit code of a status, and whether the backend may know the device.
fn meaning(status: u16) -> (i32, bool) {
    match status {
        200..=299 => (65, true),
        401 | 403 => (77, false),
        429 => (75, false),
        500..=599 => (75, true),
        _ => (76, false),
    }
}

/// A good body with another status is no success, and one that nobody would send is no harm.
#[test]
fn statuses() {
    let statuses = [
        200, 202, 203, 204, 206, 226, 300, 301, 302, 304, 307, 308, 400, 401, 402, 403, 404, 405,
        408, 409, 410, 413, 418, 422, 429, 451, 499, 500, 501, 502, 503, 504, 511, 599, 600, 999,
    ];
    let with = |status| {
        let good = case(format!("status {status}"), move |backend, request| {
            let body = serde_json::to_vec(&backend.files(request)).unwrap();
            Answer::with_headers(
                status,
                &[("Location", "http://a/\u{9b}31m\u{202e}x")],
                &body,
            )
        });
        let huge = case(format!("64 MB with status {status}"), move |_, _| {
            Answer::huge(status, HUGE)
        });
        let deep = case(
            format!("200,000 levels with status {status}"),
            move |_, _| Answer::whole(status, &b"{\"a\":".repeat(200_000)),
        );
        let several = if [400, 401, 500, 302].contains(&status) {
            vec![good, huge, deep]
        } else {
            vec![good]
        };
        several.into_iter().map(move |case| {
            let (code, known) = meaning(status);
            let case = if known {
                case.fails(code)
            } else {
                case.refused(code)
            };
            case.says(&format!("answered {status}"))
        })
    };
    rejected(statuses.into_iter().flat_map(with));
}

/// The connection ends before the answer does: it may come whole another time.
#[test]
fn cut_on_the_wire() {
    let cut = |length: usize| {
        let name = format!("cut off after {length} bytes");
        let cut = case(name, move |backend, request| {
            let body = serde_json::to_vec(&backend.files(request)).unwrap();
            let mut bytes = head(201, &[("Content-Type", "application/json")], body.len());
            bytes.extend(body);
            bytes.truncate(length.min(bytes.len() - 1));
            Answer::Close(bytes)
        });
        let head_is_whole = length > 128;
        let words = if head_is_whole { "broke off" } else { "" };
        cut.fails(75).says(words).says("hint: ")
    };
    rejected((0..2944).step_by(128).map(cut));
}

#[test]
fn heads() {
    let long = "x".repeat(1024 * 1024);
    let many = "X-Another: y\r\n".repeat(2000);
    let bytes = [
        ("no HTTP", "220 mail.example.com ESMTP\r\n".into()),
        ("a TLS alert", "\u{15}\u{3}\u{3}\0\u{2}\u{2}F".into()),
        ("another version", "HTTP/9.9 201 Created\r\n\r\n{}".into()),
        ("no status", "HTTP/1.1 \r\n\r\n{}".into()),
        (
            "status 000",
            "HTTP/1.1 000 No\r\nContent-Length: 2\r\n\r\n{}".into(),
        ),
        (
            "status -1",
            "HTTP/1.1 -1 No\r\nContent-Length: 2\r\n\r\n{}".into(),
        ),
        (
            "a header of one megabyte",
            format!("HTTP/1.1 201 Yes\r\nX: {long}\r\n\r\n{{}}"),
        ),
        (
            "2000 headers",
            format!("HTTP/1.1 201 Yes\r\n{many}\r\n{{}}"),
        ),
        (
            "a length below zero",
            "HTTP/1.1 201 Yes\r\nContent-Length: -1\r\n\r\n{}".into(),
        ),
        (
            "two lengths",
            "HTTP/1.1 201 Yes\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}1".into(),
        ),
        (
            "a length beyond all",
            "HTTP/1.1 201 Yes\r\nContent-Length: 18446744073709551615\r\n\r\n{}".into(),
        ),
        (
            "a broken chunk",
            "HTTP/1.1 201 Yes\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n".into(),
        ),
        (
            "a chunk beyond all",
            "HTTP/1.1 201 Yes\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}".into(),
        ),
        (
            "no last chunk",
            "HTTP/1.1 201 Yes\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n".into(),
        ),
        ("SSH", "SSH-2.0-OpenSSH_9.2\r\n".into()),
        ("four zeros", "\0\0\0\0".into()),
        ("a status of letters", "HTTP/1.1 abc\r\n\r\n".into()),
        (
            "an escape sequence",
            "HTTP/1.1 418 \u{1b}[31m\r\nContent-Length: 5\r\n\r\n\u{1b}[2J\u{7}".into(),
        ),
    ];
    let close = |name: &str, text: String| {
        let name = format!("{name} on the wire");
        case(name, move |_, _| Answer::Close(text.clone().into_bytes()))
    };
    let gzip = "HTTP/1.1 201 Yes\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}".into();
    let other = "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}".into();
    let taken_as_they_are = [
        close("gzip that is none", gzip).says("lacks client.pem"),
        close("another protocol", other).refused(76),
    ];
    let broken = bytes.map(|(name, text)| close(name, text).fails(75));
    rejected(broken.into_iter().chain(taken_as_they_are));
}

#[test]
fn answers_without_end() {
    let large = case("64 MB", |_, _| Answer::huge(201, HUGE)).says("larger than 1 MiB");
    let again = case("100 for ever", |_, _| {
        Answer::Close(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000))
    });
    let headers = case("headers without end", |_, _| {
        let mut bytes = b"HTTP/1.1 201 Created\r\n".to_vec();
        bytes.extend(b"X-Padding: 0123456789abcdef\r\n".repeat(100_000));
        Answer::Flood(bytes, HUGE)
    });
    rejected([large, again.fails(75), headers.fails(75)]);
}

/// An answer just too large for the limit, and one that just fits.
#[test]
fn one_mebibyte_is_the_limit() {
    let of_size = |size: usize| {
        let backend = Backend::new();
        register(move |request| {
            let mut files = backend.files(request);
            files.insert("padding".into(), "".into());
            let room = size - serde_json::to_vec(&files).unwrap().len();
            files.insert("padding".into(), "x".repeat(room).into());
            Answer::json(201, &files)
        })
    };
    let (board, run) = of_size(1024 * 1024);
    run.expect(0);
    assert!(board.names().contains(&"padding".into()));
    let (board, run) = of_size(1024 * 1024 + 1);
    run.expect(65).says(&["larger than 1 MiB"]);
    assert_eq!(board.names(), [JOURNAL]);
}

/// Registers with these limits; one that does not work is one of ten minutes, far beyond the
/// patience of the runner. The request has arrived, so the next run asks for the same device.
#[track_caller]
fn given_up(answer: Answer, limits: [&str; 3], words: &[&str]) {
    let server = ScriptedServer::always(answer);
    let board = Board::new();
    let run = board.register(&server.url(), limits).expect(75);
    run.says(words).says(&["error: ", "hint: "]);
    assert_eq!(server.only_request().method, "POST");
    assert_eq!(board.names(), [JOURNAL]);
}

const READ: [&str; 3] = [
    "--connect-timeout=1",
    "--read-timeout=1",
    "--request-timeout=600",
];
const REQUEST: [&str; 3] = [
    "--connect-timeout=600",
    "--read-timeout=600",
    "--request-timeout=1",
];
/// The message names the limit, and the option that raises it.
const UNENDED: [&str; 2] = ["did not end within 1 s", "--request-timeout SECS"];

#[test]
fn a_server_that_never_answers() {
    given_up(Answer::Hang, READ, &["no answer from", "in time"]);
    given_up(Answer::Hang, REQUEST, &["no answer from", "in time"]);
}

#[test]
fn a_server_that_stops_in_the_middle() {
    let mut bytes = head(201, &[], HUGE);
    bytes.push(b' ');
    given_up(Answer::Stall(bytes), READ, &["the answer of"]);
}

#[test]
fn a_server_that_drips_its_headers() {
    let answer = Answer::Drip(Vec::new(), b"HTTP/1.1 201 Created\r\nX: y".to_vec());
    given_up(answer, REQUEST, &["no answer from", "in time"]);
}

#[test]
fn a_server_that_drips_its_body() {
    let answer = Answer::Drip(head(201, &[], HUGE), b" ".to_vec());
    given_up(answer, REQUEST, &UNENDED);
}

/// A body in chunks of one byte, which never ends.
#[test]
fn a_server_that_drips_chunks() {
    let head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let answer = Answer::Drip(head, b"1\r\n \r\n".repeat(200_000));
    given_up(answer, REQUEST, &UNENDED);
}

/// Nobody takes the connection: the backend cannot know this device.
#[test]
fn a_server_that_never_accepts() {
    let (address, _queue) = deaf_address();
    let board = Board::new();
    let limits = [
        "--connect-timeout=1",
        "--read-timeout=600",
        "--request-timeout=600",
    ];
    let run = board.register(&format!("http://{address}/"), limits);
    run.expect(75).says(&["cannot connect to", "hint: "]);
    assert!(board.names().is_empty());
}
