//! What backends answer: files signed for the CSR that came, good or spoiled on purpose.

use rcgen::CertificateParams;
use serde_json::{Map, Value, json};

use crate::board::Board;
use crate::pki::{Ca, KeyPair, PublicKey, device_params, printable_subject};
use crate::scripted::{Answer, Request, ScriptedServer};

/// The OU of every device here.
pub const FACTORY: &str = "acme";

/// A `sota.toml` that both of its readers take.
pub fn sota_toml(sota_dir: &str) -> String {
    format!(
        "[tls]\nserver = \"https://gateway.example.com:8443\"\nca_source = \"file\"\n\
         pkey_source = \"file\"\ncert_source = \"file\"\n\n[storage]\ntype = \"sqlite\"\n\
         path = \"{sota_dir}/\"\n\n[import]\ntls_cacert_path = \"{sota_dir}/root.crt\"\n\
         tls_pkey_path = \"{sota_dir}/pkey.pem\"\n\
         tls_clientcert_path = \"{sota_dir}/client.pem\"\n\n[pacman]\ntags = \"main\"\n"
    )
}

/// A server whose backend signs whatever it is asked.
pub fn signing_server() -> ScriptedServer {
    let backend = Backend::new();
    ScriptedServer::new(move |request| backend.signed(request))
}

/// A board that is registered; its backend is gone.
pub fn registered_board() -> Board {
    let board = Board::new();
    board.register(&signing_server().url(), [""; 0]).expect(0);
    board
}

/// An approval server's answer that asks a person to come with the code `WDJB-MJHT`.
pub fn invitation() -> Value {
    json!({
        "device_code": "d3v1ce-c0de",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://app.example.com/activate/",
        "expires_in": 900,
        "interval": 1,
    })
}

/// A backend that signs.
pub struct Backend {
    /// Signs devices.
    pub ca: Ca,
    /// `root.crt`: under the shared PKI it is not the device CA.
    pub root: Ca,
}

impl Backend {
    /// One with a device CA and a root of its own.
    pub fn new() -> Self {
        Self {
            ca: Ca::new("device CA"),
            root: Ca::new("root"),
        }
    }

    /// The certificate that `request` asks for, with `change` made to it.
    pub fn certificate(
        &self,
        request: &Request,
        change: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let body = request.json();
        let mut params = device_params(body["uuid"].as_str().unwrap(), FACTORY);
        change(&mut params);
        let key = PublicKey::of_request(body["csr"].as_str().unwrap());
        self.ca.sign(&key, &params)
    }

    /// The four files of a good answer, with `certificate` in them.
    pub fn files_with(&self, request: &Request, certificate: &str) -> Map<String, Value> {
        let sota_dir = request.json()["sota-config-dir"]
            .as_str()
            .unwrap()
            .to_owned();
        let files = json!({
            "root.crt": self.root.pem(),
            "client.pem": certificate,
            "client.chained": format!("{certificate}{}", self.ca.pem()),
            "sota.toml": sota_toml(&sota_dir),
        });
        files.as_object().unwrap().clone()
    }

    /// The four files of a good answer.
    pub fn files(&self, request: &Request) -> Map<String, Value> {
        self.files_with(request, &self.certificate(request, |_| {}))
    }

    /// A good answer.
    pub fn signed(&self, request: &Request) -> Answer {
        Answer::json(201, &self.files(request))
    }

    /// As update-server answers: three files, OU before CN, `PrintableString`, the sections of
    /// `sota.toml` in another order.
    pub fn signed_as_update_server(&self, request: &Request) -> Answer {
        let body = request.json();
        let uuid = body["uuid"].as_str().unwrap();
        let certificate = self.certificate(request, |params| {
            params.distinguished_name = printable_subject(uuid, FACTORY);
        });
        let mut files = self.files_with(request, &certificate);
        files.remove("client.chained");
        let text = files["sota.toml"].as_str().unwrap();
        let mut sections: Vec<&str> = text.split("\n\n").map(str::trim).collect();
        sections.reverse();
        files["sota.toml"] = format!("{}\n", sections.join("\n\n")).into();
        let shuffled = ["sota.toml", "root.crt", "client.pem"];
        let members = shuffled.map(|name| format!("{}:{}", Value::from(name), files[name]));
        Answer::whole(201, format!("{{{}}}", members.join(",")).as_bytes())
    }

    /// As the Flask reference service answers: `root.crt` without its final newline.
    pub fn signed_as_reference(&self, request: &Request) -> Answer {
        let mut files = self.files(request);
        files["root.crt"] = self.root.pem().trim_end().into();
        Answer::json(201, &files)
    }

    /// A certificate for the right subject and somebody else's key.
    pub fn certificate_of_another_key(&self, request: &Request) -> String {
        let body = request.json();
        let params = device_params(body["uuid"].as_str().unwrap(), FACTORY);
        self.ca.sign(KeyPair::new().public(), &params)
    }
}
