//! `--dry-run` says what would be done, every value with its origin, and does nothing.

use std::fs;

use lmp_test_support::answers::signing_server;
use lmp_test_support::board::{Run, TOKEN, run, snapshot_of};
use lmp_test_support::image::Image;
use lmp_test_support::token::{PIN, SO_PIN, SOFTHSM, SoftHsm};

/// System calls that change something, talk to somebody, or start something.
const EFFECTS: &str = "mkdir,mkdirat,rmdir,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,\
    symlinkat,mknod,mknodat,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,truncate,ftruncate,\
    fallocate,utimensat,setxattr,fsetxattr,lsetxattr,removexattr,flock,fsync,fdatasync,copy_file_range,\
    sendfile,socket,connect,bind,listen,sendto,sendmsg,sendmmsg,clone,clone3,fork,vfork,execve,\
    mount,umount2,setrlimit,mlockall,kill,pwrite64,writev,pwritev";

/// Runs it under strace, and returns what it did that leaves a trace outside of itself.
fn effects(image: &Image, api: &str, arguments: &[&str]) -> (Run, Vec<String>) {
    effects_with(image, &SoftHsm::blank(), api, arguments)
}

fn effects_with(image: &Image, hsm: &SoftHsm, api: &str, arguments: &[&str]) -> (Run, Vec<String>) {
    let trace = image.board().path("trace");
    let calls = format!("trace={EFFECTS},write,open,openat,creat");
    let tool = [
        "/usr/bin/strace",
        "-f",
        "-e",
        &calls,
        "-o",
        trace.to_str().unwrap(),
    ];
    let mut command = image.command_under(&tool, arguments);
    command.env("DEVICE_API", api);
    hsm.show_to(&mut command);
    let run = run(command);
    let text = fs::read_to_string(&trace).unwrap();
    fs::remove_file(trace).unwrap();
    let calls = text.lines().filter_map(|line| {
        // A process id, then the call.
        let call = line
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start();
        let (name, _) = call.split_once('(')?;
        let harmless = match name {
            "open" | "openat" => !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
                .iter()
                .any(|flag| call.contains(flag)),
            "write" => call.starts_with("write(1,") || call.starts_with("write(2,"),
            _ => false,
        };
        (!harmless).then(|| call.to_owned())
    });
    let mut calls: Vec<String> = calls.collect();
    // strace shows how the agent itself was started.
    assert!(calls.remove(0).starts_with("execve("), "{text}");
    (run, calls)
}

fn image() -> Image {
    let image = Image::new();
    image.write("/etc/sota/tag", "devel\n");
    image.write(
        "/etc/lmp-device-register/config.toml",
        "device-group = \"grp\"\nretry-for = 0\n",
    );
    fs::create_dir_all(image.path("/var/sota/compose-apps/app-1")).unwrap();
    image
}

const PLAIN: [&str; 2] = ["--api-token-file", "/etc/lmp-device-register-token"];

#[test]
fn nothing_is_changed_and_nobody_is_asked() {
    let server = signing_server();
    for arguments in [&["auto"][..], &PLAIN] {
        let image = image();
        let before = image.snapshot();
        for format in [&["--dry-run"][..], &["--dry-run", "--json"]] {
            let arguments = [arguments, format].concat();
            let (run, effects) = effects(&image, &server.url(), &arguments);
            let run = run.expect(0);
            assert!(effects.is_empty(), "{effects:#?}");
            assert!(run.stdout.contains("register this device"), "{run}");
            assert_eq!(run.stderr, "");
        }
        assert_eq!(image.snapshot(), before);
        assert_eq!(server.connections(), 0);
    }
    // The same eyes see a registration.
    let image = image();
    let (run, effects) = effects(&image, &server.url(), &["auto"]);
    run.expect(0);
    for call in ["connect(", "renameat(", "unlinkat(", "openat(", "fsync("] {
        assert!(
            effects.iter().any(|effect| effect.starts_with(call)),
            "{call}: {effects:#?}"
        );
    }
}

