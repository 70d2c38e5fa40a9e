//! Servers with certificates and ciphers as OpenSSL makes them: taken where they can be, and refused
//! with words that help where not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::tools::openssl;
use tempfile::TempDir;

/// `openssl s_server`, which refuses the token of the first registration.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(pair: &Pair, words: &str) -> Self {
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert"])
            .arg(&pair.certificate);
        command
            .arg("-key")
            .arg(&pair.key)
            .args(words.split_whitespace());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ACCEPT") {
            line.clear();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "openssl s_server {words}"
            );
        }
        let port = line.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        let mut input = process.stdin.take().unwrap();
        thread::spawn(move || {
            let (mut said, mut some) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = output.read(&mut some) {
                said.extend_from_slice(&some[..read]);
                if said
                    .windows(20)
                    .any(|words| words == b"-----END CERTIFICATE")
                {
                    let _ = input.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
                    said.clear();
                }
            }
            drop(input);
        });
        Self { process, port }
    }

    /// A registration at `host`, which is this server.
    fn register(&self, host: &str, how: impl FnOnce(&mut Command) -> &mut Command) -> Run {
        let board = Board::new();
        let mut command = board.command(&format!("https://{host}:{}/", self.port));
        command.args(["--start-daemon=0", "--retry-for=0"]);
        how(&mut command);
        run(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A certificate and its key.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

/// `openssl req -x509` with these words; CA:TRUE, and its own issuer unless `words` say another.
fn pair(dir: &TempDir, name: &str, words: &str) -> Pair {
    let path = |end| dir.path().join(format!("{name}.{end}"));
    let (certificate, key) = (path("crt"), path("key"));
    openssl(&format!(
        "req -x509 -nodes -days 30 -subj /CN=localhost -keyout {} -out {} {words}",
        key.display(),
        certificate.display()
    ));
    Pair { certificate, key }
}

const SAN: &str = "-addext subjectAltName=DNS:localhost";
const P256: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
const P521: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-521";

/// The certificate's own server is trusted as OpenSSL trusts it: by file, bundle or directory.
#[test]
fn a_self_signed_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (
        &pair(&dir, "own", &format!("{P256} {SAN}")),
        &pair(&dir, "other", P256),
    );
    let server = Server::start(own, "");
    let certificate = &own.certificate;
    let by_file = |path: &Path| server.register("localhost", |c| c.arg("--ca-file").arg(path));
    let by_bundle = server.register("localhost", |c| c.env("SSL_CERT_FILE", certificate));
    let by_directory = server.register("localhost", |c| c.env("SSL_CERT_DIR", dir.path()));
    for run in [by_file(certificate), by_bundle, by_directory] {
        run.expect(77).says(&["the backend answered 401"]);
    }
    // Another one of the same name is not this one, and this one is not for another name.
    by_file(&other.certificate)
        .expect(78)
        .says(&["cannot connect to"]);
    server
        .register("127.0.0.1", |c| c.arg("--ca-file").arg(certificate))
        .expect(78)
        .says(&[
            "not valid for name",
            "the server is not the one that the address names",
        ]);
}

/// Fails with this exit code and hint, although the certificate is trusted.
#[track_caller]
fn refused(pair: &Pair, trusted: &Pair, words: &str, code: i32, hint: &str) {
    let server = Server::start(pair, words);
    server
        .register("localhost", |c| {
            c.arg("--ca-file").arg(&trusted.certificate)
        })
        .expect(code)
        .says(&["cannot connect to", "hint: ", hint]);
}

#[test]
fn a_name_in_the_cn_only() {
    let dir = tempfile::tempdir().unwrap();
    let pair = pair(&dir, "own", P256);
    refused(&pair, &pair, "", 78, "it must have a subjectAltName");
}

#[test]
fn curves_that_are_not_spoken() {
    let dir = tempfile::tempdir().unwrap();
    let large = pair(&dir, "large", &format!("{P521} {SAN}"));
    refused(&large, &large, "", 75, "(no P-521)");
    let (ca, key) = (large.certificate.display(), large.key.display());
    let signed = format!("{P256} {SAN} -CA {ca} -CAkey {key} -addext basicConstraints=CA:FALSE");
    refused(
        &pair(&dir, "small", &signed),
        &large,
        "",
        78,
        "(no P-521, no SHA-1)",
    );
}

#[test]
fn ciphers_that_are_not_spoken() {
    let dir = tempfile::tempdir().unwrap();
    let pair = pair(&dir, "own", &format!("-newkey rsa:2048 {SAN}"));
    for cipher in ["ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256"] {
        let words = format!("-tls1_2 -cipher {cipher}");
        refused(&pair, &pair, &words, 75, "(no CBC, no RSA key exchange)");
    }
}
