//! The device grant (RFC 8628) and its page, with curl as the device.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::site::{GRANT, PASSWORD, Site};
use crate::tool::bearer;

fn user_code(codes: &Value) -> &str {
    codes["user_code"].as_str().unwrap()
}

#[test]
fn an_approved_device_registers_and_its_token_does_nothing_else() {
    let site = Site::with_operator();
    let codes = site.ask("device-1");
    assert_eq!([&codes["interval"], &codes["expires_in"]], [0, 900]);
    let page = codes["verification_uri"].as_str().unwrap();
    assert_eq!(page, format!("{}/activate/", site.server.urls().api));
    let complete = codes["verification_uri_complete"].as_str().unwrap();
    assert_eq!(complete, format!("{page}?user_code={}", user_code(&codes)));
    assert_eq!(site.refused(&codes, "device-1"), "authorization_pending");

    let path = complete.strip_prefix(&site.server.urls().api).unwrap();
    let mut browser = Browser::open(&site, path);
    browser.shows(200, "Sign in to approve");
    browser.shows(200, user_code(&codes));
    browser.login("wrong horse", user_code(&codes));
    browser.shows(403, "The name or the password is wrong.");
    browser.login(PASSWORD, user_code(&codes));
    for text in [
        "Approve this device?",
        "device-1",
        "acme",
        "Signed in as ann",
        user_code(&codes),
    ] {
        browser.shows(200, text);
    }
    let decision = [("user_code", user_code(&codes)), ("decision", "approve")];
    browser.send("/activate/decide", &decision);
    browser.shows(200, "The device is approved");

    let answer = site.poll(&codes, "device-1");
    assert_eq!(answer.status, 200, "{answer:?}");
    let granted = answer.json();
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(granted["scope"], "acme:devices:create");
    assert!(granted["expires_in"].as_i64().unwrap() <= 900);
    assert_eq!(site.refused(&codes, "device-1"), "invalid_grant");

    let header = bearer(granted["access_token"].as_str().unwrap());
    let other = site.post_as(&header, &site.body("device-2").to_string());
    assert_eq!(other.status, 403, "{other:?}");
    let list = site.api(&["-H", &header, &site.server.urls().device_api]);
    assert_eq!(list.status, 403);
    let body = site.body("device-1").to_string();
    for _ in 0..2 {
        assert_eq!(site.post_as(&header, &body).status, 201);
    }
    assert_eq!(site.server.devices().unwrap().len(), 1);

    // The next time that it asks, its name is known.
    let again = site.ask("device-1");
    browser.go(&format!("/activate/?user_code={}", user_code(&again)));
    browser.shows(200, "board device-1");
}

#[test]
fn a_denied_device_learns_it() {
    let site = Site::with_operator();
    let codes = site.ask("device-1");
    let mut browser = Browser::open(&site, "/activate/");
    browser.login(PASSWORD, "");
    browser.shows(200, "Which code does the device show?");
    let typed = user_code(&codes).to_lowercase().replace('-', "%20");
    browser.go(&format!("/activate/?user_code={typed}"));
    browser.shows(200, "Approve this device?");
    let decision = [("user_code", user_code(&codes)), ("decision", "deny")];
    browser.send("/activate/decide", &decision);
    browser.shows(200, "The device is denied");
    assert_eq!(site.refused(&codes, "device-1"), "access_denied");
    browser.send("/activate/decide", &[decision[0], ("decision", "approve")]);
    browser.shows(404, "No device waits with this code");
    assert_eq!(site.refused(&codes, "device-1"), "access_denied");

    browser.send("/activate/logout", &[]);
    browser.shows(200, "Sign in to approve");
}

#[test]
fn a_deleted_device_is_told_to_the_person() {
    let site = Site::with_operator();
    site.register("device-1");
    site.server.delete_device("device-1").unwrap();
    let codes = site.ask("device-1");
    let mut browser = Browser::open(&site, "/activate/");
    browser.login(PASSWORD, user_code(&codes));
    browser.shows(200, "This device was deleted from the factory.");
}

#[test]
fn polling_too_fast_and_too_late() {
    let site = Site::with(|options| options.oauth_expires_seconds = 2);
    let codes = site.ask("device-1");
    assert_eq!([&codes["interval"], &codes["expires_in"]], [5, 2]);
    let began = Instant::now();
    assert_eq!(site.refused(&codes, "device-1"), "authorization_pending");
    assert_eq!(site.refused(&codes, "device-1"), "slow_down");
    loop {
        match site.refused(&codes, "device-1").as_str() {
            "slow_down" => assert!(began.elapsed() < Duration::from_secs(60)),
            "expired_token" => break,
            other => panic!("{other}"),
        }
    }
    assert!(began.elapsed() >= Duration::from_millis(1900));
}

#[test]
fn a_device_that_keeps_its_interval_is_not_slowed_down() {
    let site = Site::with(|options| options.oauth_interval_seconds = 0);
    let codes = site.ask("device-1");
    for _ in 0..5 {
        assert_eq!(site.refused(&codes, "device-1"), "authorization_pending");
    }
    site.server.decide(user_code(&codes), true).unwrap();
    assert_eq!(site.poll(&codes, "device-1").status, 200);
    assert!(site.server.decide(user_code(&codes), true).is_err());
}

