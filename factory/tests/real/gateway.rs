//! The Device Gateway over mTLS, with curl and certificates that OpenSSL signed.

use lmp_factory::Device;

use crate::site::Site;
use crate::tool::{csr, openssl, output, run};

const UUID: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";

/// A device that the online CA's key certifies without the API, as a local CA does on a line.
fn certify_offline(site: &Site, uuid: &str, factory: &str, usage: &str) {
    let subject = format!("/CN={uuid}/OU={factory}");
    let request = csr(site.dir.path(), uuid, &subject);
    std::fs::write(site.path(&format!("{uuid}.csr")), request).unwrap();
    let extensions = format!(
        "keyUsage=critical,digitalSignature,keyAgreement\nextendedKeyUsage=critical,{usage}\n"
    );
    std::fs::write(site.path(&format!("{uuid}.ext")), extensions).unwrap();
    let (dir, pki) = (site.dir.path().display(), site.data("pki"));
    openssl(&format!(
        "x509 -req -sha256 -days 30 -in {dir}/{uuid}.csr -extfile {dir}/{uuid}.ext \
         -CA {pki}/online-ca.pem -CAkey {pki}/online-ca.key -CAserial {dir}/serial -CAcreateserial \
         -out {dir}/{uuid}.client.pem"
    ));
}

#[test]
fn a_registered_device_is_served() {
    let site = Site::new();
    site.register("device-1");
    let root = site.check_in("device-1", "/repo/1.root.json", &[]);
    assert_eq!(root.status, 200);
    assert_eq!(root.json()["signed"]["_type"], "Root");
    let device = site
        .check_in("device-1", "/device", &["-H", "x-ats-tags: main"])
        .json();
    for (field, value) in [
        ("uuid", "device-1"),
        ("name", "board device-1"),
        ("tag", "main"),
        ("group_name", "lab"),
        ("docker_apps", ""),
        ("target_name", ""),
        ("ostree_hash", ""),
        ("update_name", ""),
    ] {
        assert_eq!(device[field], value, "{field} in {device}");
    }
    for field in ["created_at", "last_seen"] {
        assert!(device[field].as_str().unwrap().ends_with('Z'), "{device}");
    }
    let key = site.path("device-1.key").display().to_string();
    assert_eq!(device["pubkey"], openssl(&format!("ec -in {key} -pubout")));
    let config = site.check_in("device-1", "/config", &[]);
    assert_eq!((config.status, config.body.as_str()), (204, ""));
    for (path, body) in [
        ("/system_info", "{\"a\":1}"),
        ("/system_info/network", "{}"),
        ("/system_info/config", "[tls]\nserver = \"x\"\n"),
    ] {
        let put = ["-X", "PUT", "-d", body];
        assert_eq!(site.check_in("device-1", path, &put).status, 200, "{path}");
    }
    let status = |path, more: &[&str]| site.check_in("device-1", path, more).status;
    assert_eq!(status("/events", &["-d", "[]"]), 200);
    assert_eq!(status("/events", &["-d", "["]), 400);
    assert_eq!(status("/nowhere", &[]), 404);
}

#[test]
fn one_connection_serves_many_requests() {
    let site = Site::new();
    site.register("device-1");
    let url = format!("{}/device", site.server.urls().gateway);
    let device = site.path("device-1").display().to_string();
    let line = format!(
        "-sS --cacert {device}.root.crt --cert {device}.client.pem --key {device}.key \
         --write-out %{{num_connects}} -o /dev/null {url} -o /dev/null {url}"
    );
    let opened = run("curl", line.split_whitespace());
    assert_eq!(
        opened, "10",
        "connections opened by the first and the second request"
    );
}

#[test]
fn an_unknown_device_is_registered_by_its_first_request() {
    let site = Site::new();
    certify_offline(&site, UUID, "acme", "clientAuth");
    assert!(site.server.devices().unwrap().is_empty());
    let root = site.check_in(UUID, "/repo/1.root.json", &[]);
    assert_eq!(root.status, 200);
    let devices = site.server.devices().unwrap();
    assert_eq!(devices.len(), 1);
    let Device { uuid, factory, .. } = &devices[0];
    assert_eq!([uuid, factory], [UUID, "acme"]);
    let device = site.check_in(UUID, "/device", &[]).json();
    assert_eq!(device["name"], UUID);
    assert_eq!(site.server.devices().unwrap().len(), 1);
}

#[test]
fn only_a_uuid_in_lower_case_is_entered() {
    let site = Site::new();
    certify_offline(&site, UUID, "acme", "clientAuth");
    assert_eq!(site.check_in(UUID, "/config", &[]).status, 204);
    let capitals = UUID.to_uppercase();
    for name in [&capitals, "device-3", &UUID.replace('-', "_"), "a\u{202e}b"] {
        certify_offline(&site, name, "acme", "clientAuth");
        let refused = site.check_in(name, "/config", &[]);
        assert_eq!(refused.status, 403, "{name}: {refused:?}");
    }
    assert_eq!(site.server.devices().unwrap().len(), 1);
}

#[test]
fn a_denied_device_is_refused() {
    let site = Site::new();
    site.register("device-1");
    site.server.delete_device("device-1").unwrap();
    assert_eq!(site.check_in("device-1", "/config", &[]).status, 403);
    assert!(site.server.devices().unwrap().is_empty());
}

#[test]
fn the_same_uuid_with_another_key_is_refused() {
    let site = Site::new();
    site.register("device-1");
    certify_offline(&site, "device-1", "acme", "clientAuth");
    assert_eq!(site.check_in("device-1", "/config", &[]).status, 403);
}

#[test]
fn a_device_of_another_factory_is_refused() {
    let site = Site::new();
    certify_offline(&site, "device-1", "other", "clientAuth");
    assert_eq!(site.check_in("device-1", "/config", &[]).status, 403);
    assert!(site.server.devices().unwrap().is_empty());
}

#[test]
fn without_a_client_certificate_of_a_device_ca_there_is_no_connection() {
    let site = Site::new();
    let url = format!("{}/config", site.server.urls().gateway);
    let root = site.server.root_file();
    let root = root.to_str().unwrap();
    let refused = |more: &[&str]| {
        let common = ["-sS", "--max-time", "60", "--cacert", root, &url];
        !output("curl", common.iter().chain(more)).status.success()
    };
    assert!(refused(&[]));

    certify_offline(&site, "server", "acme", "serverAuth");
    let key = site.path("server.key").display().to_string();
    let certificate = site.path("server.client.pem").display().to_string();
    assert!(refused(&["--cert", &certificate, "--key", &key]));

    let own = site.path("own.pem").display().to_string();
    openssl(&format!(
        "req -x509 -key {key} -subj /CN=device-9/OU=acme -days 1 -out {own}"
    ));
    assert!(refused(&["--cert", &own, "--key", &key]));
}
