//! Libraries that are not there, are none, or do not start.

use std::fs;
use std::path::Path;

use lmp_test_support::factory::Factory;
use lmp_test_support::token::{SOFTHSM, TokenBoard, library};

/// Runs with this path as module.
fn run_with(device: &TokenBoard, factory: &Factory, module: &Path) -> lmp_test_support::board::Run {
    device.run(device.command_with(factory, module))
}

#[test]
fn a_path_must_be_absolute_and_a_file() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let folder = device.hsm.path("folder");
    fs::create_dir(&folder).unwrap();
    for (module, word) in [
        (Path::new("libsofthsm2.so"), "absolute"),
        (Path::new("./libsofthsm2.so"), "absolute"),
        (Path::new("/nowhere/libsofthsm2.so"), "No such file"),
        (Path::new("/dev/null"), "no regular file"),
        (folder.as_path(), "no regular file"),
        (Path::new("/usr/lib/a\"b.so"), "sota.toml"),
    ] {
        let run = run_with(&device, &factory, module).expect(78);
        assert!(run.stderr.contains(word), "{word}: {run}");
        let name = module.file_name().unwrap().to_str().unwrap();
        assert!(run.stderr.contains(&name.replace('"', "\\\"")), "{run}");
    }
    assert!(device.names().is_empty());
}

#[test]
fn a_link_to_a_module_is_written_as_it_was_given() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let link = device.hsm.path("link.so");
    std::os::unix::fs::symlink(SOFTHSM, &link).unwrap();
    run_with(&device, &factory, &link).expect(0);
    let text = device.board.text("sota.toml");
    assert!(text.contains(&format!("module = {link:?}")), "{text}");
}

#[test]
fn a_library_that_does_not_load_says_why() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let text = device.hsm.path("text.so");
    fs::write(&text, "no library").unwrap();
    // SoftHSM's own file, for another machine: e_machine is at byte 18 of the header.
    let foreign = device.hsm.path("foreign.so");
    let mut bytes = fs::read(SOFTHSM).unwrap();
    bytes[18] = if bytes[18] == 0xb7 { 0x3e } else { 0xb7 };
    fs::write(&foreign, bytes).unwrap();
    let needy = device.hsm.path("needy.so");
    let source = device.hsm.path("missing.c");
    fs::write(&source, "void missing(void) {}").unwrap();
    let missing = device.hsm.path("libmissing.so");
    let cc = |arguments: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new("cc");
        command
            .args(["-shared", "-fPIC", "-Wl,--no-as-needed", "-o"])
            .args(arguments);
        lmp_test_support::token::succeed(command);
    };
    cc(&[missing.as_ref(), source.as_ref()]);
    cc(&[needy.as_ref(), source.as_ref(), missing.as_ref()]);
    fs::remove_file(&missing).unwrap();
    for (module, words) in [
        (text, &["text.so", "no shared library"][..]),
        (foreign, &["foreign.so", "architecture"]),
        (needy, &["needy.so", "libmissing.so", "ldd"]),
        (
            library("libm.so.6"),
            &["libm.so.6", "does not speak PKCS#11"],
        ),
    ] {
        let run = run_with(&device, &factory, &module).expect(69);
        run.says(words);
    }
    assert!(device.names().is_empty());
}

#[test]
fn a_library_that_does_not_start_says_why() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let run = device.register_odd(&factory, "no-function-list", &[]);
    run.expect(69)
        .says(&["odd_token.so", "C_GetFunctionList: CKR_GENERAL_ERROR"]);
    let run = device.register_odd(&factory, "fail=C_Initialize:30", &[]);
    run.expect(69)
        .says(&["odd_token.so", "C_Initialize: CKR_DEVICE_ERROR", "/dev/t"]);
    let run = device.register_odd(&factory, "fail=C_GetSlotList:80000001", &[]);
    run.expect(69).says(&["C_GetSlotList: 0x80000001"]);
    assert!(device.names().is_empty());
}

#[test]
fn check_names_the_module_that_is_gone() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let copy = device.hsm.path("copy.so");
    fs::copy(SOFTHSM, &copy).unwrap();
    run_with(&device, &factory, &copy).expect(0);
    device.check("").expect(0);
    fs::remove_file(&copy).unwrap();
    device.check("").expect(78).says(&["copy.so"]);
}
