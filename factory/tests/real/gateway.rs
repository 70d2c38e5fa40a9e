//! The Device Gateway over mTLS, with curl and certificates that OpenSSL signed.

use crate::site::Site;
use crate::tool::{csr, output, run};

/// A device that the online CA's key certifies without the API, as a local CA does on a line.
fn certify_offline(site: &Site, uuid: &str, factory: &str, usage: &str) {
    let request = site.path(&format!("{uuid}.csr"));
    let subject = format!("/CN={uuid}/OU={factory}");
    std::fs::write(&request, csr(site.dir.path(), uuid, &subject)).unwrap();
    let extensions = site.path(&format!("{uuid}.ext"));
    let lines = format!(
        "keyUsage=critical,digitalSignature,keyAgreement\nextendedKeyUsage=critical,{usage}\n"
    );
    std::fs::write(&extensions, lines).unwrap();
    let certificate = site.path(&format!("{uuid}.client.pem"));
    run(
        "openssl",
        [
            "x509",
            "-req",
            "-sha256",
            "-days",
            "30",
            "-in",
            request.to_str().unwrap(),
            "-extfile",
            extensions.to_str().unwrap(),
            "-CA",
            &site.data("pki/online-ca.pem"),
            "-CAkey",
            &site.data("pki/online-ca.key"),
            "-CAserial",
            site.path("serial").to_str().unwrap(),
            "-CAcreateserial",
            "-out",
            certificate.to_str().unwrap(),
        ],
    );
}

#[test]
fn a_registered_device_is_served() {
    let site = Site::new();
    site.register("device-1");
    let root = site.check_in("device-1", "/repo/1.root.json", &[]);
    assert_eq!(root.status, 200);
    assert_eq!(root.json()["signed"]["_type"], "Root");
    let device = site.check_in("device-1", "/device", &[]).json();
    assert_eq!(device["uuid"], "device-1");
    assert_eq!(device["hardware-id"], "raspberrypi4-64");
    let config = site.check_in("device-1", "/config", &[]);
    assert_eq!((config.status, config.body.as_str()), (204, ""));
    for path in [
        "/system_info",
        "/system_info/network",
        "/system_info/config",
    ] {
        let put = ["-X", "PUT", "-d", "{\"a\":1}"];
        assert_eq!(site.check_in("device-1", path, &put).status, 200);
    }
    assert_eq!(
        site.check_in("device-1", "/events", &["-d", "[]"]).status,
        200
    );
    assert_eq!(
        site.check_in("device-1", "/events", &["-d", "["]).status,
        400
    );
    assert_eq!(site.check_in("device-1", "/nowhere", &[]).status, 404);
}

#[test]
fn one_connection_serves_many_requests() {
    let site = Site::new();
    site.register("device-1");
    let url = format!("{}/device", site.server.urls().gateway);
    let file = |name: &str| site.path(name).display().to_string();
    let opened = run(
        "curl",
        [
            "-sS",
            "--cacert",
            &file("device-1.root.crt"),
            "--cert",
            &file("device-1.client.pem"),
            "--key",
            &file("device-1.key"),
            "--write-out",
            "%{num_connects}",
            "-o",
            "/dev/null",
            &url,
            "-o",
            "/dev/null",
            &url,
        ],
    );
    assert_eq!(
        opened, "10",
        "connections opened by the first and the second request"
    );
}

#[test]
fn an_unknown_device_is_registered_by_its_first_request() {
    let site = Site::new();
    certify_offline(&site, "device-2", "acme", "clientAuth");
    assert!(site.server.devices().unwrap().is_empty());
    assert_eq!(
        site.check_in("device-2", "/repo/1.root.json", &[]).status,
        200
    );
    let devices = site.server.devices().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(
        (devices[0].uuid.as_str(), devices[0].factory.as_str()),
        ("device-2", "acme")
    );
    assert_eq!(
        site.check_in("device-2", "/device", &[]).json()["name"],
        "device-2"
    );
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
    run(
        "openssl",
        [
            "req",
            "-x509",
            "-key",
            &key,
            "-subj",
            "/CN=device-9/OU=acme",
            "-days",
            "1",
            "-out",
            &own,
        ],
    );
    assert!(refused(&["--cert", &own, "--key", &key]));
}
