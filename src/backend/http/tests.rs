//! The client against servers that close, dawdle and are not there.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;

use super::*;

/// Long enough to fail a test that waits for it.
const LONG: Duration = Duration::from_secs(60);
/// Long enough for what a busy machine does at once.
const ENOUGH: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(300);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

fn client(connect: Duration, read: Duration, request: Duration) -> Client {
    let timeouts = Timeouts {
        connect,
        read,
        request,
    };
    Client::new(&[], &Trust::System, None, timeouts).unwrap()
}

fn get(client: &Client, url: &str) -> std::result::Result<Answer, NoAnswer> {
    client.send(Request {
        method: Method::GET,
        url: &Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: None,
        limit: 100,
    })
}

/// A server that reads a request on each connection, and does `serve` with it.
fn server(serve: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                serve(&mut stream);
            }
        }
    });
    url
}

/// A kept connection may be closed while nobody asks, as while a person approves.
#[test]
fn a_kept_connection_that_was_closed_is_not_used_again() {
    let (answered, has_answered) = channel();
    let (closed, was_closed) = channel();
    let url = server(move |stream| {
        stream.write_all(&[ANSWER, b"ok"].concat()).unwrap();
        has_answered.recv().unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        closed.send(()).unwrap();
    });
    let client = client(LONG, LONG, LONG);
    for _ in 0..20 {
        assert_eq!(get(&client, &url).unwrap().body, b"ok");
        answered.send(()).unwrap();
        was_closed.recv().unwrap();
    }
}

/// One read does not get the time for connecting as well.
#[test]
fn reading_has_a_limit_of_its_own() {
    let url = server(|_| thread::sleep(LONG));
    let error = get(&client(LONG, SHORT, LONG), &url).unwrap_err();
    assert!(error.may_have_arrived);
    assert!(error.error.full_message().contains("no answer from"));

    let url = server(|stream| {
        stream.write_all(&[ANSWER, b"o"].concat()).unwrap();
        thread::sleep(LONG);
    });
    let error = get(&client(LONG, ENOUGH, LONG), &url).unwrap_err();
    assert!(error.error.full_message().contains("broke off"));
}

/// Reads that come in time may take longer than one of them together, up to the limit of the whole.
#[test]
fn every_read_has_its_own_time() {
    let url = server(|stream| {
        stream.write_all(ANSWER).unwrap();
        for byte in [b"o", b"k"] {
            thread::sleep(ENOUGH * 2 / 3);
            if stream.write_all(byte).is_err() {
                break;
            }
        }
    });
    let answer = get(&client(LONG, ENOUGH, LONG), &url).unwrap();
    assert_eq!(answer.body, b"ok");
    let error = get(&client(LONG, LONG, ENOUGH), &url).unwrap_err();
    assert!(error.error.full_message().contains("did not end within"));
}

/// Nothing was sent, so nothing can have arrived; the limit for reading ends nothing yet.
#[test]
fn connecting_has_a_limit_of_its_own() {
    // A listener that accepts nothing: once its queue is full, the kernel drops what comes.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, SHORT) {
        queue.push(stream);
    }
    for (connect, request) in [(SHORT, LONG), (LONG, SHORT)] {
        let url = format!("http://{address}/");
        let error = get(&client(connect, SHORT / 30, request), &url).unwrap_err();
        assert!(!error.may_have_arrived);
        assert!(error.error.full_message().contains("cannot connect to"));
    }
}

#[test]
fn dropping_it_does_not_wait() {
    let client = client(LONG, LONG, LONG);
    let began = std::time::Instant::now();
    // As a look-up of a name does.
    let runtime = client.runtime.as_ref().unwrap();
    drop(runtime.spawn_blocking(|| thread::sleep(LONG)));
    drop(client);
    assert!(began.elapsed() < LONG / 2);
}
