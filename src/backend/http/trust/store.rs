//! The device's own trust store, as OpenSSL's users lay it out: one bundle, and directories of single
//! files. Never judges a certificate: what is no PEM is passed over.

use std::fs;
use std::io::BufRead as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::CertificateDer;

use crate::error::Error;

/// Where distributions keep the bundle; the first that exists is the one.
const BUNDLES: [&str; 7] = [
    // Debian, Ubuntu, Gentoo, OpenEmbedded.
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, Red Hat.
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    // SUSE.
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    // Alpine.
    "/etc/ssl/cert.pem",
    // Entware.
    "/opt/etc/ssl/certs/ca-certificates.crt",
];
const DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
/// The most bytes of a file in a directory.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// Where CA certificates are: in a bundle that is read for every registration, and in directories that
/// hold the same and more in hundreds of files. Those are read only where the bundle holds nothing, or
/// when a server is not verified by what it holds: reading them costs more than all of TLS.
#[derive(Debug)]
pub(super) struct Store {
    bundle: Option<PathBuf>,
    directories: Vec<PathBuf>,
    error: Option<(PathBuf, std::io::Error)>,
}

impl Store {
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`; if neither is set, where distributions keep them.
    pub(super) fn of_this_device() -> Self {
        let bundle = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let directories = std::env::var_os("SSL_CERT_DIR").unwrap_or_default();
        let directories: Vec<PathBuf> = std::env::split_paths(&directories)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        let named = bundle.is_some() || !directories.is_empty();
        Self {
            bundle: bundle.or_else(|| {
                let mut known = BUNDLES.into_iter().map(PathBuf::from);
                known.find(|path| !named && path.exists())
            }),
            directories: if named {
                directories
            } else {
                DIRECTORIES.map(PathBuf::from).into()
            },
            error: None,
        }
    }

    /// What is in the bundle.
    pub(super) fn bundle(&mut self) -> Vec<CertificateDer<'static>> {
        let mut found = Vec::new();
        if let Some(path) = self.bundle.clone() {
            self.read(&path, &mut found);
        }
        found
    }

    /// What is in the directories, each file once: hashes and names are links to the same.
    pub(super) fn directories(&mut self) -> Vec<CertificateDer<'static>> {
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        for directory in self.directories.clone() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) => {
                    self.error.get_or_insert((directory, error));
                    continue;
                }
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                let file = fs::metadata(&path).ok();
                let file = file.filter(|file| file.is_file() && file.len() <= FILE_LIMIT);
                let Some(file) = file.map(|file| (file.dev(), file.ino())) else {
                    continue;
                };
                if !seen.contains(&file) {
                    seen.push(file);
                    self.read(&path, &mut found);
                }
            }
        }
        found
    }

    /// The error about a store that holds nothing.
    pub(super) fn empty(self) -> Error {
        let error = Error::setting("this device has no CA certificates to trust");
        match self.error {
            Some((path, cause)) => error.because(format!("{path:?}: {cause}")),
            None => error,
        }
        .hint("give --ca-file FILE, or set SSL_CERT_FILE")
    }

    fn read(&mut self, path: &Path, found: &mut Vec<CertificateDer<'static>>) {
        match fs::read(path) {
            Ok(bytes) => found.append(&mut certificates(&bytes)),
            Err(error) => drop(self.error.get_or_insert((path.to_owned(), error))),
        }
    }
}

/// The certificates of a PEM text. rustls-pki-types' reader, which is made for keys, takes several times
/// as long.
fn certificates(mut text: &[u8]) -> Vec<CertificateDer<'static>> {
    let mut found = Vec::new();
    let (mut line, mut body) = (Vec::new(), None);
    while text.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let words = line.trim_ascii_end();
        if words == b"-----BEGIN CERTIFICATE-----" {
            body = Some(Vec::with_capacity(2048));
        } else if words.starts_with(b"-") {
            let body = body
                .take()
                .filter(|_| words == b"-----END CERTIFICATE-----");
            let der = body.and_then(|body| BASE64.decode(body).ok());
            found.extend(der.map(CertificateDer::from));
        } else if let Some(body) = &mut body {
            body.extend_from_slice(words);
        }
        line.clear();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_passed_over() {
        let pem = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let crlf = pem("AAEC\nAwQF").replace('\n', "\r\n");
        let text = format!(
            "\u{fc} a comment\n{}{}{crlf}-----BEGIN CERTIFICATE-----\nAAEC\n{}-----BEGIN PRIVATE \
             KEY-----\nAAEC\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nAAEC\n-----END X\n{}",
            pem("AAEC"),
            pem("no base64"),
            pem("BAUG"),
            pem("BwgJ").trim_end(),
        );
        let found: Vec<Vec<u8>> = certificates(text.as_bytes())
            .iter()
            .map(|der| der.to_vec())
            .collect();
        let expected: [&[u8]; 4] = [&[0, 1, 2], &[0, 1, 2, 3, 4, 5], &[4, 5, 6], &[7, 8, 9]];
        assert_eq!(found, expected);
    }
}
