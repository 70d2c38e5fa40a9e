//! `/etc/sota/hsm`: what asks for a token and is wrong never becomes a software key.

use lmp_test_support::board::run;
use lmp_test_support::image::Image;
use lmp_test_support::scripted::{Answer, ScriptedServer};

const WHOLE: &str = "HSM_MODULE=/usr/lib/no-such-module.so\nHSM_PIN=87654321\nHSM_SOPIN=12345678\n";

/// Nothing is made, nobody is asked, and no PIN is shown.
#[track_caller]
fn refused(text: &str) -> String {
    let image = Image::new();
    image.write("/etc/sota/hsm", text);
    let before = image.snapshot();
    let server = ScriptedServer::always(Answer::whole(201, b"{}"));
    let mut command = image.command(["auto", "--verbose"]);
    command.env("DEVICE_API", server.url());
    let run = run(command);
    assert_ne!(run.code, Some(0), "{run}");
    assert_eq!(server.connections(), 0, "{run}");
    assert_eq!(image.snapshot(), before, "{run}");
    for pin in ["87654321", "12345678"] {
        assert!(!format!("{run}").contains(pin), "a PIN in {run}");
    }
    format!("{run}")
}

#[test]
fn partial_or_misspelt() {
    for (text, words) in [
        (
            WHOLE.replace("HSM_PIN=", "HSM_PI="),
            "line 2 sets HSM_PI, which means nothing here",
        ),
        (
            WHOLE.replace("HSM_PIN=87654321\n", ""),
            "HSM_PIN is missing",
        ),
        (
            WHOLE.replace("HSM_SOPIN=12345678\n", ""),
            "HSM_SOPIN is missing",
        ),
        (WHOLE.replace("HSM_MODULE", "#"), "HSM_MODULE is missing"),
        (
            WHOLE.replace("HSM_MODULE", "HSM_MODUL"),
            "line 1 sets HSM_MODUL",
        ),
        (WHOLE.replace("87654321", ""), "line 2 leaves HSM_PIN empty"),
        (
            WHOLE.replace("87654321", "$(cat /pin)"),
            "only a shell could work out",
        ),
        (
            WHOLE.replace("87654321", "'87654321"),
            "only a shell could work out",
        ),
        (
            WHOLE.replace("87654321", "87654321 12345678"),
            "only a shell could work out",
        ),
        (
            WHOLE.replace("HSM_PIN=", ": 87654321;HSM_PIN="),
            "is no assignment",
        ),
        (
            format!("{WHOLE}HSM_PIN=87654321\n"),
            "line 4 sets HSM_PIN again",
        ),
        ("\n# nothing\n".to_owned(), "HSM_MODULE is missing"),
        (String::new(), "HSM_MODULE is missing"),
    ] {
        let shown = refused(&text);
        assert!(shown.starts_with("exit Some(78)"), "{shown}");
        assert!(
            shown.contains("\"/etc/sota/hsm\"") && shown.contains(words),
            "{words}: {shown}"
        );
        assert!(shown.contains("\nhint: "), "{shown}");
    }
}

/// A whole file means a token, also when there is none.
#[test]
fn whole() {
    refused(WHOLE);
    let quoted = "# token\nexport HSM_MODULE='/usr/lib/no-such-module.so'\nHSM_PIN=\"87654321\" # user\n\
                  HSM_SOPIN=1234\\5678\n";
    refused(quoted);
}

/// One that cannot be read is not one that is not there.
#[test]
fn unreadable() {
    let image = Image::new();
    std::fs::create_dir_all(image.path("/etc/sota/hsm")).unwrap();
    let run = run(image.command(["auto"])).expect(78);
    run.says(&["\"/etc/sota/hsm\" is no regular file"]);
    assert!(image.board().names().is_empty());

    let image = Image::new();
    std::fs::create_dir_all(image.path("/etc/sota")).unwrap();
    std::os::unix::fs::symlink("/nowhere", image.path("/etc/sota/hsm")).unwrap();
    let run = lmp_test_support::board::run(image.command(["auto"])).expect(78);
    run.says(&["\"/etc/sota/hsm\"", "No such file"]);
    assert!(image.board().names().is_empty());
}
