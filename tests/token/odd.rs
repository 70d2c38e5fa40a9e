//! Tokens that do things differently, and are within their rights.

use lmp_test_support::factory::Factory;
use lmp_test_support::token::{LABEL, TokenBoard, registration};

/// Registers and checks with a module that does `odd`.
#[track_caller]
fn works(odd: &str) -> (TokenBoard, lmp_test_support::board::Run) {
    let (factory, device) = (Factory::new(), TokenBoard::new());
    let run = device.register_odd(&factory, odd, &[]).expect(0);
    assert_eq!(device.hsm.objects(), registration("01", "03"));
    let checked = device.check(odd).expect(0);
    assert!(checked.stdout.contains("mTLS works"), "{checked}");
    (device, run)
}

#[test]
fn a_plain_ec_point() {
    works("raw-point");
}

#[test]
fn a_token_that_hashes_itself() {
    works("only-hashing");
}

#[test]
fn a_token_that_refuses_derive() {
    let (device, run) = works("no-derive");
    run.says(&["warning", "CKA_DERIVE", "fioconfig"]);
    let private = device
        .hsm
        .tool(LABEL, &["--list-objects", "--type", "privkey"]);
    assert!(!private.contains("derive"), "{private}");
    assert!(private.contains("never extractable"), "{private}");
}

#[test]
fn a_token_that_makes_no_public_key_object() {
    let (device, _) = works("implied-public");
    let public = device
        .hsm
        .tool(LABEL, &["--list-objects", "--type", "pubkey"]);
    assert!(public.contains("verify"), "{public}");
    works("implied-public,raw-point");
}

#[test]
fn all_at_once() {
    works("raw-point,only-hashing,no-derive,implied-public");
}
