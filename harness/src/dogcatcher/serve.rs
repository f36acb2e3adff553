//! Connections: accept, handshake, requests, and the faults in between.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Response, header};
use bytes::Bytes;
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::ledger::{Connection, Ledger, Seen};
use super::{Fault, peer};

/// What all connections of a Dogcatcher share.
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) ledger: Ledger,
    pub(super) fault: Mutex<Fault>,
    pub(super) tls: Mutex<Option<Arc<ServerConfig>>>,
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a listener speaks TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    Tls,
}

/// Serves until told to stop; requests under way are finished, for [`GRACE`] at the longest.
pub(super) async fn serve(
    listener: TcpListener,
    transport: Transport,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of descriptors, say: the next one may do.
                Err(_) => continue,
            },
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let watcher = graceful.watcher();
        let shared = shared.clone();
        tokio::spawn(async move {
            let number = shared.ledger.connected();
            let Some(stream) = before_the_handshake(stream, shared.fault()).await else { return };
            match transport {
                Transport::Plain => http(stream, peer::plain(number), shared, watcher).await,
                Transport::Tls => {
                    let Some(config) = shared.tls() else { return };
                    match TlsAcceptor::from(config).accept(stream).await {
                        Ok(stream) => {
                            let connection = peer::secured(number, stream.get_ref().1);
                            http(stream, connection, shared, watcher).await;
                        }
                        Err(_) => shared.ledger.refused_handshake(),
                    }
                }
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// The stream, unless a fault has used it up.
async fn before_the_handshake(mut stream: TcpStream, fault: Fault) -> Option<TcpStream> {
    match fault {
        Fault::Refuse => None,
        Fault::SpeakHttpFirst => {
            let _ = stream.write_all(PLAINTEXT).await;
            let _ = stream.shutdown().await;
            None
        }
        Fault::None | Fault::CloseAfter(_) | Fault::Delay(_) | Fault::ResetMidBody => Some(stream),
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Connection,
    shared: Arc<Shared>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let count = Arc::new(AtomicU64::new(0));
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let request_on_connection = count.fetch_add(1, Ordering::Relaxed) + 1;
        let seen = seen(&request, connection.clone(), request_on_connection);
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(request, seen, &shared).await) }
    });
    // An error ends this connection; its client knows.
    let connections = auto::Builder::new(TokioExecutor::new());
    let _ = watcher.watch(connections.serve_connection_with_upgrades(TokioIo::new(stream), service)).await;
}

fn seen(request: &Request<Incoming>, connection: Connection, request_on_connection: u64) -> Seen {
    Seen {
        connection,
        request_on_connection,
        method: request.method().to_string(),
        uri: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        headers: (request.headers().iter())
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
    }
}

async fn answer(request: Request<Incoming>, seen: Seen, shared: &Shared) -> Response<Body> {
    let fault = shared.fault();
    let last = matches!(fault, Fault::CloseAfter(most) if seen.request_on_connection >= most);
    shared.ledger.saw(seen.clone());
    if let Fault::Delay(delay) = fault {
        tokio::time::sleep(delay).await;
    }
    if fault == Fault::ResetMidBody {
        return half_a_body();
    }
    let caller = seen.connection.client.as_ref().and_then(|client| client.common_name.clone());
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(seen);
    let Ok(mut response) = shared.router.clone().call(Request::from_parts(parts, Body::new(body))).await;
    if let Some(Ok(caller)) = caller.map(HeaderValue::try_from) {
        response.headers_mut().insert(CALLER, caller);
    }
    if last {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn half_a_body() -> Response<Body> {
    let mut response = Response::new(Body::new(HalfABody { sent: false }));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("11"));
    response
}

/// Begins, and breaks off.
struct HalfABody {
    sent: bool,
}

impl hyper::body::Body for HalfABody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let before = std::mem::replace(&mut self.sent, true);
        Poll::Ready(Some(match before {
            false => Ok(Frame::data(Bytes::from_static(b"half a "))),
            true => Err(std::io::ErrorKind::BrokenPipe.into()),
        }))
    }
}

/// In every answer: the common name in the client certificate that the request came with.
const CALLER: HeaderName = HeaderName::from_static("x-seen-client");

/// What a client that was promised TLS must never take for an answer.
const PLAINTEXT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nforged";

/// Enough for any request of a suite; a client that holds its connection does not hold up the end.
const GRACE: Duration = Duration::from_secs(5);
