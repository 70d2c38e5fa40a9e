//! What a registration costs the network: one connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lmp_test_support::board::{Board, run};
use lmp_test_support::factory::Factory;

/// Passes connections on and counts them. It stops with the process.
struct Forwarder {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Forwarder {
    fn new(target: String) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in socket.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let client = client.unwrap();
                let server = TcpStream::connect(&target).unwrap();
                let (back_from, back_to) =
                    (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || copy(client, server));
                std::thread::spawn(move || copy(back_from, back_to));
            }
        });
        Self {
            address,
            connections,
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn one_for_the_whole_registration() {
    for factory in [Factory::new(), Factory::plain()] {
        let api = factory.device_api();
        let (scheme, rest) = api.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let forwarder = Forwarder::new(authority.to_owned());
        let url = format!("{scheme}://{}/{path}", forwarder.address);
        let board = Board::new();
        let mut command = factory.command(&board);
        command.env("DEVICE_API", url);
        run(command).expect(0);
        assert_eq!(forwarder.connections.load(Ordering::SeqCst), 1, "{scheme}");
    }
}