#[test]
fn wrong_requests_have_their_error() {
    let site = Site::new();
    let codes = site.ask("device-1");
    assert_eq!(site.refused(&codes, "device-2"), "invalid_grant");
    let unknown = json!({ "device_code": "unknown" });
    assert_eq!(site.refused(&unknown, "device-1"), "invalid_grant");

    let oauth = &site.server.urls().oauth;
    let authorize = format!("{oauth}/authorization/device/");
    let token = format!("{oauth}/token");
    let scope = ("scope", "acme:devices:create");
    let other = ("scope", "other:devices:create");
    for (url, fields, error) in [
        (&authorize, &[scope][..], "invalid_request"),
        (
            &authorize,
            &[("client_id", "a/b"), scope],
            "invalid_request",
        ),
        (&authorize, &[("client_id", "a"), other], "invalid_scope"),
        (
            &token,
            &[("grant_type", "password")],
            "unsupported_grant_type",
        ),
        (&token, &[("grant_type", GRANT)], "invalid_request"),
        (&token, &[("client_id", "a")], "invalid_request"),
    ] {
        let answer = site.post_form(url, fields);
        assert_eq!(answer.status, 400, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["error"], error, "{fields:?}");
        assert!(body["error_description"].is_string());
    }
    let json = ["-H", "Content-Type: application/json", "-d", "{}"];
    let json = site.api(&[&json[..], &[&authorize]].concat());
    assert_eq!(json.status, 400);
    assert_eq!(json.json()["error"], "invalid_request");
}

#[test]
fn one_of_many_polls_at_once_gets_the_token() {
    let site = Site::with(|options| options.oauth_interval_seconds = 0);
    let codes = site.ask("device-1");
    site.server.decide(user_code(&codes), true).unwrap();
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let poll = || site.poll(&codes, "device-1").status;
        let polls: Vec<_> = (0..6).map(|_| scope.spawn(poll)).collect();
        polls.into_iter().map(|poll| poll.join().unwrap()).collect()
    });
    let granted = statuses.iter().filter(|status| **status == 200);
    assert_eq!(granted.count(), 1, "{statuses:?}");
}

#[test]
fn a_foreign_form_is_refused() {
    let site = Site::with_operator();
    let codes = site.ask("device-1");
    let mut browser = Browser::open(&site, "/activate/");
    browser.login(PASSWORD, "");
    browser.shows(200, "Signed in as ann");
    let decision = [("user_code", user_code(&codes)), ("decision", "approve")];
    // Another visitor's token, and none at all.
    let stranger = Browser::open(&site, "/activate/");
    let own = std::mem::replace(&mut browser.page, stranger.page);
    browser.send("/activate/decide", &decision);
    browser.shows(403, "This form is out of date");
    browser.send("/activate/decide", &decision);
    browser.shows(403, "This form is out of date");
    assert_eq!(site.refused(&codes, "device-1"), "authorization_pending");
    // Without a session, the right token of an anonymous visitor decides nothing either.
    let mut anonymous = Browser::open(&site, "/activate/");
    anonymous.send("/activate/decide", &decision);
    anonymous.shows(403, "Your session is over");
    browser.page = own;
    browser.send("/activate/decide", &decision);
    browser.shows(200, "The device is approved");
}

#[test]
fn pages_keep_to_themselves() {
    let site = Site::with_operator();
    let url = format!("{}/activate/", site.server.urls().api);
    let headers = site.api(&["-D", "-", "-o", "/dev/null", &url]);
    let headers = headers.body.to_lowercase();
    for header in [
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "set-cookie: activate=",
        "path=/activate; max-age=3600; httponly; samesite=lax; secure",
    ] {
        assert!(headers.contains(header), "no {header} in {headers}");
    }
    assert!(!headers.contains("script-src"));
    let page = site.api(&[&url]).body;
    assert!(page.contains("name=\"viewport\"") && !page.contains("<script"));
}

#[test]
fn guessing_a_password_ends_soon() {
    let site = Site::with_operator();
    let mut browser = Browser::open(&site, "/activate/");
    for _ in 0..10 {
        browser.login("wrong horse", "");
        browser.shows(403, "The name or the password is wrong.");
    }
    let form = browser.page.body.clone();
    browser.login(PASSWORD, "");
    browser.shows(429, "Too many attempts");
    browser.page.body = form;
    let bob = [("name", "bob"), ("password", PASSWORD)];
    browser.send("/activate/login", &bob);
    browser.shows(429, "Too many attempts");
}

#[test]
fn guessing_codes_ends_soon() {
    let site = Site::with_operator();
    let mut browser = Browser::open(&site, "/activate/");
    browser.login(PASSWORD, "");
    for _ in 0..20 {
        browser.go("/activate/?user_code=BBBB-BBBB");
        browser.shows(404, "No device waits with this code");
    }
    browser.go("/activate/?user_code=BBBB-BBBB");
    browser.shows(429, "Too many attempts");
}
