//! Which token is taken, and which are left alone.

use std::process::Command;

use lmp_test_support::factory::Factory;
use lmp_test_support::token::{LABEL, PIN, SOFTHSM, SoftHsm, TokenBoard, registration};

const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";

/// Serial numbers of the tokens with that label.
fn serials(hsm: &SoftHsm, label: &str) -> Vec<String> {
    let slots = hsm.slots().into_iter();
    let slots = slots.filter(|slot| slot.label.as_deref() == Some(label));
    slots.map(|slot| slot.serial).collect()
}

fn uri_command(device: &TokenBoard, factory: &Factory, uri: &str) -> Command {
    let mut command = factory.command(&device.board);
    device.hsm.show_to(&mut command);
    command.arg("--hsm-module").arg(uri);
    command
}

#[test]
fn an_ambiguous_label_is_an_error_that_lists_the_candidates() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    device.hsm.initialise(LABEL);
    let serials = serials(&device.hsm, LABEL);
    assert_eq!(serials.len(), 2);
    let words: Vec<&str> = serials.iter().map(String::as_str).collect();
    device.register(&factory, &[]).expect(69).says(&words);
    assert!(device.names().is_empty());

    // A URI says which one.
    let pin = device.hsm.path("pin");
    std::fs::write(&pin, format!("{PIN}\n")).unwrap();
    let uri = format!(
        "pkcs11:token={LABEL};serial={}?module-path={SOFTHSM}&pin-source=file:{}",
        serials[1],
        pin.display()
    );
    device.run(uri_command(&device, &factory, &uri)).expect(0);
    let text = device.board.text("sota.toml");
    assert!(text.contains(&format!("module = \"{SOFTHSM}\"")), "{text}");
    assert!(text.contains(&format!("pass = \"{PIN}\"")), "{text}");
}

#[test]
fn a_foreign_token_is_never_touched() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    device.hsm.initialise("somebody else's");
    let mut command = factory.command(&device.board);
    device.hsm.show_to(&mut command);
    command.args(["-m", SOFTHSM, "-P", PIN]);
    device.run(command).expect(69);
    assert_eq!(device.hsm.labels(), ["somebody else's"]);
    // With the SO PIN the blank one beside it is initialised.
    device.register(&factory, &[]).expect(0);
    assert_eq!(device.hsm.labels(), [LABEL, "somebody else's"]);
    assert!(device.hsm.objects_on("somebody else's").is_empty());
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    device.check("").expect(0);
}

#[test]
fn a_label_of_ones_own() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    device
        .register(&factory, &["--hsm-token-label", "my token"])
        .expect(0);
    assert_eq!(device.hsm.labels(), ["my token"]);
    let text = device.board.text("sota.toml");
    assert!(text.contains("label = \"my token\"\n"), "{text}");
    device.check("").expect(0);
}

/// Without a label aktualizr would log in to the first token, and spend that one's tries.
#[test]
fn the_default_label_is_written_when_another_token_comes_first() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    // SoftHSM orders its slots by serial number, which is random.
    let mut others = 0;
    device.hsm.initialise(LABEL);
    loop {
        others += 1;
        device.hsm.initialise(&format!("other {others}"));
        if device.hsm.slots()[0].label.as_deref() != Some(LABEL) {
            break;
        }
    }
    device.register(&factory, &[]).expect(0);
    let text = device.board.text("sota.toml");
    assert!(text.contains(&format!("label = \"{LABEL}\"\n")), "{text}");
    device.check("").expect(0);
}

#[test]
fn uris_that_do_not_fit() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let path = format!("?module-path={SOFTHSM}&pin-value={PIN}");
    for (uri, code) in [
        (format!("pkcs11:token={LABEL}"), 78),
        (format!("pkcs11:token={LABEL}?module-path=relative.so"), 78),
        (format!("pkcs11:colour=red{path}"), 78),
        (format!("pkcs11:token={LABEL}{path}&pin-source=file:/x"), 78),
        (format!("pkcs11:?module-path={SOFTHSM}&pin-source=|cat"), 78),
        (format!("pkcs11:token={LABEL};serial=none{path}"), 69),
        (format!("pkcs11:token=nobody%27s;slot-id=12345{path}"), 69),
        (format!("pkcs11:token={LABEL};model=other{path}"), 69),
    ] {
        let run = device.run(uri_command(&device, &factory, &uri));
        run.expect(code);
    }
    let mut command = uri_command(&device, &factory, &format!("pkcs11:token=other{path}"));
    command.args(["--hsm-token-label", LABEL]);
    device.run(command).expect(78).says(&["--hsm-token-label"]);
    let mut command = uri_command(&device, &factory, &format!("pkcs11:token={LABEL}{path}"));
    command.args(["--hsm-pin", PIN]);
    device.run(command).expect(78);
    assert_eq!(device.hsm.labels(), [LABEL]);
    assert!(device.hsm.objects().is_empty());
    // The same with everything right, shown with all details.
    let uri =
        format!("pkcs11:token={LABEL};manufacturer=SoftHSM%20project;model=SoftHSM%20v2{path}");
    let mut command = uri_command(&device, &factory, &uri);
    command.arg("--verbose");
    device.run(command).expect(0);
}

#[test]
fn the_uuid_of_a_slot_description() {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let odd = format!("description=OP-TEE TEE UUID {UUID}");
    device.register_odd(&factory, &odd, &[]).expect(0);
    let devices = factory.server.devices().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].uuid, UUID);

    // The command line wins.
    let device = TokenBoard::new();
    let given = "11111111-2222-4333-8444-555555555555";
    device
        .register_odd(&factory, &odd, &["--uuid", given])
        .expect(0);
    let uuids: Vec<String> = factory
        .server
        .devices()
        .unwrap()
        .into_iter()
        .map(|d| d.uuid)
        .collect();
    assert!(uuids.iter().any(|uuid| uuid == given), "{uuids:?}");

    // A UUID of the token's is never given up for another one.
    let device = TokenBoard::new();
    device
        .register_odd(&factory, &odd, &[])
        .expect(76)
        .says(&["409"]);
    assert!(device.hsm.objects().is_empty());
}

#[test]
fn an_so_pin_finishes_an_initialisation_that_was_cut_off() {
    let (factory, device) = (Factory::new(), TokenBoard::blank());
    device.hsm.half_initialise();
    device.register(&factory, &[]).expect(0);
    assert_eq!(device.hsm.labels(), [LABEL]);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
}
