//! The program: its output, its signals, its commands beside a running server.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::tool::{curl, output, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lmp-factory");
const SERVE: &str = "serve --listen 127.0.0.1:0 --gateway-listen 127.0.0.1:0";

/// The program with a line of arguments and a data directory, of which none has a space; it must end.
fn command(line: &str, data: &str) -> Output {
    let line = format!("60 {PROGRAM} {line} --data-dir {data}");
    output("timeout", line.split(' '))
}

/// Standard output of a command that must succeed.
fn succeed(line: &str, data: &str) -> String {
    let output = command(line, data);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A served factory in a process of its own, killed when the test fails.
pub(crate) struct Served {
    child: Child,
    output: BufReader<ChildStdout>,
    facts: Value,
}

impl Served {
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, |command| command)
    }

    /// Over plain HTTP.
    pub(crate) fn plain(data_dir: &Path) -> Self {
        Self::start_with(data_dir, |command| command.arg("--http"))
    }

    pub(crate) fn start_with(
        data_dir: &Path,
        adjust: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(SERVE.split(' '));
        command.args(["--init", "--factory", "acme", "--json", "--data-dir"]);
        command.arg(data_dir).env("RUST_LOG", "error");
        adjust(&mut command).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let facts = serde_json::from_str(&line).unwrap();
        Self {
            child,
            output,
            facts,
        }
    }

    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    pub(crate) fn connect(&self, fact: &str) -> TcpStream {
        let port = self.fact(fact).rsplit(':').next().unwrap();
        TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap()
    }

    /// What it holds in memory, in kB.
    fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let resident = status.split_once("VmRSS:").unwrap().1;
        resident.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Sends a signal; the status and how long the end took.
    fn end(mut self, signal: &str) -> (ExitStatus, Duration) {
        let sent = Instant::now();
        run("kill", [signal, &self.child.id().to_string()]);
        let status = self.child.wait().unwrap();
        let took = sent.elapsed();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "more than one line");
        (status, took)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_empty_directory_is_served_and_served_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("deep/data");
    let first = Served::start(&data);
    let token = first.fact("api_token").to_owned();
    let root = std::fs::read(first.fact("root_file")).unwrap();
    let device_api = format!("{}/ota/devices/", first.fact("api"));
    assert_eq!(first.fact("device_api"), device_api);
    assert!(first.fact("gateway").starts_with("https://localhost:"));
    first.end("-TERM");

    let second = Served::start(&data);
    assert_eq!(second.facts["api_token"], Value::Null);
    assert_eq!(std::fs::read(second.fact("root_file")).unwrap(), root);
    let header = format!("OSF-TOKEN: {token}");
    let (ca, api) = (second.fact("ca_file"), second.fact("device_api"));
    let list = curl(&["--cacert", ca, "-H", &header, api]);
    assert_eq!(list.status, 200);
    assert_eq!(list.json(), json!({ "devices": [] }));
}

#[test]
fn signals_end_it_within_a_second_whatever_is_open() {
    for signal in ["-TERM", "-INT"] {
        let dir = tempfile::tempdir().unwrap();
        let served = Served::start(dir.path());
        // One that says nothing at all, and one in the middle of its handshake.
        let _silent = served.connect("gateway");
        let mut started = served.connect("api");
        started.write_all(&[0x16, 3, 1]).unwrap();
        let (status, took) = served.end(signal);
        assert!(status.success(), "{signal}: {status}");
        assert!(took < Duration::from_secs(1), "{signal}: {took:?}");
    }
}

