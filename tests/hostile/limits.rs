//! Answers without end in size, depth or time. What a run may take is bounded by its options;
//! how long it took is not asserted.

use super::common::answers::Backend;
use super::common::board::{Board, Run};
use super::common::scripted::{Answer, ScriptedServer, head};
use super::{JOURNAL, register, rejected};

/// 64 MB, as the predecessor read and printed them.
const HUGE: usize = 64 * 1024 * 1024;

#[test]
fn a_body_of_64_megabytes() {
    rejected(|_| Answer::huge(201, HUGE), &["larger than 1 MiB"]);
}

#[test]
fn an_error_of_64_megabytes() {
    for (status, code) in [(400, 76), (401, 77), (500, 75), (302, 76)] {
        let (_, run) = register(move |_| Answer::huge(status, HUGE));
        let run = run
            .expect(code)
            .says(&[&format!("the backend answered {status}")]);
        assert!(
            run.stderr.len() < 4096,
            "{} bytes were printed",
            run.stderr.len()
        );
    }
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

#[test]
fn json_200_000_levels_deep() {
    for bracket in ["[", "{\"a\":"] {
        let deep = bracket.repeat(200_000);
        let body = format!("{{\"client.pem\":{deep}");
        rejected(
            move |_| Answer::whole(201, body.as_bytes()),
            &["no JSON object"],
        );
        let (_, run) = register(move |_| Answer::whole(400, deep.as_bytes()));
        let run = run.expect(76);
        assert!(
            run.stderr.len() < 4096,
            "{} bytes were printed",
            run.stderr.len()
        );
    }
}

/// Registers at a server that gives `answer`, with the least patience.
fn impatiently(answer: Answer) -> (Board, Run) {
    let server = ScriptedServer::always(answer);
    let board = Board::new();
    let limits = [
        "--connect-timeout=1",
        "--read-timeout=1",
        "--request-timeout=2",
    ];
    let run = board.register(&server.url(), limits);
    (board, run)
}

/// The request has arrived: whether a device was made is open, so the next run asks for the same.
#[track_caller]
fn assert_given_up(answer: Answer) {
    let (board, run) = impatiently(answer);
    run.expect(75).says(&["error: ", "hint: "]);
    assert_eq!(board.names(), [JOURNAL]);
}

#[test]
fn a_server_that_never_answers() {
    assert_given_up(Answer::Hang);
}

#[test]
fn a_server_that_drips_its_headers() {
    assert_given_up(Answer::Drip(b"HTTP/1.1 201 Created\r\nX: y".to_vec()));
}

#[test]
fn a_server_that_drips_its_body() {
    let mut bytes = head(201, &[], HUGE);
    bytes.push(b' ');
    assert_given_up(Answer::Drip(bytes));
}

/// A body in chunks of one byte, which never ends.
#[test]
fn a_server_that_drips_chunks() {
    let mut bytes = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    bytes.extend(b"1\r\n \r\n".repeat(200_000));
    assert_given_up(Answer::Drip(bytes));
}

#[test]
fn headers_without_end() {
    let mut bytes = b"HTTP/1.1 201 Created\r\n".to_vec();
    bytes.extend(b"X-Padding: 0123456789abcdef\r\n".repeat(100_000));
    let (board, run) = impatiently(Answer::Flood(bytes, HUGE));
    run.expect(75).says(&["error: "]);
    assert_eq!(board.names(), [JOURNAL]);
}

#[test]
fn a_server_that_speaks_no_http() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"",
        b"\0\0\0\0",
        b"HTTP/1.1 abc\r\n\r\n",
    ] {
        let (_, run) = impatiently(Answer::Close(bytes.to_vec()));
        run.expect(75).says(&["error: ", "hint: "]);
    }
}
