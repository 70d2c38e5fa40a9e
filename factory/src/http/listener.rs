//! The accept loop of both ports. It bounds what a slow or greedy peer can hold, hands the peer's
//! certificate to the handlers, and ends within [`GRACE`].

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::reply::Reply;
use super::throttle::network;

/// How long open connections may finish what they do when the server stops.
const GRACE: Duration = Duration::from_millis(700);
/// TLS handshake, and the header of each request: also how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// From a request's header to its answer, the body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at the same time on one port; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;
/// Of these, those of one network: more are closed at once, so that nobody keeps the others out.
const MAX_PER_NETWORK: usize = 128;
/// After an error of `accept`, which usually means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end; in the extensions of every request of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// The certificate that it proved to own.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

/// An open port with what it serves.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) router: Router,
}

impl Listener {
    /// Serves until `stop` turns true or its sender is gone.
    pub(crate) async fn serve(self, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        // Each connection holds a clone of its network's entry.
        let mut networks: HashMap<IpAddr, Arc<()>> = HashMap::new();
        let accept = async {
            loop {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                    return;
                };
                match self.socket.accept().await {
                    Ok((stream, address)) => {
                        networks.retain(|_, open| Arc::strong_count(open) > 1);
                        let open = networks.entry(network(address.ip())).or_default().clone();
                        // The map has one more.
                        if Arc::strong_count(&open) > MAX_PER_NETWORK + 1 {
                            tracing::debug!(%address, "too many connections");
                            continue;
                        }
                        let connection = Connection {
                            peer: Peer {
                                address: address.ip(),
                                certificate: None,
                            },
                            router: self.router.clone(),
                            watcher: graceful.watcher(),
                        };
                        let served = connection.serve(stream, self.tls.clone());
                        connections.spawn(async move {
                            served.await;
                            drop((slot, open));
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "accept failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        drop(self.socket);
        // What is still open afterwards is cut off when the set is dropped.
        let _ = timeout(GRACE, graceful.shutdown()).await;
    }
}

/// One connection, from its first byte to its last.
struct Connection {
    peer: Peer,
    router: Router,
    watcher: Watcher,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are small and a device waits for each of them.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = tls else {
            return self.serve_http(stream).await;
        };
        match timeout(HEADER_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let chain = stream.get_ref().1.peer_certificates();
                let leaf = chain.and_then(<[_]>::first).cloned();
                self.peer.certificate = leaf.map(CertificateDer::into_owned);
                self.serve_http(stream).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn serve_http(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let service =
            service_fn(move |request| answer(self.router.clone(), request, self.peer.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    peer: Peer,
) -> Result<Response, Infallible> {
    let mut request: Request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    if let Ok(response) = timeout(REQUEST_TIMEOUT, router.oneshot(request)).await {
        response
    } else {
        let late = "the request took too long";
        Ok(Reply::message(StatusCode::REQUEST_TIMEOUT, late).into_response())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    /// A port on which `/wait` never answers; the clock is paused, so it jumps to the next timeout.
    async fn serve() -> (TcpStream, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/wait", get(std::future::pending::<()>))
            .route("/echo", post(|body: Bytes| async { body }));
        let (stop, stopped) = watch::channel(false);
        let listener = Listener {
            socket,
            tls: None,
            router,
        };
        let served = tokio::spawn(listener.serve(stopped));
        (TcpStream::connect(address).await.unwrap(), stop, served)
    }

    async fn until_closed(client: &mut TcpStream) -> String {
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_never_ends_is_cut_off() {
        let (mut client, _stop, _served) = serve().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        let began = Instant::now();
        until_closed(&mut client).await;
        assert!(began.elapsed() <= HEADER_TIMEOUT + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed() {
        let (mut client, _stop, _served) = serve().await;
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let began = Instant::now();
        assert!(until_closed(&mut client).await.ends_with("hello"));
        assert!(began.elapsed() <= HEADER_TIMEOUT + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_answered_with_408() {
        let (mut client, _stop, _served) = serve().await;
        let request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
        client.write_all(request).await.unwrap();
        let began = Instant::now();
        let answer = until_closed(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(began.elapsed() <= REQUEST_TIMEOUT + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_only_so_long() {
        let (mut client, stop, served) = serve().await;
        client
            .write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut idle = TcpStream::connect(client.peer_addr().unwrap())
            .await
            .unwrap();
        let began = Instant::now();
        stop.send_replace(true);
        served.await.unwrap();
        assert!(began.elapsed() <= GRACE + Duration::from_millis(10));
        let _ = client.read(&mut [0; 1]).await;
        let _ = idle.read(&mut [0; 1]).await;
    }
}
