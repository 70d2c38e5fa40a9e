//! `/ota/devices/` over HTTPS, with curl and CSRs of OpenSSL.

use std::thread;

use serde_json::json;

use crate::site::Site;
use crate::tool::{bearer, csr, curl, openssl, run};

#[test]
fn a_registration_is_answered_with_the_four_files() {
    let site = Site::new();
    let answer = site.post(&site.body("device-1"));
    assert_eq!(answer.status, 201, "{answer:?}");
    let files = answer.json();
    let names: Vec<_> = files.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["client.chained", "client.pem", "root.crt", "sota.toml"]
    );
    let file = |name: &str| files[name].as_str().unwrap();
    assert_eq!(file("client.pem").matches("BEGIN CERTIFICATE").count(), 1);
    let issuer = std::fs::read_to_string(site.data("pki/online-ca.pem")).unwrap();
    let chained = format!("{}{issuer}", file("client.pem"));
    assert_eq!(file("client.chained"), chained);
    let root = std::fs::read_to_string(site.server.root_file()).unwrap();
    assert_eq!(file("root.crt"), root);

    let sota: toml_edit::DocumentMut = file("sota.toml").parse().unwrap();
    for (section, key, value) in [
        ("tls", "server", site.server.urls().gateway.as_str()),
        ("pacman", "type", "ostree+compose_apps"),
        ("pacman", "tags", "main"),
        ("import", "tls_pkey_path", "/var/sota/pkey.pem"),
    ] {
        assert_eq!(sota[section][key].as_str(), Some(value));
    }

    let devices = site.server.devices().unwrap();
    assert_eq!(devices.len(), 1);
    let device = &devices[0];
    assert_eq!([&device.uuid, &device.name], ["device-1", "board device-1"]);
    assert_eq!(device.hardware_id.as_deref(), Some("raspberrypi4-64"));
    assert!(!device.production);
    let key = site.path("device-1.key").display().to_string();
    let shell = format!("openssl ec -in {key} -pubout -outform DER 2>/dev/null | sha256sum");
    assert!(run("sh", ["-c", &shell]).starts_with(&device.public_key_sha256));
}

#[test]
fn a_production_device_keeps_its_business_category() {
    let site = Site::new();
    let mut body = site.body("device-1");
    let subject = "/OU=acme/businessCategory=production/CN=device-1";
    body["csr"] = json!(csr(site.dir.path(), "device-1", subject));
    let answer = site.post(&body);
    assert_eq!(answer.status, 201, "{answer:?}");
    let path = site.path("client.pem");
    std::fs::write(&path, answer.json()["client.pem"].as_str().unwrap()).unwrap();
    let subject = openssl(&format!("x509 -noout -subject -in {}", path.display()));
    assert_eq!(
        subject.trim(),
        "subject=CN = device-1, OU = acme, businessCategory = production"
    );
    assert!(site.server.devices().unwrap()[0].production);
}

#[test]
fn the_same_device_is_answered_again_and_another_key_is_not() {
    let site = Site::new();
    let body = site.body("device-1");
    let (first, again) = (site.post(&body), site.post(&body));
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    let other = site.post(&site.body("device-1"));
    assert_eq!(other.status, 409);
    assert_eq!(other.json(), json!({ "message": "Device already exists" }));
    assert_eq!(site.server.devices().unwrap().len(), 1);
}

#[test]
fn a_deleted_uuid_is_denied() {
    let site = Site::new();
    let body = site.body("device-1");
    assert_eq!(site.post(&body).status, 201);
    site.server.delete_device("device-1").unwrap();
    assert!(site.server.devices().unwrap().is_empty());
    for body in [&body, &site.body("device-1")] {
        let answer = site.post(body);
        assert_eq!(answer.status, 409);
        assert!(answer.body.contains("denied"), "{answer:?}");
    }
}

#[test]
fn identical_requests_at_once_make_one_entry_and_one_answer() {
    let site = Site::new();
    let body = site.body("device-1");
    let answers: Vec<_> = thread::scope(|scope| {
        let posts: Vec<_> = (0..8).map(|_| scope.spawn(|| site.post(&body))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
    }
    assert_eq!(site.server.devices().unwrap().len(), 1);
}

#[test]
fn only_a_token_opens_the_api() {
    let site = Site::new();
    let url = site.server.urls().device_api.clone();
    assert_eq!(site.api(&["-I", &url]).status, 401);
    let answer = site.api(&[url.trim_end_matches('/')]);
    assert_eq!(answer.status, 401);
    assert!(answer.json()["message"].is_string());
    let body = site.body("device-1");
    let refused = site.post_as("OSF-TOKEN: wrong", &body.to_string());
    assert_eq!(refused.status, 401);
    assert!(site.server.devices().unwrap().is_empty());

    let bearer = bearer(site.server.api_token().unwrap());
    assert_eq!(site.post_as(&bearer, &body.to_string()).status, 201);
    assert_eq!(site.api(&["-I", "-H", &bearer, &url]).status, 200);
    let listed = site.api(&["-H", &site.token_header(), &url]).json();
    assert_eq!(listed["devices"][0]["uuid"], "device-1");
    assert_eq!(listed["devices"][0]["is-prod"], false);
    let one = |uuid| site.api(&["-H", &site.token_header(), &format!("{url}{uuid}/")]);
    assert_eq!(one("device-1").json(), listed["devices"][0]);
    assert_eq!(one("device-2").status, 404);
    assert_eq!(site.api(&[&format!("{url}device-1/")]).status, 401);
}

#[test]
fn a_body_that_is_wrong_is_told_by_field() {
    let site = Site::new();
    let mut body = site.body("device-1");
    body["use-ostree-server"] = json!(true);
    body["overrides"]["pacman"]["tags"] = json!("main");
    let answer = site.post(&body);
    assert_eq!(answer.status, 400);
    let errors = answer.json()["errors"].clone();
    let fields: Vec<_> = errors.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["overrides.pacman.tags", "use-ostree-server"]);

    for subject in [
        "/CN=other/OU=acme",
        "/CN=device-1/OU=other",
        "/CN=device-1",
        "/CN=device-1/OU=acme/O=x",
    ] {
        let mut body = site.body("device-1");
        body["csr"] = json!(csr(site.dir.path(), "device-1", subject));
        let answer = site.post(&body);
        assert_eq!(answer.status, 400, "{subject}");
        assert!(answer.json()["errors"]["csr"].is_string());
    }
    for algorithm in ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-384"] {
        let key = site.path("odd.key").display().to_string();
        let subject = "-subj /CN=device-1/OU=acme";
        let mut body = site.body("device-1");
        body["csr"] = json!(openssl(&format!(
            "req -new -nodes -keyout {key} {subject} -newkey {algorithm}"
        )));
        assert_eq!(site.post(&body).status, 400, "{algorithm}");
    }
    assert!(site.server.devices().unwrap().is_empty());
}

#[test]
fn a_long_body_is_refused() {
    let site = Site::new();
    let answer = site.post_as(&site.token_header(), &" ".repeat(65 * 1024));
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.json()["message"].is_string());
}

#[test]
fn plain_http_works_on_loopback() {
    let site = Site::with(|options| options.api_tls = false);
    assert!(site.server.urls().api.starts_with("http://localhost:"));
    assert_eq!(site.post(&site.body("device-1")).status, 201);
    assert_eq!(curl(&[&site.server.urls().device_api]).status, 401);
}
