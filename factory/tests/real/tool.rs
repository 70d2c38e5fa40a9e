//! Runs tools; a tool that is missing or fails ends the test.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// Standard output of a tool that must succeed.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> String {
    let output = output(program, arguments);
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// OpenSSL with a line of arguments, of which none has a space.
pub(crate) fn openssl(line: &str) -> String {
    run("openssl", line.split_whitespace())
}

pub(crate) fn output<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Output {
    Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// What a certificate says, without the numbers that differ each time.
pub(crate) fn certificate_text(path: impl AsRef<Path>) -> String {
    openssl(&format!(
        "x509 -in {} -noout -text",
        path.as_ref().display()
    ))
}

/// The header of a bearer token, which clients of this API encode in base64.
pub(crate) fn bearer(token: &str) -> String {
    let encoded = run("sh", ["-c", &format!("printf %s '{token}' | base64 -w0")]);
    format!("Authorization: Bearer {encoded}")
}

/// A key and a CSR for a subject, as `openssl req -subj` writes it.
pub(crate) fn csr(dir: &Path, name: &str, subject: &str) -> String {
    let key = format!("{}/{name}.key", dir.display());
    openssl(&format!(
        "ecparam -genkey -name prime256v1 -noout -out {key}"
    ));
    openssl(&format!("req -new -utf8 -key {key} -subj {subject}"))
}

/// An answer that curl received.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// curl, which must reach the server.
pub(crate) fn curl(arguments: &[&str]) -> Answer {
    let common = ["-sS", "--max-time", "60", "-w", "\n%{http_code}"];
    let text = run("curl", common.iter().chain(arguments));
    let (body, status) = text.rsplit_once('\n').unwrap();
    Answer {
        status: status.parse().unwrap(),
        body: body.into(),
    }
}
