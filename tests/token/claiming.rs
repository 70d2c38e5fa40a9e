//! Two runs with two directories and one token: the second one has to wait.

use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use lmp_test_support::answers::Backend;
use lmp_test_support::board::start;
use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::token::{PIN, SO_PIN, SOFTHSM, TokenBoard, registration, spy};
use lmp_test_support::tools::under;

/// A run on the device's token, with a directory of its own.
fn command(device: &TokenBoard, directory: &str, action: &[&str]) -> Command {
    let mut command = device.board.bare_command();
    device.hsm.show_to(&mut command);
    let directory = device.board.path(directory);
    std::fs::create_dir_all(&directory).unwrap();
    command.args(action).arg("--sota-dir").arg(directory);
    command.arg("--config-dir").arg(device.board.path("config"));
    let lock = device.board.lock();
    command.arg("--update-client-lock").arg(lock);
    command
}

fn registration_at(device: &TokenBoard, url: &str, directory: &str) -> Command {
    let mut command = command(device, directory, &[]);
    let release = device.board.path("os-release");
    command.arg("--os-release").arg(release);
    let token = device.board.path("token");
    command.env("DEVICE_API", url);
    command.arg("--api-token-file").arg(token);
    command.args(["--start-daemon", "0", "--retry-for", "0"]);
    command.args(["-P", PIN, "-S", SO_PIN]);
    command
}

#[test]
fn one_token_is_one_registrations() {
    for device in [TokenBoard::new(), TokenBoard::blank()] {
        let backend = Backend::new();
        let (asked, was_asked) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let may_go_on = Mutex::new(may_go_on);
        let server = ScriptedServer::new(move |request| {
            if request.method == "HEAD" {
                return Answer::whole(200, b"");
            }
            asked.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
            backend.signed(request)
        });
        let mut first = registration_at(&device, &server.url(), "one");
        first.args(["-m", SOFTHSM]);
        let first = start(first);
        was_asked.recv_timeout(Duration::from_secs(60)).unwrap();

        let mut second = registration_at(&device, &server.url(), "two");
        second.args(["--force", "-m"]).arg(spy());
        let (second, calls) = device.spied(second, std::path::Path::new(SOFTHSM));
        second
            .expect(11)
            .says(&["another registration works on the token", "hint: wait"]);
        assert!(!calls.contains(&"C_Login".to_owned()), "{calls:?}");

        go_on.send(()).unwrap();
        first.end().expect(0);
        assert_eq!(device.hsm.objects(), registration("01", "03"));
        // It is free again.
        device
            .run(command(&device, "one", &["unregister", "--yes"]))
            .expect(0);
        assert_eq!(device.hsm.objects(), [""; 0]);
    }
}

/// A sandbox may have no sockets of the kind; that is no reason not to register.
#[test]
fn where_no_claim_can_be_laid() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let trace = device.hsm.path("trace");
    let words = ["-f", "-e", "trace=bind", "-e", "inject=bind:error=EACCES"];
    let words = words.into_iter().chain(["-o", trace.to_str().unwrap()]);
    let command = under("/usr/bin/strace", words, &device.command(&factory));
    device
        .run(command)
        .expect(0)
        .says(&["warning: another registration on the same token"]);
}