#[test]
fn commands_work_beside_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let served = Served::start(dir.path());
    let ca = served.fact("ca_file");
    let api = served.fact("device_api");

    let name = ["token", "create", "--data-dir", data, "--name", "line 1"];
    let token = run(PROGRAM, name);
    let header = format!("OSF-TOKEN: {}", token.trim());
    assert_eq!(curl(&["--cacert", ca, "-H", &header, api]).status, 200);

    let csr = crate::tool::csr(dir.path(), "device-1", "/CN=device-1/OU=acme");
    let body = json!({
        "uuid": "device-1", "name": "a\u{202e}b", "csr": csr, "hardware-id": "rpi",
        "sota-config-dir": "/var/sota"
    });
    let posted = curl(&["--cacert", ca, "-H", &header, "-d", &body.to_string(), api]);
    assert_eq!(posted.status, 201, "{posted:?}");

    let list = || -> Value { serde_json::from_str(&succeed("device list --json", data)).unwrap() };
    assert_eq!(list()[0]["uuid"], "device-1");
    let table = "UUID      NAME        HARDWARE  GROUP  PRODUCTION\n\
                 device-1  a\\u{202e}b  rpi       -      -\n";
    assert_eq!(succeed("device list", data), table);
    let page = succeed("device list --limit 0", data);
    assert!(page.ends_with("1 more; see --limit\n"), "{page}");
    succeed("device delete device-1", data);
    assert_eq!(list(), json!([]));
    let gone = command("device delete device-1", data);
    assert_eq!(gone.status.code(), Some(66));
    let denied = curl(&["--cacert", ca, "-H", &header, "-d", &body.to_string(), api]);
    assert_eq!(denied.status, 409);
}

#[test]
fn refusals_name_their_reason() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let refused = |line: &str, code: i32, reason: &str| {
        let output = command(line, data);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {text}");
        assert!(text.contains(reason), "{line}: {text}");
    };
    refused("device list", 78, "there is no factory");
    let serve = format!("{SERVE} --factory acme");
    refused(&serve, 78, "is empty; to make a factory in it, add --init");
    std::fs::write(dir.path().join("other"), "").unwrap();
    let init = format!("{serve} --init");
    refused(&init, 78, "holds other files, and no factory");
    std::fs::remove_file(dir.path().join("other")).unwrap();
    refused(&format!("{SERVE} --factory a/b"), 64, "not a factory name");
    let http = "serve --listen 0.0.0.0:0 --http --factory acme";
    refused(http, 64, "loopback");

    let served = Served::start(dir.path());
    refused(&serve, 75, "another lmp-factory");
    served.end("-TERM");
    let other = format!("{SERVE} --factory other");
    refused(&other, 78, "holds the factory 'acme'");
    for key in ["pki/online-ca.key", "pki/factory_ca.key"] {
        let key = dir.path().join(key);
        let mode = |mode| std::fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        refused(&serve, 78, "others may read it; chmod 400");
        mode(0o600);
    }
}

#[test]
fn operators_are_added_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let served = Served::start(dir.path());
    let oauth = format!("{}/oauth", served.fact("api"));
    assert_eq!(served.fact("oauth"), oauth);
    let add = |password: &str| {
        let mut child = Command::new(PROGRAM)
            .args(["operator", "add", "--data-dir", data])
            .args(["--password-file", "-", "ann"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(password.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = add("short\n");
    assert_eq!((code, text.contains("8 to 1024")), (64, true), "{text}");
    assert_eq!(add("correct horse\n").0, 0);
    let (code, text) = add("correct horse");
    assert_eq!((code, text.contains("'ann' already")), (73, true), "{text}");
    succeed("operator delete ann", data);
    let file = dir.path().join("password");
    std::fs::write(&file, "correct horse\nnot this").unwrap();
    let add = format!("operator add --password-file {} ann", file.display());
    succeed(&add, data);
}

/// The head and body of the answer on a connection that stays open.
fn exchange(connection: &mut BufReader<TcpStream>, request: &str) -> (String, String) {
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(connection.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length = head.split_once("content-length: ").unwrap().1;
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn long_names_of_refused_logins_are_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::plain(dir.path());
    let mut connection = BufReader::new(served.connect("api"));
    let page = "GET /activate/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (head, page) = exchange(&mut connection, page);
    let cookie = head.split_once("set-cookie: ").unwrap().1;
    let cookie = cookie.split(';').next().unwrap();
    let token = page.split_once("name=\"csrf\" value=\"").unwrap().1;
    let token = token.split('"').next().unwrap();
    let mut login = |number: u32| {
        let name = "n".repeat(60_000);
        let form = format!("csrf={token}&password=x&name={name}{number}");
        let head = format!(
            "POST /activate/login HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            form.len()
        );
        exchange(&mut connection, &(head + &form)).0
    };
    for number in 0..20 {
        login(number);
    }
    let before = served.memory();
    for number in 20..520 {
        let head = login(number);
        assert!(head.starts_with("HTTP/1.1 429"), "{head}");
    }
    // The names are 30 MB.
    let grown = served.memory().saturating_sub(before);
    assert!(grown < 6_000, "{grown} kB");
}
