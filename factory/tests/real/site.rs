//! A factory of its own for each test.

use std::path::PathBuf;

use lmp_factory::ServeOptions;
use lmp_factory::blocking::{Server, start};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tool::{Answer, csr, curl};

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
}
