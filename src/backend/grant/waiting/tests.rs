use super::*;

const FULL: &str = r#"{"device_code":"dc","user_code":"AB-CD","verification_uri":"https://a/v",
    "verification_uri_complete":"https://a/v?c=AB-CD","expires_in":900,"interval":7}"#;

fn invitation(interval: u64, expires_in: u64) -> Invitation {
    let body = format!(
        r#"{{"device_code":"dc","user_code":"u","verification_uri":"https://a","expires_in":{expires_in},"interval":{interval}}}"#
    );
    Invitation::parse(body.as_bytes()).unwrap()
}

fn pending() -> Poll<'static> {
    Poll::Answer {
        status: 400,
        body: br#"{"error":"authorization_pending"}"#,
    }
}

fn slow_down() -> Poll<'static> {
    Poll::Answer {
        status: 400,
        body: br#"{"error":"slow_down"}"#,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_full_invitation() {
    let read = Invitation::parse(FULL.as_bytes()).unwrap();
    assert_eq!(read.device_code.expose(), "dc");
    assert_eq!(read.user_code, "AB-CD");
    assert_eq!(read.address(), "https://a/v?c=AB-CD");
    assert_eq!((read.expires_in, read.interval), (seconds(900), seconds(7)));
}

#[test]
fn what_may_be_missing_has_a_default() {
    let body = br#"{"device_code":"d","user_code":"u","verification_url":"https://a"}"#;
    let read = Invitation::parse(body).unwrap();
    assert_eq!(read.interval, seconds(5));
    assert_eq!(read.expires_in, seconds(900));
    assert_eq!(read.address(), "https://a");
}

#[test]
fn intervals_never_make_a_busy_loop_or_a_hang() {
    assert_eq!(invitation(0, 900).interval, seconds(1));
    assert_eq!(invitation(5, 99_999_999).expires_in, seconds(24 * 3600));
    let body = FULL.replace("900", "-1").replace(":7", ":0.2");
    let read = Invitation::parse(body.as_bytes()).unwrap();
    assert_eq!((read.expires_in, read.interval), (seconds(900), seconds(1)));
}

#[test]
fn what_is_no_invitation() {
    for (body, words) in [
        ("<html>portal</html>", "is not the JSON of RFC 8628"),
        (
            &FULL.replace(":7", ":900"),
            "names a code that ends before it may be asked about",
        ),
        ("{}", "lacks device_code"),
        (&FULL.replace("\"dc\"", "\"\""), "lacks device_code"),
        (&FULL.replace("user_code", "x"), "lacks user_code"),
    ] {
        let error = Invitation::parse(body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), words, "{body}");
    }
}

