//! Answers that are wrong before anybody looks at their body.

use crate::common::scripted::{Answer, head};
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = statuses();
    cases.extend(cut_on_the_wire());
    cases.extend(heads());
    cases
}

/// A good body with another status is no success.
fn statuses() -> Vec<Case> {
    let statuses = [
        200, 202, 203, 204, 206, 226, 300, 301, 302, 304, 307, 308, 400, 401, 402, 403, 404, 405,
        408, 409, 410, 413, 418, 422, 429, 451, 499, 500, 501, 502, 503, 504, 511, 599, 600, 999,
    ];
    let with = |status| {
        case(format!("status {status}"), move |backend, request| {
            let body = serde_json::to_vec(&backend.files(request)).unwrap();
            Answer::with_headers(status, &[("Location", "\u{1b}[31m/else")], &body)
        })
    };
    statuses.into_iter().map(with).collect()
}

/// The connection ends before the answer does.
fn cut_on_the_wire() -> Vec<Case> {
    let cut = |length: usize| {
        case(
            format!("cut off after {length} bytes"),
            move |backend, request| {
                let body = serde_json::to_vec(&backend.files(request)).unwrap();
                let mut bytes = head(201, &[("Content-Type", "application/json")], body.len());
                bytes.extend(body);
                bytes.truncate(length.min(bytes.len() - 1));
                Answer::Close(bytes)
            },
        )
    };
    (0..2944).step_by(128).map(cut).collect()
}

fn heads() -> Vec<Case> {
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
        (
            "gzip that is none",
            "HTTP/1.1 201 Yes\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}".into(),
        ),
        (
            "an escape sequence",
            "HTTP/1.1 418 \u{1b}[31m\r\nContent-Length: 5\r\n\r\n\u{1b}[2J\u{7}".into(),
        ),
        (
            "another protocol",
            "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}".into(),
        ),
    ];
    let close = |(name, text): (&str, String)| {
        case(format!("{name} on the wire"), move |_, _| {
            Answer::Close(text.clone().into_bytes())
        })
    };
    let mut cases: Vec<Case> = bytes.into_iter().map(close).collect();
    cases.push(case("silence", |_, _| Answer::Hang));
    cases.push(case("a header that drips", |_, _| {
        Answer::Drip(b"HTTP/1.1 201 Y\r\nX: x".to_vec())
    }));
    cases.push(case("a body that drips", |_, _| {
        Answer::Drip([head(201, &[], 100_000), b"{ ".to_vec()].concat())
    }));
    cases.push(case("100 for ever", |_, _| {
        Answer::Close(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000))
    }));
    for status in [200, 201, 400, 500] {
        cases.push(case(format!("64 MB with status {status}"), move |_, _| {
            Answer::huge(status, 64 * 1024 * 1024)
        }));
    }
    cases
}
