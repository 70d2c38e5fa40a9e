//! A factory of its own for each test.

use std::path::PathBuf;

use lmp_factory::blocking::{Server, start};
use lmp_factory::{Password, ServeOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tool::{Answer, csr, curl};

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) struct Site {
    // Dropped in this order: the server stops before its directory goes.
    pub(crate) server: Server,
    pub(crate) dir: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut ServeOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = ServeOptions::new(dir.path().join("data"), "acme");
        adjust(&mut options);
        let server = start(options).unwrap();
        Self { server, dir }
    }

    /// A site with the operator `ann`, where devices need not wait between polls.
    pub(crate) fn with_operator() -> Self {
        let site = Self::with(|options| options.oauth_interval_seconds = 0);
        let password = Password::new(PASSWORD.into());
        site.server.add_operator("ann", &password).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path inside the data directory, as text.
    pub(crate) fn data(&self, name: &str) -> String {
        self.path("data").join(name).to_str().unwrap().into()
    }

    pub(crate) fn token_header(&self) -> String {
        format!("OSF-TOKEN: {}", self.server.api_token().unwrap())
    }

    /// The body of a registration, with a new key in `{uuid}.key`.
    pub(crate) fn body(&self, uuid: &str) -> Value {
        let subject = format!("/CN={uuid}/OU=acme");
        json!({
            "use-ostree-server": "true",
            "sota-config-dir": "/var/sota",
            "hardware-id": "raspberrypi4-64",
            "name": format!("board {uuid}"),
            "group": "lab",
            "uuid": uuid,
            "csr": csr(self.dir.path(), uuid, &subject),
            "overrides": { "pacman": { "type": "\"ostree+compose_apps\"", "tags": "\"main\"" } },
        })
    }

    pub(crate) fn post(&self, body: &Value) -> Answer {
        self.post_as(&self.token_header(), &body.to_string())
    }

    pub(crate) fn post_as(&self, header: &str, body: &str) -> Answer {
        let file = tempfile::NamedTempFile::new_in(self.dir.path()).unwrap();
        std::fs::write(file.path(), body).unwrap();
        let json = "Content-Type: application/json";
        let body = format!("@{}", file.path().display());
        let url = &self.server.urls().device_api;
        self.api(&["-H", header, "-H", json, "--data-binary", &body, url])
    }

    pub(crate) fn api(&self, arguments: &[&str]) -> Answer {
        let ca = self.server.ca_file();
        let mut all = vec!["--cacert", ca.to_str().unwrap()];
        all.extend(arguments);
        curl(&all)
    }

    /// Registers a device and writes its files to the test's directory.
    pub(crate) fn register(&self, uuid: &str) {
        let answer = self.post(&self.body(uuid));
        assert_eq!(answer.status, 201, "{answer:?}");
        for (name, text) in answer.json().as_object().unwrap() {
            let path = self.path(&format!("{uuid}.{name}"));
            std::fs::write(path, text.as_str().unwrap()).unwrap();
        }
    }

    /// The device `uuid`, with the files that [`Site::register`] wrote, asks the gateway.
    pub(crate) fn check_in(&self, uuid: &str, path: &str, arguments: &[&str]) -> Answer {
        let url = format!("{}{path}", self.server.urls().gateway);
        let root = self.server.root_file();
        let files = format!(
            "--cacert {} --cert {device}.client.pem --key {device}.key {url}",
            root.display(),
            device = self.path(uuid).display()
        );
        curl(&[&files.split(' ').collect::<Vec<_>>(), arguments].concat())
    }

    pub(crate) fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut arguments = vec![url];
        for field in &fields {
            arguments.extend(["--data-urlencode", field]);
        }
        self.api(&arguments)
    }

    /// The codes for a device that asks to be approved.
    pub(crate) fn ask(&self, uuid: &str) -> Value {
        let url = format!("{}/authorization/device/", self.server.urls().oauth);
        let fields = [("client_id", uuid), ("scope", "acme:devices:create")];
        let answer = self.post_form(&url, &fields);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub(crate) fn poll(&self, codes: &Value, uuid: &str) -> Answer {
        let url = format!("{}/token/", self.server.urls().oauth);
        let code = codes["device_code"].as_str().unwrap();
        let fields = [
            ("grant_type", GRANT),
            ("device_code", code),
            ("client_id", uuid),
            ("scope", "acme:devices:create"),
        ];
        self.post_form(&url, &fields)
    }

    /// The error of a poll.
    pub(crate) fn refused(&self, codes: &Value, uuid: &str) -> String {
        let answer = self.poll(codes, uuid);
        assert_eq!(answer.status, 400, "{answer:?}");
        answer.json()["error"].as_str().unwrap().into()
    }
}
