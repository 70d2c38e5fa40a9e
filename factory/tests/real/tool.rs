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
    let path = path.as_ref().to_str().unwrap();
    run("openssl", ["x509", "-in", path, "-noout", "-text"])
}

/// A key and a CSR for a subject, as `openssl req -subj` writes it.
pub(crate) fn csr(dir: &Path, name: &str, subject: &str) -> String {
    let key = dir.join(format!("{name}.key"));
    let key = key.to_str().unwrap();
    run(
        "openssl",
        [
            "ecparam",
            "-genkey",
            "-name",
            "prime256v1",
            "-noout",
            "-out",
            key,
        ],
    );
    run(
        "openssl",
        ["req", "-new", "-utf8", "-key", key, "-subj", subject],
    )
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
