//! What of the Yocto layer can be checked without Yocto; `scripts/yocto-check` tries it with bitbake.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LAYER: &str = "packaging/yocto";
const RECIPE: &str = "packaging/yocto/recipes-sota/lmp-device-register/lmp-device-register_git.bb";
const APPEND: &str = "packaging/yocto/dynamic-layers/meta-lmp-base/recipes-support/\
    lmp-device-auto-register/lmp-device-auto-register.bbappend";
const CHOICE: &str = "packaging/yocto/classes-recipe/lmp-device-register-choice.bbclass";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value of `name = "value"` in a file of the layer.
fn value(path: &str, name: &str) -> String {
    let start = format!("{name} = \"");
    let text = text(path);
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("{path} sets no {name}"));
    line.trim_end_matches('"').to_owned()
}

fn git(arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.arg("-C").arg(root()).args(arguments);
    command.output().expect("git runs")
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_recipe_pins_a_commit_of_this_history() {
    let pin = value(RECIPE, "SRCREV_agent");
    assert!(pin.len() == 40 && pin.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // A tarball or a shallow clone has no history to compare with.
    if !git(&["cat-file", "-e", &format!("{pin}^{{commit}}")])
        .status
        .success()
    {
        return;
    }
    assert!(
        git(&["merge-base", "--is-ancestor", &pin, "HEAD"])
            .status
            .success()
    );
    let tag = concat!("v", env!("CARGO_PKG_VERSION"), "^{commit}");
    let tagged = git(&["rev-parse", "-q", "--verify", tag]);
    if tagged.status.success() {
        let commit = String::from_utf8(tagged.stdout).unwrap();
        assert_eq!(pin, commit.trim(), "run scripts/yocto-crates --pin");
    }
}

#[test]
fn nothing_is_looked_up_while_parsing_and_no_release_is_assumed() {
    let mut paths = Vec::new();
    files(&root().join(LAYER), &mut paths);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default();
            for word in ["AUTOREV", "${WORKDIR}/git", "${UNPACKDIR}"] {
                assert!(
                    !code.contains(word),
                    "{}:{}: {word}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn the_recipe_has_the_names_of_the_one_that_it_replaces() {
    let recipe = text(RECIPE);
    for wanted in [
        "PACKAGECONFIG[composeapp] = \"\"",
        "PACKAGECONFIG[production] = \"\"",
        "PACKAGECONFIG[pkcs11] = \"\"",
        // Lists that were written for the other recipe do not name it.
        "PACKAGECONFIG:append = \" pkcs11\"",
        "LMP_DEVICE_API ?= ",
        "LMP_OAUTH_API ?= ",
        "HOMEPAGE = ",
    ] {
        assert!(recipe.contains(wanted), "{RECIPE} lacks {wanted}");
    }
    assert!(!recipe.contains("RRECOMMENDS"));
}

#[test]
fn recipe_and_append_decide_alike() {
    for path in [RECIPE, APPEND] {
        let text = text(path);
        assert!(text.contains("lmp-device-register-choice"), "{path}");
        assert!(text.contains("lmp_device_register_unused(d)"), "{path}");
    }
    let version = concat!(env!("CARGO_PKG_VERSION"), "+git");
    assert_eq!(value(CHOICE, "LMP_DEVICE_REGISTER_PV"), version);
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert_eq!(value(CHOICE, "LMP_DEVICE_REGISTER_RUST"), rust);
}

#[test]
fn the_page_names_every_release_of_the_layer() {
    let page = text("docs/yocto.md");
    let releases = value(
        "packaging/yocto/conf/layer.conf",
        "LAYERSERIES_COMPAT_lmp-device-register",
    );
    for release in releases.split(' ') {
        assert!(page.contains(release), "docs/yocto.md lacks {release}");
    }
    let readme = text("packaging/yocto/README.md").to_lowercase();
    // What yocto-check-layer looks for.
    for word in ["maintainer", "patch", "@"] {
        assert!(readme.contains(word), "the layer's README.md lacks {word}");
    }
}

#[test]
fn the_check_runs_without_yocto() {
    let output = Command::new(root().join("scripts/yocto-check"))
        .env_remove("BITBAKEDIR")
        .output()
        .expect("scripts/yocto-check runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(printed.contains("bitbake was not tried"), "{printed}");
}
