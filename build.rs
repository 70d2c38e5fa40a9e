//! Facts about the build that `--version` and the clock check need.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script writes where it is told to"
)]

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// The standard library asks for `libgcc_s.so`, which small images may lack: a linker script of that
/// name, found first, hands it the static library instead. Linkers without one keep the shared one.
fn link_libgcc_statically() {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(directory) = variable("OUT_DIR") else {
        return;
    };
    let linker = variable("RUSTC_LINKER").unwrap_or_else(|| "cc".to_owned());
    let found = Command::new(linker)
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let archive = found.map(|path| path.trim().to_owned()).unwrap_or_default();
    let script = std::path::Path::new(&directory).join("libgcc_s.so");
    if std::path::Path::new(&archive).is_absolute()
        && std::fs::write(script, format!("INPUT({archive})\n")).is_ok()
    {
        println!("cargo::rustc-link-arg-bins=-L{directory}");
    }
}

/// A panic ends the program at once: nothing reads the tables by which a stack is unwound, which are an
/// eighth of it, nor their index.
fn drop_unwind_tables() {
    println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    let directory = std::env::var("OUT_DIR").unwrap_or_default();
    let script = std::path::Path::new(&directory).join("no-unwinding.ld");
    let text = "SECTIONS { /DISCARD/ : { *(.eh_frame) } }\nINSERT AFTER .text;\n";
    if std::fs::write(&script, text).is_ok() {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
}

fn main() {
    for name in ["GIT_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    // An unpacked source package has no .git: watching a missing file would rebuild every time.
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if std::path::Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");

    let commit = std::env::var("GIT_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty())
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned());
    // The commit's own date keeps the build reproducible; the epoch switches the clock check off.
    let date = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .or_else(|| git(&["log", "-1", "--format=%ct"]))
        .filter(|seconds| seconds.parse::<u64>().is_ok())
        .unwrap_or_else(|| "0".to_owned());
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=BUILD_EPOCH={date}");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        drop_unwind_tables();
        link_libgcc_statically();
    }
    println!(
        "cargo::rustc-env=BUILD_TARGET={}",
        std::env::var("TARGET").unwrap_or_default()
    );
}
