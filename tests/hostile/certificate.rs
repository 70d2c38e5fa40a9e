//! A 201 with a device certificate that is not this device's, or not fit for it.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};

use super::common::answers::{Backend, FACTORY};
use super::common::pki::{Ca, subject};
use super::common::scripted::{Answer, Request};
use super::{register, rejected};

/// An answer whose certificate differs by `change`.
fn signed_with(
    change: impl Fn(&mut CertificateParams) + Send + Sync + 'static,
) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let backend = Backend::new();
    move |request| {
        let certificate = backend.certificate(request, &change);
        Answer::json(201, &backend.files_with(request, &certificate))
    }
}

/// An answer whose `client.pem` is made by `spoil` from the good one.
fn client_pem(
    spoil: impl Fn(&Backend, String) -> String + Send + Sync + 'static,
) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let backend = Backend::new();
    move |request| {
        let mut files = backend.files(request);
        let good = files["client.pem"].as_str().unwrap().to_owned();
        files["client.pem"] = spoil(&backend, good).into();
        Answer::json(201, &files)
    }
}

#[test]
fn for_another_key() {
    let backend = Backend::new();
    rejected(
        move |request| {
            let certificate = backend.certificate_of_another_key(request);
            Answer::json(201, &backend.files_with(request, &certificate))
        },
        &["for another key"],
    );
}

#[test]
fn for_another_device_or_factory() {
    let cn = |text: &str| (DnType::CommonName, text.into());
    let ou = |text: &str| (DnType::OrganizationalUnitName, text.into());
    let other = "00000000-0000-4000-8000-000000000000";
    rejected(
        signed_with(move |params| params.distinguished_name = subject(&[cn(other), ou(FACTORY)])),
        &["the certificate's CN is", other],
    );
    rejected(
        signed_with(|params| {
            params
                .distinguished_name
                .push(DnType::OrganizationalUnitName, "evil");
        }),
        &["the certificate's OU is \"evil\", not \"acme\""],
    );
    rejected(
        signed_with(move |params| params.distinguished_name = subject(&[ou(FACTORY)])),
        &["exactly one CN"],
    );
    rejected(
        signed_with(|params| {
            params
                .distinguished_name
                .remove(DnType::OrganizationalUnitName);
        }),
        &["exactly one OU"],
    );
}

#[test]
fn expired() {
    rejected(
        signed_with(|params| params.not_after = date_time_ymd(2021, 5, 4)),
        &["expired on 2021-05-04", "hint: compare the clock"],
    );
}

/// Fresh boards lag behind: a certificate from the future is a warning that names the clock.
#[test]
fn from_the_future() {
    let (_, run) = register(signed_with(|params| {
        params.not_before = date_time_ymd(2119, 1, 1);
    }));
    run.expect(0)
        .says(&["warning: ", "valid from 2119-01-01", "clock"]);
}

#[test]
fn of_a_ca() {
    rejected(
        signed_with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        &["one of a CA"],
    );
}

#[test]
fn for_other_purposes() {
    rejected(
        signed_with(|params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        &["lacks clientAuth"],
    );
    rejected(
        signed_with(|params| params.extended_key_usages.clear()),
        &["lacks clientAuth"],
    );
    rejected(
        signed_with(|params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
        &["lacks digitalSignature"],
    );
}

#[test]
fn two_of_them() {
    rejected(
        client_pem(|backend, good| format!("{good}{}", backend.ca.pem())),
        &["2 certificates"],
    );
    rejected(
        client_pem(|_, good| format!("{good}{good}")),
        &["2 certificates"],
    );
}

#[test]
fn none_at_all() {
    for (text, words) in [
        ("certificate", "no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "damaged",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
            "broken PEM",
        ),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "broken PEM"),
    ] {
        rejected(client_pem(move |_, _| text.into()), &[words]);
    }
    rejected(
        client_pem(|_, good| good.replace("CERTIFICATE", "PRIVATE KEY")),
        &["holds a section"],
    );
}

/// A bundle that is there must prove who signed: it is all that can be checked of the issuer.
#[test]
fn a_chain_that_does_not_hold() {
    let chained = |spoil: fn(&Backend, &str) -> String, words: &'static str| {
        let backend = Backend::new();
        rejected(
            move |request| {
                let mut files = backend.files(request);
                let leaf = files["client.pem"].as_str().unwrap().to_owned();
                files["client.chained"] = spoil(&backend, &leaf).into();
                Answer::json(201, &files)
            },
            &["client.chained", words],
        );
    };
    chained(
        |_, leaf| format!("{leaf}{}", Ca::new("device CA").pem()),
        "who signed",
    );
    chained(
        |backend, leaf| format!("{}{leaf}", backend.ca.pem()),
        "another certificate",
    );
    chained(|_, _| "nothing".into(), "no certificate");
}
