use super::*;

#[test]
fn what_p11tool_prints_is_understood() {
    let uri = Pkcs11Uri::parse(
        "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=b5a3%2B;token=my%3Btoken\
         ;slot-id=77?module-path=/usr/lib/a.so&pin-source=file:///etc/a%20pin",
    )
    .unwrap();
    assert_eq!(
        uri,
        Pkcs11Uri {
            module_path: Some("/usr/lib/a.so".into()),
            token: Some("my;token".into()),
            serial: Some("b5a3+".into()),
            manufacturer: Some("SoftHSM project".into()),
            model: Some("SoftHSM v2".into()),
            slot_id: Some(77),
            pin: Some(UriPin::File("/etc/a pin".into())),
        }
    );
}

#[test]
fn every_way_to_give_a_pin() {
    let pin = |text: &str| Pkcs11Uri::parse(text).unwrap().pin;
    assert_eq!(pin("pkcs11:token=a"), None);
    assert_eq!(
        pin("pkcs11:?pin-value=12%2634%25"),
        Some(UriPin::Value("12&34%".into()))
    );
    assert_eq!(
        pin("pkcs11:?pin-source=file:/run/pin"),
        Some(UriPin::File("/run/pin".into()))
    );
    assert_eq!(
        pin("pkcs11:?pin-source=file%3A%2Frun%2Fpin"),
        Some(UriPin::File("/run/pin".into()))
    );
}

#[test]
fn what_is_not_understood_is_refused() {
    for text in [
        "/usr/lib/a.so",
        "PKCS11:token=a",
        "pkcs11:token",
        "pkcs11:token=a;token=b",
        "pkcs11:token=a%2",
        "pkcs11:token=a%",
        "pkcs11:token=a%+1",
        "pkcs11:token=a%zz",
        "pkcs11:token=%ff",
        "pkcs11:token=a%00",
        "pkcs11:slot-id=0x1",
        "pkcs11:slot-id=-1",
        "pkcs11:object=key",
        "pkcs11:id=%01",
        "pkcs11:colour=red",
        "pkcs11:token=a?module-name=softhsm2",
        "pkcs11:?pin-value=1&pin-source=file:/a",
        "pkcs11:?pin-value=1&pin-value=2",
        "pkcs11:?pin-source=|/bin/echo 1234",
        "pkcs11:?pin-source=%7c/bin/echo",
        "pkcs11:?pin-source=https://example.com/pin",
        "pkcs11:?pin-source=/etc/pin",
        "pkcs11:?pin-source=file:etc/pin",
        "pkcs11:?pin-source=file://host/etc/pin",
    ] {
        Pkcs11Uri::parse(text).expect_err(text);
    }
}

#[test]
fn no_error_shows_a_pin() {
    for text in [
        "pkcs11:?pin-value=geheim&pin-value=geheim",
        "pkcs11:?pin-value=geheim%zz",
        "pkcs11:token=a?pin-value=geheim&colour=geheim",
    ] {
        let error = Pkcs11Uri::parse(text).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("geheim"), "{text}");
    }
    let uri = Pkcs11Uri::parse("pkcs11:?pin-value=geheim").unwrap();
    assert!(!format!("{uri:?}").contains("geheim"));
}
