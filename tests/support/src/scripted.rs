//! An HTTP server on loopback that answers what a test wants, byte for byte, and remembers what
//! it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// 0 for the first one of a server.
    pub number: usize,
    /// `GET`, `HEAD`, `POST`.
    pub method: String,
    /// As on the request line.
    pub target: String,
    /// As they came.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Request {
    /// The body, which must be JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Every value of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(same)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn read(stream: &mut BufReader<TcpStream>, number: usize) -> Option<Self> {
        let mut line = || {
            let mut line = String::new();
            let read = stream.read_line(&mut line).ok()?;
            (read > 0).then(|| line.trim_end().to_owned())
        };
        let start = line()?;
        let mut words = start.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut request = Self {
            number,
            method,
            target,
            headers,
            body: Vec::new(),
        };
        let length = request
            .header("content-length")
            .first()
            .map_or(0, |v| v.parse().unwrap());
        request.body = vec![0; length];
        stream.read_exact(&mut request.body).ok()?;
        Some(request)
    }
}

/// What the server does about a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes; the connection stays open.
    KeepOpen(Vec<u8>),
    /// These bytes, then the connection is closed.
    Close(Vec<u8>),
    /// Nothing, until the client goes away.
    Hang,
    /// The first bytes at once, the others one by one with a pause after each, and then the last
    /// one for ever.
    Drip(Vec<u8>, Vec<u8>),
    /// These bytes, and then nothing until the client goes away.
    Stall(Vec<u8>),
    /// These bytes, then so many more.
    Flood(Vec<u8>, usize),
}

impl Answer {
    /// A whole answer.
    pub fn whole(status: u16, body: &[u8]) -> Self {
        Self::with_headers(status, &[], body)
    }

    /// The same with these headers.
    pub fn with_headers(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut bytes = head(status, headers, body.len());
        bytes.extend_from_slice(body);
        Self::KeepOpen(bytes)
    }

    /// The same with a body of JSON.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self::whole(status, &serde_json::to_vec(body).unwrap())
    }

    /// A body of `length` bytes.
    pub fn huge(status: u16, length: usize) -> Self {
        Self::Flood(head(status, &[], length), length)
    }
}

/// Status line and headers of an answer with a body of `length` bytes.
pub fn head(status: u16, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut lines = vec![
        format!("HTTP/1.1 {status} Scripted"),
        format!("Content-Length: {length}"),
    ];
    lines.extend(
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

/// The server; dropping it closes its port.
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl ScriptedServer {
    /// A server whose answers `script` decides. The script may block: each connection has a
    /// thread of its own.
    pub fn new(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let listener = std::thread::spawn(move || {
            for stream in socket.incoming() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serve(&serving, stream.unwrap()));
            }
        });
        Self {
            address,
            shared,
            listener: Some(listener),
        }
    }

    /// A server that always says the same.
    pub fn always(answer: Answer) -> Self {
        Self::new(move |_| answer.clone())
    }

    /// The registration API here.
    pub fn url(&self) -> String {
        format!("http://{}/ota/devices/", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The only request that came.
    pub fn only_request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener up.
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

/// An address where connections are asked for and never made, while the queue is kept: it has
/// room for one, which is taken.
pub fn deaf_address() -> (SocketAddr, (OwnedFd, TcpStream)) {
    let socket = net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    net::bind(&socket, &any).unwrap();
    net::listen(&socket, 0).unwrap();
    let address = net::getsockname(&socket).unwrap().try_into().unwrap();
    let taken = TcpStream::connect(address).unwrap();
    (address, (socket, taken))
}

fn serve(shared: &Shared, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let number = shared.requests.lock().unwrap().len();
        let Some(request) = Request::read(&mut reader, number) else {
            return;
        };
        shared.requests.lock().unwrap().push(request.clone());
        let answer = (shared.script)(&request);
        if give(&stream, answer).is_none() {
            return;
        }
    }
}

/// Gives an answer; `None` ends the connection. A client that goes away is no failure here.
fn give(mut stream: &TcpStream, answer: Answer) -> Option<()> {
    match answer {
        Answer::KeepOpen(bytes) => stream.write_all(&bytes).ok(),
        Answer::Close(bytes) => {
            drop(stream.write_all(&bytes));
            None
        }
        Answer::Hang => {
            wait_for_the_client_to_leave(stream, None);
            None
        }
        Answer::Stall(bytes) => {
            stream.write_all(&bytes).ok()?;
            wait_for_the_client_to_leave(stream, None);
            None
        }
        Answer::Drip(start, bytes) => {
            stream.write_all(&start).ok()?;
            let last = *bytes.last()?;
            for byte in bytes.into_iter().chain(std::iter::repeat(last)) {
                stream.write_all(&[byte]).ok()?;
                if wait_for_the_client_to_leave(stream, Some(Duration::from_millis(20))) {
                    break;
                }
            }
            None
        }
        Answer::Flood(head, length) => {
            stream.write_all(&head).ok()?;
            let block = vec![b'x'; 64 * 1024];
            let mut left = length;
            while left > 0 {
                let size = left.min(block.len());
                stream.write_all(&block[..size]).ok()?;
                left -= size;
            }
            None
        }
    }
}

/// Whether the client has gone before `limit`.
fn wait_for_the_client_to_leave(mut stream: &TcpStream, limit: Option<Duration>) -> bool {
    stream.set_read_timeout(limit).unwrap();
    let mut rest = [0; 1024];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                );
            }
        }
    }
}
