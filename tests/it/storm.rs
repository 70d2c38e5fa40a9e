//! A factory's worth of devices registers at once through a network that breaks one connection in
//! five, half of them after the backend has signed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lmp_test_support::board::{Board, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::in_memory;

/// Agents that run at the same time.
const AT_ONCE: usize = 16;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    /// Closed before anything is passed on.
    Refused,
    /// Closed in the middle of the answer.
    Cut,
}

/// Two of ten connections break.
fn fate(number: usize) -> Fate {
    match number % 10 {
        3 => Fate::Refused,
        8 => Fate::Cut,
        _ => Fate::Good,
    }
}

/// Passes connections on to a backend, or not.
struct Network {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    broken: Arc<[AtomicUsize; 2]>,
}

impl Network {
    fn new(backend: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let broken = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let (stop, counts) = (Arc::clone(&stopped), Arc::clone(&broken));
        std::thread::spawn(move || {
            for (number, client) in socket.incoming().enumerate() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || pass(client.unwrap(), backend, fate(number), &counts));
            }
        });
        Self {
            address,
            stopped,
            broken,
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn pass(mut client: TcpStream, backend: SocketAddr, fate: Fate, broken: &[AtomicUsize; 2]) {
    if fate == Fate::Refused {
        broken[0].fetch_add(1, Ordering::SeqCst);
        return;
    }
    let mut server = TcpStream::connect(backend).unwrap();
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        // Ends when either side does; both are closed below.
        let _ = std::io::copy(&mut from_client, &mut to_server);
    });
    let mut block = [0; 16 * 1024];
    while let Ok(length @ 1..) = server.read(&mut block) {
        if fate == Fate::Cut {
            // The answer is here, so it was signed; the device sees the half of it.
            broken[1].fetch_add(1, Ordering::SeqCst);
            let _ = client.write_all(&block[..length / 2]);
            break;
        }
        if client.write_all(&block[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn devices() -> usize {
    match std::env::var("STORM_DEVICES") {
        Ok(number) => number.parse().unwrap(),
        Err(_) => 60,
    }
}

#[test]
fn every_device_is_registered_once() {
    let wanted = devices();
    let factory = Factory::within(in_memory(), |options| options.api_tls = false);
    let token = factory.server.api_token().unwrap().to_owned();
    let api = factory.device_api().trim_start_matches("http://localhost:");
    let port = api.split('/').next().unwrap().parse().unwrap();
    let network = Network::new(SocketAddr::from(([127, 0, 0, 1], port)));
    let api = format!("http://{}/ota/devices/", network.address);

    let next = AtomicUsize::new(0);
    let (on_boards, again) = (Mutex::new(BTreeMap::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= wanted {
                        break;
                    }
                    let board = Board::within(in_memory());
                    std::fs::write(board.path("token"), &token).unwrap();
                    let name = format!("device-{number}");
                    let mut command = board.command(&api);
                    command.args(["--start-daemon", "0", "--name", &name]);
                    let run = run(command).expect(0);
                    if run.stderr.contains("trying again") {
                        again.fetch_add(1, Ordering::Relaxed);
                    }
                    let health = board.check(["--offline", "--json"]).expect(0).json();
                    let uuid = health["uuid"].as_str().unwrap().to_owned();
                    on_boards.lock().unwrap().insert(name, uuid);
                }
            });
        }
    });
    let [refused, cut] = [&network.broken[0], &network.broken[1]].map(|n| n.load(Ordering::SeqCst));
    let again = again.into_inner();
    println!(
        "{wanted} devices; {refused} connections refused, {cut} answers cut, {again} devices tried again"
    );

    let on_boards = on_boards.into_inner().unwrap();
    let entered = factory.server.devices().unwrap();
    assert_eq!(entered.len(), wanted);
    let at_factory: BTreeMap<String, String> = entered
        .into_iter()
        .map(|device| (device.name, device.uuid))
        .collect();
    assert_eq!(at_factory, on_boards);
    assert_eq!(at_factory.values().collect::<BTreeSet<_>>().len(), wanted);
    // The network did break, and often enough to prove something.
    assert!(refused >= wanted / 10 && cut >= wanted / 10 && again > 0);
}
