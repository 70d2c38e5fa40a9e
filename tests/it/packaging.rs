//! What builds and packages elsewhere must stay in step with the source: the crate list and version
//! of the Yocto recipe, and the variables that cross.toml hands into its container.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use lmp_test_support::repository;

const RECIPE: &str = "packaging/yocto/recipes-sota/lmp-device-register/lmp-device-register_git.bb";

fn text(path: &str) -> String {
    let path = repository(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Variables that the build takes its defaults and its identity from.
fn build_variables() -> BTreeSet<String> {
    let settings = text("src/settings/build.rs");
    let defaults = settings.split("option_env!(\"").skip(1);
    let defaults = defaults.map(|rest| rest.split('"').next().unwrap().to_owned());
    let script = text("build.rs");
    let watched = script.split("for name in [").nth(1).unwrap();
    let watched = watched.split(']').next().unwrap().split('"');
    let watched = watched.filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    let watched = watched.filter(|word| !word.is_empty()).map(str::to_owned);
    defaults.chain(watched).collect()
}

/// The claim of the manifest. What our own code uses of the library is clippy's to know.
#[test]
fn no_crate_needs_a_newer_compiler() {
    let words = ["metadata", "--locked", "--offline", "--format-version", "1"];
    let cargo = std::env::var("CARGO").unwrap();
    let manifest = repository("Cargo.toml");
    let output = Command::new(cargo)
        .args(words)
        .arg("--manifest-path")
        .arg(manifest)
        .output();
    let facts: serde_json::Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let version =
        |text: &str| -> Vec<u32> { text.split('.').map(|n| n.parse().unwrap()).collect() };
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    let crates = facts["packages"].as_array().unwrap();
    assert!(crates.len() > 200, "{} crates only", crates.len());
    for found in crates {
        let needed = found["rust_version"].as_str().map(version);
        let fits = needed.is_none_or(|needed| needed[..2] <= ours[..]);
        assert!(fits, "{} needs {}", found["name"], found["rust_version"]);
    }
}

/// No line that cargo-deb breaks in the middle, and no file that is missing.
#[test]
fn the_debian_package_is_well_described() {
    let manifest: toml_edit::DocumentMut = text("Cargo.toml").parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let description = deb["extended-description"].as_str().unwrap();
    for line in description.lines() {
        assert!(line.len() < 80 && !line.starts_with(' '), "{line}");
    }
    assert!(description.trim().lines().count() > 4, "{description}");
    let assets = deb["assets"].as_array().unwrap().iter();
    let sources = assets.map(|asset| asset.as_array().unwrap().get(0).unwrap().as_str().unwrap());
    for source in sources.filter(|source| !source.starts_with("target/")) {
        let fixed = source.split('*').next().unwrap();
        assert!(repository(fixed).exists(), "{source} is not there");
    }
}

#[test]
fn the_recipe_fetches_the_crates_of_the_lock_file() {
    let output = Command::new(repository("scripts/yocto-crates"))
        .arg("--check")
        .output()
        .expect("scripts/yocto-crates runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_recipe_pins_the_licence_texts() {
    let recipe = text(RECIPE);
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let path = repository(name);
        let output = Command::new("md5sum").arg(path).output().unwrap();
        let sum = String::from_utf8(output.stdout).unwrap();
        let pinned = format!("file://{name};md5={}", sum.split(' ').next().unwrap());
        assert!(recipe.contains(&pinned), "{RECIPE} lacks {pinned}");
    }
}

#[test]
fn the_recipe_sets_every_build_variable() {
    let recipe = text(RECIPE);
    // The epoch is Yocto's own: it exports SOURCE_DATE_EPOCH to every task.
    for name in build_variables() {
        let exported = format!("export {name}");
        assert!(
            name == "SOURCE_DATE_EPOCH" || recipe.contains(&exported),
            "{RECIPE} lacks {exported}"
        );
    }
}

#[test]
fn the_container_build_sees_every_build_variable() {
    let config: toml_edit::DocumentMut = text("cross.toml").parse().unwrap();
    let passed = config["build"]["env"]["passthrough"].as_array().unwrap();
    let passed = passed.iter().map(|name| name.as_str().unwrap().to_owned());
    assert_eq!(passed.collect::<BTreeSet<_>>(), build_variables());
    let targets = config["target"].as_table().unwrap();
    let targets: Vec<_> = targets.iter().map(|(name, _)| name).collect();
    assert_eq!(
        targets,
        [
            "aarch64-unknown-linux-gnu",
            "armv7-unknown-linux-gnueabihf",
            "x86_64-unknown-linux-gnu"
        ]
    );
}

/// Everybody may read the configuration, so that `check` and `--dry-run` work for everybody; a
/// directory that is there stays as closed as its owner made it.
#[test]
fn the_configuration_directory() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("etc/lmp-device-register");
    let mode = || fs::metadata(&directory).unwrap().permissions().mode() & 0o7777;
    let make = || {
        let mut install = Command::new("make");
        install.arg("-sC").arg(repository("")).arg("install-files");
        succeed(install.arg(format!("DESTDIR={}", root.path().display())));
    };
    let boot = || {
        let mut tmpfiles = Command::new("systemd-tmpfiles");
        tmpfiles
            .arg("--create")
            .arg(format!("--root={}", root.path().display()));
        succeed(tmpfiles.arg(repository("packaging/tmpfiles.conf")));
    };
    for install in [&make as &dyn Fn(), &boot] {
        install();
        assert_eq!(mode(), 0o755);
        fs::remove_dir(&directory).unwrap();
    }
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    boot();
    assert_eq!(mode(), 0o700);
    assert!(text("packaging/debian/postinst").contains(
        "[ -d /etc/lmp-device-register ] || install -d -m 0755 /etc/lmp-device-register"
    ));
}

fn succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}
