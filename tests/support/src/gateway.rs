//! A Device Gateway of OpenSSL's: it verifies devices as it is told, and answers one request.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use tempfile::TempDir;

use crate::pki::{Ca, KeyPair, device_params};

/// A gateway on loopback.
pub struct Gateway {
    child: Child,
    url: String,
    request: Option<JoinHandle<String>>,
    _dir: TempDir,
}

impl Gateway {
    /// With a certificate of `root`, for devices of `device_ca`, with more words for `s_server`. It
    /// answers its first request with `answer`.
    pub fn new(root: &Ca, device_ca: &Ca, words: &[&str], answer: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::new();
        let mut params = device_params("gateway", "acme");
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for (name, text) in [
            ("cert.pem", root.sign(key.public(), &params)),
            ("key.pem", key.pem()),
            ("ca.pem", device_ca.pem().to_owned()),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-Verify", "1"]);
        command.args(["-verify_return_error", "-CAfile", "ca.pem"]);
        command.args(["-cert", "cert.pem", "-key", "key.pem"]);
        command.args(words).current_dir(dir.path());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let accept = line_with(&mut output, "ACCEPT ");
        let url = accept.trim().replace("ACCEPT ", "https://");
        let request = std::thread::spawn(move || {
            let mut request = String::new();
            while !request.ends_with("\n\n") {
                let line = line_with(&mut output, "");
                if line.is_empty() {
                    return request;
                }
                // Before the request it says much about the connection.
                if !request.is_empty() || line.starts_with("GET ") {
                    request.push_str(&line.replace('\r', ""));
                }
            }
            input.write_all(answer.as_bytes()).unwrap();
            // The end of its input would end the server before the answer is read.
            while !line_with(&mut output, "").is_empty() {}
            request
        });
        Self {
            child,
            url,
            request: Some(request),
            _dir: dir,
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The request that came, if one did.
    pub fn end(mut self) -> String {
        self.stop();
        self.request.take().unwrap().join().unwrap()
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The next line that begins so; empty at the end.
fn line_with(output: &mut BufReader<ChildStdout>, start: &str) -> String {
    loop {
        let mut line = Vec::new();
        output.read_until(b'\n', &mut line).unwrap();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.is_empty() || line.starts_with(start) {
            return line;
        }
    }
}