#[test]
fn other_answers_are_errors_with_the_servers_words() {
    let refusal = |status, body: &[u8]| refusal(status, body, &Censor::default());
    let kind = |status, body: &str| refusal(status, body.as_bytes()).kind();
    assert_eq!(kind(400, r#"{"error":"invalid_scope"}"#), Kind::Refused);
    assert_eq!(kind(403, ""), Kind::Unauthorised);
    assert_eq!(kind(503, "<html><title>busy</title>"), Kind::Temporary);
    let error = refusal(404, b"<html><title>Not here</title></html>");
    assert!(error.full_message().contains("404: Not here"), "{error}");
}

#[test]
fn a_grant_ends_the_wait() {
    let mut waiting = Waiting::new(&invitation(5, 900), Duration::ZERO);
    assert_eq!(waiting.first_pause(), seconds(5));
    assert_eq!(
        waiting.take(pending(), seconds(5)).unwrap(),
        Next::PollAfter(seconds(5))
    );
    let poll = Poll::Answer {
        status: 200,
        body: br#"{"access_token":"t","x":[1]}"#,
    };
    assert_eq!(
        waiting.take(poll, seconds(10)).unwrap(),
        Next::Granted(Secret::from("t"))
    );
}

#[test]
fn slow_down_is_for_good() {
    let mut waiting = Waiting::new(&invitation(5, 900), Duration::ZERO);
    assert_eq!(
        waiting.take(slow_down(), seconds(5)).unwrap(),
        Next::PollAfter(seconds(10))
    );
    assert_eq!(
        waiting.take(pending(), seconds(15)).unwrap(),
        Next::PollAfter(seconds(10))
    );
    assert_eq!(
        waiting.take(slow_down(), seconds(25)).unwrap(),
        Next::PollAfter(seconds(15))
    );
}

#[test]
fn broken_connections_back_off_and_recover() {
    let mut waiting = Waiting::new(&invitation(5, 900), Duration::ZERO);
    for pause in [10, 20, 40, 60, 60] {
        assert_eq!(
            waiting.take(Poll::Broken, seconds(0)).unwrap(),
            Next::PollAfter(seconds(pause))
        );
    }
    assert_eq!(
        waiting.take(pending(), seconds(0)).unwrap(),
        Next::PollAfter(seconds(5))
    );
    for (status, pause) in [(500, 10), (503, 20), (599, 40), (429, 60)] {
        let busy = Poll::Answer { status, body: b"" };
        assert_eq!(
            waiting.take(busy, seconds(0)).unwrap(),
            Next::PollAfter(seconds(pause))
        );
    }
}

/// The token may have been in the answer that did not come: the next run asks for a new code.
#[test]
fn a_code_that_is_gone_after_an_unanswered_poll() {
    let error = |body: &'static [u8]| Poll::Answer { status: 400, body };
    let (gone, old) = (
        br#"{"error":"invalid_grant"}"#,
        br#"{"error":"expired_token"}"#,
    );
    let bad_gateway = Poll::Answer {
        status: 502,
        body: b"",
    };
    let limit = Poll::Answer {
        status: 429,
        body: b"",
    };
    for (polls, kinds) in [
        (&[Poll::Broken][..], (Kind::Temporary, Kind::Temporary)),
        (&[bad_gateway, limit], (Kind::Temporary, Kind::Temporary)),
        (&[limit], (Kind::Refused, Kind::Unauthorised)),
        (
            &[Poll::Broken, pending()],
            (Kind::Refused, Kind::Unauthorised),
        ),
    ] {
        let mut waiting = Waiting::new(&invitation(5, 900), Duration::ZERO);
        for poll in polls {
            waiting.take(*poll, seconds(5)).unwrap();
        }
        let mut kind = |body| waiting.take(error(body), seconds(9)).unwrap_err().kind();
        assert_eq!((kind(gone), kind(old)), kinds, "{polls:?}");
    }
}

/// Not even where the server does not keep to the standard.
#[test]
fn what_only_the_server_may_know_is_not_shown() {
    let invitation = Invitation::parse(FULL.replace("\"dc\"", "\"d3v1ce-c0de\"").as_bytes());
    for (status, body) in [
        (201, r#"{"access_token":"t0ken"}"#),
        (400, r#"{"error":"unknown code d3v1ce-c0de"}"#),
        (404, r#"{"code":"d3v1ce\u002dc0de"}"#),
    ] {
        let mut waiting = Waiting::new(invitation.as_ref().unwrap(), Duration::ZERO);
        let body = body.as_bytes();
        let error = waiting.take(Poll::Answer { status, body }, seconds(1));
        let said = error.unwrap_err().full_message();
        assert!(!said.contains("t0ken") && !said.contains("c0de"), "{said}");
    }
}

#[test]
fn every_other_answer_ends_it() {
    for (status, body, kind) in [
        (400, r#"{"error":"access_denied"}"#, Kind::Unauthorised),
        (400, r#"{"error":"expired_token"}"#, Kind::Unauthorised),
        (400, r#"{"error":"invalid_client"}"#, Kind::Refused),
        (400, "<html>", Kind::Refused),
        (400, "", Kind::Refused),
        (200, "{}", Kind::Refused),
        (200, r#"{"access_token":""}"#, Kind::Refused),
        (200, r#"{"access_token":5}"#, Kind::Refused),
        (200, "<html>", Kind::Refused),
        (201, r#"{"access_token":"t"}"#, Kind::Refused),
        (302, "", Kind::Refused),
        (401, "", Kind::Unauthorised),
        (404, "", Kind::Refused),
    ] {
        let mut waiting = Waiting::new(&invitation(5, 900), Duration::ZERO);
        let error = waiting.take(
            Poll::Answer {
                status,
                body: body.as_bytes(),
            },
            seconds(1),
        );
        assert_eq!(error.unwrap_err().kind(), kind, "{status} {body}");
    }
}

/// Every sequence of answers that keeps waiting ends at the deadline, and no poll comes sooner
/// than the interval that holds at its time.
#[test]
fn every_sequence_ends_at_the_deadline() {
    const LENGTH: u32 = 6;
    for sequence in 0..3_u32.pow(LENGTH) {
        let mut waiting = Waiting::new(&invitation(5, 60), seconds(100));
        let mut now = seconds(100) + waiting.first_pause();
        let mut interval = seconds(5);
        let mut rest = sequence;
        loop {
            let poll = match rest % 3 {
                0 => pending(),
                1 => {
                    interval += seconds(5);
                    slow_down()
                }
                _ => Poll::Broken,
            };
            rest /= 3;
            let broken = matches!(poll, Poll::Broken);
            match waiting.take(poll, now) {
                Ok(Next::PollAfter(pause)) => {
                    assert!(pause >= interval, "sequence {sequence}");
                    now += pause;
                    assert!(now < seconds(160), "sequence {sequence}");
                    assert_eq!(waiting.left(now), seconds(160).saturating_sub(now));
                }
                Ok(Next::Granted(_)) => panic!("nothing was granted"),
                Err(error) => {
                    let expired = [Kind::Unauthorised, Kind::Temporary][usize::from(broken)];
                    assert_eq!(error.kind(), expired, "sequence {sequence}");
                    break;
                }
            }
        }
    }
}
