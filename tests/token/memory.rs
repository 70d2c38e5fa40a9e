//! While the agent waits, PINs and the API token stand in one place of its memory each, the live
//! one: whatever they were read from, parsed from or passed on through is wiped.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lmp_test_support::answers::Backend;
use lmp_test_support::board::start;
use lmp_test_support::image::Image;
use lmp_test_support::memory::places;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::token::{SOFTHSM, SoftHsm};

/// No step before a request takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Secrets are long: an allocator overwrites the first bytes of what is given back, and a search for
/// the last ones finds what it left.
const PIN: &str = "87650-the-user-pin-of-this-very-token-4321";
const SO_PIN: &str = "12340-the-officers-pin-of-this-very-token-5678";
const TOKEN: &str = "5ecr3t-the-api-token-of-this-very-board-9876";
/// The bytes that are looked for; no two secrets end alike.
const TAIL: usize = 16;

/// Runs a registration on a token, and stops it whenever it asks the backend, and when it starts the
/// update client: each PIN stands in `pins` places then, and the API token in one until it is sent.
/// After that, the HTTP client has buffers with it.
#[track_caller]
fn assert_places(image: &Image, hsm: &SoftHsm, mut command: Command, pins: usize) {
    let backend = Backend::new();
    let (asked, requests) = mpsc::sync_channel(0);
    let (release, released) = mpsc::sync_channel::<()>(0);
    let released = std::sync::Mutex::new(released);
    let server = ScriptedServer::new(move |request| {
        asked.send(request.method.clone()).unwrap();
        released.lock().unwrap().recv().unwrap();
        match request.method.as_str() {
            "HEAD" => Answer::whole(200, b""),
            _ => backend.signed(request),
        }
    });
    hsm.show_to(&mut command);
    command.env("DEVICE_API", server.url());
    command.args(["--retry-for", "0"]);
    let (started, go_on) = (hsm.path("started"), hsm.path("go-on"));
    // It ends with the test too, which takes its folder away.
    let script = format!(
        "#!/bin/sh\n: >{started:?}\n\
         while [ -e {started:?} ] && [ ! -e {go_on:?} ]; do /bin/sleep 0.02; done\n"
    );
    image.board().install_program("systemctl", &script);
    let running = start(command);
    for (method, token) in [("HEAD", Some(1)), ("POST", None)] {
        let Ok(request) = requests.recv_timeout(PATIENCE) else {
            panic!("no {method}: {}", running.end());
        };
        assert_eq!(request, method);
        for (secret, expected) in [(PIN, Some(pins)), (SO_PIN, Some(pins)), (TOKEN, token)] {
            let found = places(running.pid(), &secret[secret.len() - TAIL..]);
            let right = expected.is_none_or(|expected| found.len() == expected);
            assert!(
                right,
                "{method}: {secret} in {found:#?}, not in {expected:?}"
            );
        }
        release.send(()).unwrap();
    }
    // `sota.toml` is written by now.
    let deadline = Instant::now() + PATIENCE;
    while !started.exists() {
        assert!(Instant::now() < deadline, "systemctl was not started");
        std::thread::sleep(Duration::from_millis(20));
    }
    for secret in [PIN, SO_PIN] {
        let found = places(running.pid(), &secret[secret.len() - TAIL..]);
        assert_eq!(found.len(), pins, "in the end: {secret} in {found:#?}");
    }
    std::fs::write(go_on, "").unwrap();
    running.end().expect(0);
    assert!(image.board().text("sota.toml").contains(PIN));
}

fn devices() -> (Image, SoftHsm) {
    let image = Image::new();
    image.write("/etc/lmp-device-register-token", &format!("{TOKEN}\n"));
    (image, SoftHsm::blank())
}

fn secret_files(image: &Image) {
    image.write("/etc/pin", &format!("{PIN}\n"));
    image.write("/etc/so-pin", &format!("{SO_PIN}\n"));
}

#[test]
fn from_the_file_of_the_wrapper_script() {
    let (image, hsm) = devices();
    let text = format!("HSM_MODULE={SOFTHSM}\nHSM_PIN={PIN}\nHSM_SOPIN={SO_PIN}\n");
    image.write("/etc/sota/hsm", &text);
    let command = image.command(["auto"]);
    assert_places(&image, &hsm, command, 1);
}

#[test]
fn from_configuration_files() {
    let (image, hsm) = devices();
    let text =
        format!("hsm-module = \"{SOFTHSM}\"\nhsm-pin = \"overruled\"\nhsm-so-pin = '{SO_PIN}'\n");
    image.write("/etc/lmp-device-register/config.toml", &text);
    let text = format!("# above\nhsm-pin = \"{PIN}\"\napi-token = \"{TOKEN}\"\n");
    image.write("/etc/lmp-device-register/conf.d/10-pin.toml", &text);
    let command = image.command(["--verbose"]);
    assert_places(&image, &hsm, command, 1);
}

#[test]
fn from_a_uri_in_a_configuration_file() {
    let (image, hsm) = devices();
    let text = format!(
        "hsm-module = \"pkcs11:token=aktualizr?module-path={SOFTHSM}&pin-value={PIN}\"\n\
         hsm-so-pin = \"{SO_PIN}\"\napi-token-file = \"/etc/lmp-device-register-token\"\n"
    );
    image.write("/etc/lmp-device-register/config.toml", &text);
    let command = image.command(["--verbose"]);
    assert_places(&image, &hsm, command, 1);
}

#[test]
fn from_files_of_their_own() {
    let (image, hsm) = devices();
    secret_files(&image);
    let mut command = image.command(["--hsm-module", SOFTHSM]);
    command.args([
        "--hsm-pin-file",
        "/etc/pin",
        "--hsm-so-pin-file",
        "/etc/so-pin",
    ]);
    command.args(["--api-token-file", "/etc/lmp-device-register-token"]);
    assert_places(&image, &hsm, command, 1);
}

/// The environment itself cannot be wiped: it is the second place.
const IN_ENVIRONMENT: usize = 2;

#[test]
fn from_the_environment() {
    let (image, hsm) = devices();
    let mut command = image.command(["auto", "--hsm-module"]);
    command.arg(Path::new(SOFTHSM));
    command
        .env("LMP_HSM_PIN", PIN)
        .env("LMP_HSM_SO_PIN", SO_PIN);
    assert_places(&image, &hsm, command, IN_ENVIRONMENT);
}
