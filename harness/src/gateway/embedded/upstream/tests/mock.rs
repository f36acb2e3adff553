//! An upstream that says as whom it was spoken to.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring::Ticketer;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::gateway::embedded::upstream::{Body, BoxError};
use pki::{Authority, Issued};

/// Takes clients with a certificate of one authority, and clients without any. Ends when dropped.
pub(crate) struct Mock {
    pub(crate) port: u16,
    open: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

/// What it saw of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of the client's certificate; `-` without one.
    pub(crate) fingerprint: String,
    /// Certificates that the client sent.
    pub(crate) chain: usize,
    pub(crate) connection: usize,
    pub(crate) resumed: bool,
}

impl Mock {
    pub(crate) async fn start(
        server: &Issued,
        clients: &Authority,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(clients.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
            .with_single_cert(server.chain().to_vec(), server.key().der())
            .unwrap();
        config.ticketer = Ticketer::new().unwrap();
        config.session_storage = ServerSessionMemoryCache::new(1000);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (opened, open) = watch::channel(0);
        let task = tokio::spawn(async move {
            for number in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                let (acceptor, opened) = (acceptor.clone(), opened.clone());
                tokio::spawn(async move {
                    opened.send_modify(|open| *open += 1);
                    serve(tcp, acceptor, number).await;
                    opened.send_modify(|open| *open -= 1);
                });
            }
        });
        Self { port, open, task }
    }

    /// Waits until so many connections are open.
    pub(crate) async fn until_open(&mut self, count: usize) {
        let reached = self.open.wait_for(|open| *open == count);
        tokio::time::timeout(Duration::from_secs(10), reached).await.expect("connections stay open").unwrap();
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(tcp: TcpStream, acceptor: TlsAcceptor, connection: usize) {
    tcp.set_nodelay(true).unwrap();
    let Ok(tls) = acceptor.accept(tcp).await else { return };
    let session = tls.get_ref().1;
    let certificates = session.peer_certificates().unwrap_or_default();
    let fingerprint = match certificates.first() {
        Some(leaf) => Sha256::digest(leaf).iter().map(|byte| format!("{byte:02x}")).collect(),
        None => "-".to_owned(),
    };
    let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
    let seen = format!("{fingerprint} {} {connection} {resumed}", certificates.len());
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move { Ok::<_, Infallible>(echo(&seen, request).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
}

/// What was seen of the connection, then of the request, line by line; after an empty line its body, as it comes.
/// Below `/base/late` nothing is answered before the body has ended.
async fn echo(seen: &str, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut text = format!("{seen}\n{} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
    }
    text.push('\n');
    if head.uri.path().starts_with("/base/late") {
        text.push_str(str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap());
        return Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    }
    let text = Frame::data(Bytes::from(text));
    let frames = Echo { head: Some(text), body };
    Response::new(frames.boxed_unsync())
}

struct Echo {
    head: Option<Frame<Bytes>>,
    body: Incoming,
}

impl HttpBody for Echo {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.head.take() {
            Some(head) => Poll::Ready(Some(Ok(head))),
            None => Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into),
        }
    }
}

impl Seen {
    pub(crate) fn parse(text: &str) -> Self {
        let fields: Vec<_> = text.lines().next().unwrap_or_default().split(' ').collect();
        let [fingerprint, chain, connection, resumed] = fields[..] else { panic!("{text}") };
        Self {
            fingerprint: fingerprint.to_owned(),
            chain: chain.parse().unwrap(),
            connection: connection.parse().unwrap(),
            resumed: resumed.parse().unwrap(),
        }
    }
}
