//! Configuration files and who may read them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lmp_test_support::board::run;
use lmp_test_support::image::Image;

use super::configuration::setting;

/// Who is not root, and what `check` does not need: it looks where registrations are, and says so.
#[test]
fn files_that_this_user_may_not_read() {
    let image = Image::new();
    let with = |image: &Image, mode: u32, words: &[&str]| {
        let directory = image.path("/etc/lmp-device-register");
        fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
        // Nobody, who may look at everything else.
        fs::set_permissions(image.board().path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let nobody = [
            "/usr/bin/setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ];
        run(image.command_under(&nobody, words))
    };
    image.write(
        "/etc/lmp-device-register/config.toml",
        "tags = \"config\"\n",
    );
    image.write("/etc/lmp-device-register/conf.d/1.toml", "name = \"n\"\n");
    let unread = "lmp-device-register/config.toml\" counts for nothing";
    // Not registered, which is what was asked; the configuration is beside the point.
    for mode in [0o700, 0o755] {
        with(&image, mode, &["check", "--offline"])
            .expect(78)
            .says(&[unread, "is not registered"]);
    }
    // A registration would be another without it.
    let token = "--api-token=x";
    let refused = with(&image, 0o755, &["--dry-run", token]).expect(78);
    refused.says(&["lmp-device-register/conf.d/1.toml", "Permission denied"]);

    for name in ["config.toml", "conf.d/1.toml"] {
        let path = image.path("/etc/lmp-device-register").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let parts = image.path("/etc/lmp-device-register/conf.d");
    fs::set_permissions(parts, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(
        image.path("/etc/os-release"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    fs::set_permissions(image.path("/var/sota"), fs::Permissions::from_mode(0o777)).unwrap();
    let shown = with(&image, 0o755, &["--dry-run", "--json", token]).expect(0);
    assert_eq!(setting(&shown, "tags").0, "config");
    assert_eq!(setting(&shown, "name").0, "n");
    assert_eq!(shown.stderr, "");
    let asked = with(&image, 0o755, &["check", "--offline"]).expect(78);
    assert!(!asked.stderr.contains("warning"), "{asked}");
    // A token that is there and that one may not read is not one that was forgotten.
    let file = "/etc/lmp-device-register-token";
    with(&image, 0o755, &["--dry-run", "--api-token-file", file])
        .expect(78)
        .says(&["Permission denied", "hint: let this user read it"]);
}

#[test]
fn a_secret_that_everybody_may_read() {
    let module = "hsm-module = \"pkcs11:?module-path=/m.so&pin-value=s3cret\"";
    for (text, secret) in [
        ("api-token = \"s3cret\"", true),
        ("hsm-pin = \"s3cret\"", true),
        ("hsm-so-pin = \"s3cret\"", true),
        (module, true),
        ("api-token-file = \"/t\"\ntags = \"main\"", false),
    ] {
        let image = Image::new();
        image.write("/etc/lmp-device-register/config.toml", text);
        let said = |mode: u32, above: u32| {
            let path = image.path("/etc/lmp-device-register");
            let file = path.join("config.toml");
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(above)).unwrap();
            let run = run(image.command(["check", "--offline"])).expect(78);
            assert!(!format!("{run}").contains("s3cret"), "{run}");
            run.stderr
                .contains("holds a secret and everybody may read it")
        };
        assert_eq!(said(0o644, 0o755), secret, "{text}");
        assert!(
            !said(0o640, 0o755) && !said(0o600, 0o755) && !said(0o644, 0o700),
            "{text}"
        );
    }
}
