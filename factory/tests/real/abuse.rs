//! What one peer can do to others, and what a broken log can.

use std::fs::File;
use std::process::Stdio;

use serde_json::json;

use crate::browser::Browser;
use crate::process::Served;
use crate::site::{PASSWORD, Site};
use crate::tool::{csr, curl};

#[test]
fn a_log_that_cannot_be_written_drops_no_registration() {
    let closed = || std::io::pipe().unwrap().1.into();
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into()
    };
    for stderr in [&closed as &dyn Fn() -> Stdio, &full] {
        let dir = tempfile::tempdir().unwrap();
        let served = Served::start_with(&dir.path().join("data"), |command| {
            command
                .arg("--http")
                .env("RUST_LOG", "debug")
                .stderr(stderr())
        });
        let header = format!("OSF-TOKEN: {}", served.fact("api_token"));
        let api = served.fact("device_api");
        for uuid in ["device-1", "device-2"] {
            let csr = csr(dir.path(), uuid, &format!("/CN={uuid}/OU=acme"));
            let body = json!({
                "uuid": uuid, "csr": csr, "hardware-id": "rpi", "sota-config-dir": "/var/sota"
            });
            let posted = curl(&["-H", &header, "-d", &body.to_string(), api]);
            assert_eq!(posted.status, 201, "{posted:?}");
        }
        assert_eq!(curl(&["-H", &header, "-d", "{}", api]).status, 400);
    }
}

#[test]
fn refused_logins_do_not_count_for_the_name() {
    let site = Site::with_operator();
    let mut stranger = Browser::open_from(&site, "127.0.0.2", "/activate/");
    let form = stranger.page.body.clone();
    for _ in 0..60 {
        stranger.page.body.clone_from(&form);
        stranger.login("wrong horse", "");
    }
    stranger.shows(429, "Too many attempts");
    let mut ann = Browser::open(&site, "/activate/");
    ann.login(PASSWORD, "");
    ann.shows(200, "Signed in as ann");
}

#[test]
fn idle_connections_of_one_address_keep_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::plain(dir.path());
    let _idle: Vec<_> = (0..520).map(|_| served.connect("api")).collect();
    let url = served.fact("device_api");
    let other = curl(&["--max-time", "10", "--interface", "127.0.0.2", url]);
    assert_eq!(other.status, 401);
}

#[test]
fn a_poll_that_comes_too_early_is_not_looked_up_and_writes_nothing() {
    let site = Site::new();
    let codes = site.ask("device-1");
    let wal = || std::fs::read(site.data("factory.db-wal")).unwrap();
    assert_eq!(site.refused(&codes, "device-1"), "authorization_pending");
    let before = wal();
    for _ in 0..20 {
        assert_eq!(site.refused(&codes, "device-1"), "slow_down");
    }
    assert!(before == wal(), "polls were written down");
    site.server
        .decide(codes["user_code"].as_str().unwrap(), true)
        .unwrap();
    assert_eq!(site.refused(&codes, "device-1"), "slow_down");
}
