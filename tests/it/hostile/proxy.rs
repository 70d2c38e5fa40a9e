//! Which way the agent takes to a server, and who can listen on it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use lmp_test_support::answers::signing_server;
use lmp_test_support::board::{Board, run};
use lmp_test_support::factory::Factory;

use super::trust::with_token;

/// A name that no resolver knows.
const HOST: &str = "factory.test";

/// A proxy that takes CONNECT, as company networks have them. It stops with the process.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn new() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in socket.incoming() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || tunnel(stream.unwrap(), &log));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Connects a client with the server that it names, and copies in both directions.
fn tunnel(client: TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut from_client = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from_client.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let start = head.lines().next()?.to_owned();
    log.lock().unwrap().push(head);
    let target = start
        .strip_prefix("CONNECT ")?
        .split(' ')
        .next()?
        .to_owned();
    let target = target.replace(HOST, "127.0.0.1");
    let server = TcpStream::connect(target).ok()?;
    (&client)
        .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
        .ok()?;
    let mut to_server = server.try_clone().ok()?;
    let back = std::thread::spawn(move || {
        let _ = std::io::copy(&mut &server, &mut &client);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut from_client, &mut to_server);
    let _ = to_server.shutdown(std::net::Shutdown::Both);
    back.join().ok()
}

/// A factory under a name that only a proxy knows.
fn far_factory() -> Factory {
    Factory::with(|options| options.hosts = vec![HOST.into()])
}

#[test]
fn https_goes_through_the_proxy() {
    let factory = far_factory();
    for name in ["https_proxy", "HTTPS_PROXY"] {
        let proxy = Proxy::new();
        let board = Board::new();
        let mut command = with_token(&factory, &board);
        command
            .env(name, proxy.url())
            .arg("--ca-file")
            .arg(factory.server.ca_file());
        run(command).expect(0);
        let asked = proxy.asked();
        assert_eq!(asked.len(), 1, "one connection for the whole registration");
        assert!(
            asked[0].starts_with(&format!("CONNECT {HOST}:")),
            "{asked:?}"
        );
        let token = factory.server.api_token().unwrap();
        assert!(
            !asked[0].contains(token),
            "the proxy must not see the token"
        );
    }
}

#[test]
fn no_proxy_is_an_exception() {
    let factory = far_factory();
    for (name, value) in [
        ("no_proxy", HOST),
        ("NO_PROXY", "other.test, .test"),
        ("no_proxy", "*"),
    ] {
        let proxy = Proxy::new();
        let board = Board::new();
        let mut command = with_token(&factory, &board);
        command.env("https_proxy", proxy.url()).env(name, value);
        command.arg("--ca-file").arg(factory.server.ca_file());
        command.arg("--retry-for=0");
        // Nobody but the proxy knows the name.
        run(command)
            .expect(75)
            .says(&["cannot connect to", "DEVICE_API"]);
        assert!(proxy.asked().is_empty(), "{name}={value}");
    }
}

/// Another machine's loopback is another one, and a plain proxy would read the token.
#[test]
fn loopback_is_never_proxied() {
    for factory in [Factory::new(), Factory::plain()] {
        for host in ["localhost", "127.0.0.1"] {
            let proxy = Proxy::new();
            let board = Board::new();
            let mut command = factory.command(&board);
            let url = factory.device_api().replace("localhost", host);
            command.env("DEVICE_API", url);
            for name in ["http_proxy", "https_proxy", "all_proxy"] {
                command.env(name, proxy.url());
            }
            let run = run(command).expect(0);
            assert!(!run.stderr.contains("plain HTTP"), "{run}");
            assert!(proxy.asked().is_empty(), "{host}");
        }
    }
}

/// The incumbent's users may have such a backend: they are told, once, and before the token leaves.
#[test]
fn plain_http_across_a_network_is_warned_of() {
    // A proxy that is asked for the whole URL, and answers for the server.
    let server = signing_server();
    let board = Board::new();
    let mut command = board.command(&format!("http://{HOST}/ota/devices/?key=k3y"));
    command.env("http_proxy", format!("http://{}", server.address()));
    command.args(["--start-daemon=0", "--retry-for=0"]);
    let words = format!("warning: \"http://{HOST}/ota/devices/\" is plain HTTP: everybody");
    let run = run(command).expect(0).says(&[&words]);
    assert_eq!(run.stderr.matches("plain HTTP").count(), 1, "{run}");
    let target = server.only_request().target;
    assert_eq!(target, format!("http://{HOST}/ota/devices/?key=k3y"));

    let board = Board::new();
    let mut command = board.local_command();
    command.env("DEVICE_API", "https://127.0.0.1:1/");
    command.env("OAUTH_BASE", "http://backend.invalid/oauth");
    command.args(["--start-daemon=0", "--retry-for=0"]);
    lmp_test_support::board::run(command)
        .expect(75)
        .says(&["warning: \"http://backend.invalid/oauth\" is plain HTTP"]);
}

#[test]
fn a_proxy_that_is_down_or_wrong() {
    let (factory, board) = (far_factory(), Board::new());
    let mut command = with_token(&factory, &board);
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    command.env("https_proxy", format!("http://user:pa55word@{nobody}"));
    command.arg("--ca-file").arg(factory.server.ca_file());
    command.arg("--retry-for=0");
    let run = run(command).expect(75).says(&[
        &format!("through the proxy \"http://{nobody}/\""),
        "hint: check the proxy, and which one https_proxy",
    ]);
    assert!(!run.stderr.contains("pa55word"), "{run}");
    assert!(board.names().is_empty());
}
