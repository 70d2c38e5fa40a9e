use super::*;

fn token(slot_id: u64, label: &str, serial: &str) -> TokenFacts {
    TokenFacts {
        slot_id,
        label: label.into(),
        serial: serial.into(),
        initialised: true,
        login_required: true,
        pin_bytes: (4, 8),
        ..TokenFacts::default()
    }
}

fn blank(slot_id: u64) -> TokenFacts {
    TokenFacts {
        initialised: false,
        ..token(slot_id, "", "")
    }
}

fn ours() -> TokenChoice {
    TokenChoice::labelled("aktualizr")
}

#[test]
fn the_token_of_that_label() {
    let tokens = [blank(0), token(1, "other", "a"), token(2, "aktualizr", "b")];
    assert_eq!(choose(&tokens, &ours()).unwrap(), Chosen::Use(2));
    assert!(!is_first_initialised(&tokens, &tokens[2]));
    assert!(is_first_initialised(&tokens, &tokens[1]));
}

#[test]
fn the_first_blank_one_if_no_token_has_the_label() {
    let tokens = [token(0, "other", "a"), blank(5), blank(6)];
    assert_eq!(choose(&tokens, &ours()).unwrap(), Chosen::Initialise(1));
    let sixth = TokenChoice {
        slot_id: Some(6),
        ..ours()
    };
    assert_eq!(choose(&tokens, &sixth).unwrap(), Chosen::Initialise(2));
}

#[test]
fn a_blank_one_is_left_alone_if_the_label_is_on_another_token() {
    let tokens = [token(0, "aktualizr", "a"), blank(5)];
    let other_serial = TokenChoice {
        serial: Some("b".into()),
        ..ours()
    };
    assert!(choose(&tokens, &other_serial).is_err());
}

#[test]
fn an_ambiguous_label_lists_the_candidates() {
    let tokens = [
        token(3, "aktualizr", "aa"),
        token(4, "aktualizr", "bb"),
        token(5, "other", "cc"),
    ];
    let text = choose(&tokens, &ours()).unwrap_err().full_message();
    for part in ["slot 3", "\"aa\"", "slot 4", "\"bb\""] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("cc"), "{text}");
    for choice in [
        TokenChoice {
            serial: Some("bb".into()),
            ..ours()
        },
        TokenChoice {
            slot_id: Some(4),
            ..ours()
        },
    ] {
        assert_eq!(choose(&tokens, &choice).unwrap(), Chosen::Use(1));
    }
}

#[test]
fn nothing_that_fits() {
    assert!(choose(&[], &ours()).is_err());
    let tokens = [token(0, "other", "a")];
    let text = choose(&tokens, &ours()).unwrap_err().full_message();
    assert!(text.contains("\"other\""), "{text}");
    let model = TokenChoice {
        model: Some("x".into()),
        ..ours()
    };
    assert!(choose(&[token(0, "aktualizr", "a")], &model).is_err());
    let maker = TokenChoice {
        manufacturer: Some("x".into()),
        ..ours()
    };
    assert!(choose(&[token(0, "aktualizr", "a")], &maker).is_err());
}

#[test]
fn flags_decide_before_a_try_is_spent() {
    let with = |tries: Tries| TokenFacts {
        user: tries,
        officer: tries,
        ..token(0, "aktualizr", "")
    };
    for user in [User::Normal, User::Officer] {
        let fresh = with(Tries::default());
        assert_eq!(check_tries(&fresh, user, false).unwrap(), None);
        let low = with(Tries {
            count_low: true,
            ..Tries::default()
        });
        assert!(check_tries(&low, user, false).unwrap().is_some());
        let last = with(Tries {
            final_try: true,
            ..Tries::default()
        });
        let error = check_tries(&last, user, false).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--hsm-allow-final-try"));
        assert!(check_tries(&last, user, true).unwrap().is_some());
        let locked = with(Tries {
            locked: true,
            final_try: true,
            ..Tries::default()
        });
        assert!(check_tries(&locked, user, true).is_err());
    }
}

#[test]
fn lengths_that_cannot_be_right() {
    let limits = |pin_bytes| TokenFacts {
        pin_bytes,
        ..token(0, "aktualizr", "")
    };
    for (pin_bytes, pin, fits) in [
        ((4, 8), "123", false),
        ((4, 8), "1234", true),
        ((4, 8), "12345678", true),
        ((4, 8), "123456789", false),
        ((0, 0), "123456789", true),
        ((4, 0), "123456789", true),
        ((4, 0), "123", false),
    ] {
        let checked = check_length(&limits(pin_bytes), User::Normal, pin);
        assert_eq!(checked.is_ok(), fits, "{pin_bytes:?} {pin}");
        if let Err(error) = checked {
            assert!(!error.full_message().contains(pin));
        }
    }
}

#[test]
fn uuids_in_slot_descriptions() {
    let uuid = "67e67bf8-6f72-481d-a05e-bcf2784dd584";
    for text in [
        uuid.to_owned(),
        format!("OP-TEE PKCS11 TA - TEE UUID {uuid}"),
        format!("ü{uuid}ü"),
        format!("slot {uuid} of 2"),
    ] {
        assert_eq!(uuid_in(&text).as_deref(), Some(uuid), "{text}");
    }
    for text in [
        "",
        "SoftHSM slot ID 0x6f72481d",
        "67E67BF8-6F72-481D-A05E-BCF2784DD584",
        "67e67bf86f72481da05ebcf2784dd584",
        "67e67bf8-6f72-481d-a05e-bcf2784dd58",
    ] {
        assert_eq!(uuid_in(text), None, "{text}");
    }
}
