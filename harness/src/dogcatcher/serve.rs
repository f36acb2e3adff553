//! Connections: accept, handshake, requests, and the faults in between.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use std::{future, io};

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::admission::{Admission, LetIn};
use super::answer::{answer, seen};
use super::ledger::{Connection, Ledger};
use super::line::{Line, Wire};
use super::tls::Offer;
use super::{Fault, Tls, peer};

/// What all connections of a Dogcatcher share.
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) ledger: Ledger,
    pub(super) fault: watch::Sender<Fault>,
    pub(super) let_in: LetIn,
    pub(super) tls: Mutex<Option<Offer>>,
}

impl Shared {
    /// Takes over TLS material for the connections to come.
    ///
    /// # Errors
    /// It is unusable; the one before stays.
    pub(super) fn offer(&self, tls: &Tls) -> anyhow::Result<()> {
        let offer = Offer::of(tls, &|verifier| {
            Arc::new(Admission { verifier, fault: self.fault.subscribe(), let_in: self.let_in.clone() })
        })?;
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = Some(offer);
        Ok(())
    }

    fn tls(&self) -> Option<Offer> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a listener speaks TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    Tls,
}

/// Whether a listener listens, for those who wait for it.
pub(super) struct Door {
    is_open: Mutex<bool>,
    turned: Condvar,
}

impl Door {
    fn turn(&self, open: bool) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = open;
        self.turned.notify_all();
    }

    /// Not for long: a port is closed and opened at once.
    pub(super) fn wait(&self, open: bool) {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.turned.wait_timeout_while(is_open, GRACE, |is_open| *is_open != open));
    }
}

/// An address to listen on again and again.
pub(super) struct Place {
    /// Bound and not listening: nobody else gets the port meanwhile.
    _kept: TcpSocket,
    address: SocketAddr,
    listener: TcpListener,
    door: Arc<Door>,
}

impl Place {
    /// # Errors
    /// It is taken.
    pub(super) fn take(address: SocketAddr) -> io::Result<Self> {
        let kept = socket(address)?;
        let address = kept.local_addr()?;
        Ok(Self {
            _kept: kept,
            address,
            listener: listen(address)?,
            door: Arc::new(Door { is_open: Mutex::new(true), turned: Condvar::new() }),
        })
    }

    pub(super) fn door(&self) -> Arc<Door> {
        self.door.clone()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    socket(address)?.listen(BACKLOG)
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves until told to stop; requests under way are finished, for [`GRACE`] at the longest.
pub(super) async fn serve(
    place: Place,
    transport: Transport,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut fault = shared.fault.subscribe();
    let Place { _kept: kept, address, listener, door } = place;
    let mut listening = Some(listener);
    loop {
        let is_down = *fault.borrow_and_update() == Fault::Down;
        listening = match listening {
            _ if is_down => None,
            // Nobody can have taken it.
            None => listen(address).ok(),
            listening => listening,
        };
        door.turn(listening.is_some());
        tokio::select! {
            accepted = accept(listening.as_ref()) => {
                // Out of descriptors, say: the next one may do.
                let Ok((stream, _)) = accepted else { continue };
                tokio::spawn(connection(stream, transport, shared.clone(), graceful.watcher()));
            }
            _ = fault.changed() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    drop((kept, listening));
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => future::pending().await,
    }
}

/// One connection, as long as no fault ends it.
async fn connection(stream: TcpStream, transport: Transport, shared: Arc<Shared>, watcher: Watcher) {
    let (number, _open) = shared.ledger.connected();
    let Ok(line) = Line::of(&stream) else { return };
    let line = Arc::new(line);
    let mut fault = shared.fault.subscribe();
    let mut serving = Box::pin(secured(stream, transport, number, line.clone(), shared.clone(), watcher));
    let ends = |fault: &Fault| matches!(fault, Fault::Down | Fault::Vanish);
    // In this order: what comes after a fault was set is not served.
    let fate = tokio::select! {
        biased;
        fate = fault.wait_for(ends) => fate.map_or(Fault::Down, |fault| *fault),
        () = &mut serving => return,
    };
    drop(serving);
    if fate == Fault::Vanish {
        // Open still, by the line alone.
        let _ = fault.wait_for(|fault| *fault != Fault::Vanish).await;
        line.reset();
    }
}

async fn secured(
    stream: TcpStream,
    transport: Transport,
    number: u64,
    line: Arc<Line>,
    shared: Arc<Shared>,
    watcher: Watcher,
) {
    let Some(stream) = before_the_handshake(stream, &line, &shared).await else { return };
    match transport {
        Transport::Plain => http(stream, peer::plain(number), line, shared, watcher).await,
        Transport::Tls => {
            let Some(offer) = shared.tls() else { return };
            let config = offer.under(*shared.fault.borrow());
            match TlsAcceptor::from(config).accept(stream).await {
                Ok(stream) => {
                    let connection = peer::secured(number, stream.get_ref().1);
                    http(stream, connection, line, shared, watcher).await;
                }
                Err(_) => shared.ledger.refused_handshake(),
            }
        }
    }
}

/// The stream, unless a fault has used it up.
async fn before_the_handshake(mut stream: TcpStream, line: &Line, shared: &Shared) -> Option<TcpStream> {
    let mut fault = shared.fault.subscribe();
    let now = *fault.borrow_and_update();
    match now {
        Fault::Refuse => None,
        Fault::ResetHandshake => {
            // Not before it has begun: that would be a refused connection.
            let _ = stream.readable().await;
            line.reset();
            None
        }
        Fault::StallHandshake => {
            let _ = fault.wait_for(|fault| *fault != Fault::StallHandshake).await;
            None
        }
        Fault::SpeakHttpFirst => {
            let _ = stream.write_all(PLAINTEXT).await;
            let _ = stream.shutdown().await;
            None
        }
        _ => Some(stream),
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Connection,
    line: Arc<Line>,
    shared: Arc<Shared>,
    watcher: Watcher,
) {
    let wire = Wire::new(stream, line.clone(), shared.fault.subscribe());
    let count = Arc::new(AtomicU64::new(0));
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let request_on_connection = count.fetch_add(1, Ordering::Relaxed) + 1;
        let seen = seen(&request, connection.clone(), request_on_connection);
        let (shared, line) = (shared.clone(), line.clone());
        async move { answer(request, seen, &line, &shared).await }
    });
    // An error ends this connection; its client knows.
    let connections = auto::Builder::new(TokioExecutor::new());
    let _ = watcher.watch(connections.serve_connection_with_upgrades(TokioIo::new(wire), service)).await;
}

/// What a client that was promised TLS must never take for an answer.
const PLAINTEXT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nforged";

/// Enough for any request of a suite; a client that holds its connection does not hold up the end.
const GRACE: Duration = Duration::from_secs(5);

/// As many as the system allows by default.
const BACKLOG: u32 = 4_096;