/// Whenever it is loaded, `SoftHSM` writes the same number into its file `generation` again; that is all
/// that happens to a token.
#[test]
#[cfg(feature = "pkcs11")]
fn a_token_is_only_looked_at() {
    let image = image();
    let hsm = SoftHsm::new();
    let text = format!("HSM_MODULE={SOFTHSM}\nHSM_PIN={PIN}\nHSM_SOPIN={SO_PIN}\n");
    image.write("/etc/sota/hsm", &text);
    let before = (image.snapshot(), snapshot_of(&hsm.path("")));
    let (run, effects) = effects_with(&image, &hsm, "http://127.0.0.1:1/", &["auto", "--dry-run"]);
    let run = run.expect(0);
    let (own, others): (Vec<_>, Vec<_>) = effects.into_iter().partition(|call| {
        call.contains("/generation\"")
            || call.starts_with("write(4, \"\\0\\0\\0\\0\\0\\0\\0\\1\", 8)")
    });
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(own.len(), 2, "{own:#?}");
    assert!(
        run.stdout.contains("  token:    \"aktualizr\", serial"),
        "{run}"
    );
    assert_eq!((image.snapshot(), snapshot_of(&hsm.path(""))), before);
}

#[test]
#[cfg(feature = "pkcs11")]
fn every_value_has_its_origin_and_secrets_are_not_shown() {
    let image = image();
    let text = format!("HSM_MODULE={SOFTHSM}\nHSM_PIN=87654321\nHSM_SOPIN=12345678\n");
    image.write("/etc/sota/hsm", &text);
    let hsm = SoftHsm::new();
    let mut command = image.command(["auto", "--dry-run", "--hwid", "typed"]);
    command.env("DEVICE_API", "https://api.example.com/ota/devices/");
    hsm.show_to(&mut command);
    let run = run(command).expect(0);
    let module = format!("  hsm-module = {SOFTHSM:?} (file \"/etc/sota/hsm\")");
    for line in [
        "Would register this device with factory acme under a random UUID.",
        "  in:       /var/sota",
        "  factory = \"acme\" (os-release LMP_FACTORY)",
        "  hwid = \"typed\" (command line)",
        "  tags = \"devel\" (file \"/etc/sota/tag\")",
        "  apps = \"app-1\" (file \"/var/sota/compose-apps\")",
        "  device-group = \"grp\" (file \"/etc/lmp-device-register/config.toml\")",
        "  retry-for = \"0\" (file \"/etc/lmp-device-register/config.toml\")",
        "  device-api = \"https://api.example.com/ota/devices/\" (environment DEVICE_API)",
        "  api-token = \"[secret]\" (file \"/etc/lmp-device-register-token\")",
        &module,
        "  hsm-pin = \"[secret]\" (file \"/etc/sota/hsm\")",
        "  hsm-so-pin = \"[secret]\" (file \"/etc/sota/hsm\")",
        "  production = \"false\" (default)",
    ] {
        assert!(
            run.stdout.lines().any(|shown| shown == line),
            "{line:?} is not in {run}"
        );
    }
    for secret in [TOKEN, "87654321", "12345678"] {
        assert!(!format!("{run}").contains(secret), "{run}");
    }
}

#[test]
fn a_credential_is_named() {
    let image = image();
    let store = tempfile::tempdir().unwrap();
    fs::write(store.path().join("api-token"), TOKEN).unwrap();
    let mut command = image.command(["auto", "--dry-run"]);
    command.env("CREDENTIALS_DIRECTORY", store.path());
    let run = run(command).expect(0);
    assert!(
        run.stdout
            .contains("api-token = \"[secret]\" (credential api-token)"),
        "{run}"
    );
}

/// What would stop a registration stops its rehearsal.
#[test]
fn refusals() {
    let image = image();
    fs::write(image.path("/var/sota/client.pem"), "x").unwrap();
    run(image.command(["auto", "--dry-run"])).expect(10);
    run(image.command(["auto", "--dry-run", "--force"])).expect(0);
    fs::remove_file(image.path("/var/sota/client.pem")).unwrap();
    image.remove("/etc/lmp-device-register-token");
    run(image.command(["auto", "--dry-run"])).expect(78);
    let nowhere = [
        "auto",
        "--dry-run",
        "--api-token",
        "x",
        "--sota-dir",
        "/nowhere",
    ];
    run(image.command(nowhere))
        .expect(73)
        .says(&["\"/nowhere\"", "hint: create it: mkdir -p"]);
}
