//! Listens, and takes connections from clients.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ::log::Level;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::core::Core;
use super::exchange::{self, Connection};
use super::status;
use super::upstream::Body;

/// Serves clients until `stop` is told so, or its sender is gone; then lets responses end, for a while.
pub(super) async fn proxy(listener: TcpListener, core: Arc<Core>, stop: watch::Receiver<()>) {
    let log = core.log.clone();
    serve(listener, stop, &log, move |connection, request| {
        let core = core.clone();
        async move { exchange::answer(&core, connection, request).await }
    })
    .await;
}

/// Serves status likewise.
pub(super) async fn status(listener: TcpListener, core: Arc<Core>, stop: watch::Receiver<()>) {
    let log = core.log.clone();
    serve(listener, stop, &log, move |_, request| {
        let core = core.clone();
        async move { status::answer(&core, request).await }
    })
    .await;
}

async fn serve<F>(
    listener: TcpListener,
    mut stop: watch::Receiver<()>,
    log: &super::log::Log,
    answer: impl Fn(Connection, Request<Incoming>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.changed() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted
            .and_then(|(stream, client)| Ok((Connection { client, local: stream.local_addr()? }, stream)))
        {
            Ok((connection, stream)) => take(stream, connection, &graceful, answer.clone()),
            Err(error) => {
                // Out of file descriptors, say: not a reason to end, nor to spin.
                log.line(Level::Error, format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn take<F>(
    stream: TcpStream,
    connection: Connection,
    graceful: &GracefulShutdown,
    answer: impl Fn(Connection, Request<Incoming>) -> F + Send + 'static,
) where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Else the last part of an answer waits for the client to confirm the part before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answer = answer(connection, request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // An error here is the client's: it went away, or sent what is not HTTP and was told so.
    tokio::spawn(graceful.watch(served));
}

/// nginx's `client_header_timeout` and `keepalive_timeout`, roughly.
const HEADERS: Duration = Duration::from_secs(60);

/// How long responses may take to end once the gateway goes down.
const GRACE: Duration = Duration::from_secs(5);
