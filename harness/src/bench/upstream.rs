//! An upstream that costs next to nothing: it demands a client certificate, and answers with its common name.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::awake::Thread;
use pki::{Authority, Leaf};

/// It serves as long as its thread is there.
pub struct Upstream {
    mtls: SocketAddr,
    plain: SocketAddr,
    wish: Arc<Wish>,
}

/// One request as it arrived.
pub struct Seen {
    /// Line and headers, as sent.
    pub head: String,
    /// DER of the client's certificate.
    pub certificate: Vec<u8>,
}

impl Upstream {
    /// Reached as `localhost`, and believing clients of an authority.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn start(authority: &Authority, thread: &Thread) -> anyhow::Result<Self> {
        let tls = TlsAcceptor::from(Arc::new(server_config(authority)?));
        let _tasks = thread.tasks().enter();
        let listen = || -> std::io::Result<TcpListener> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let (mtls, plain) = (listen()?, listen()?);
        let upstream = Self { mtls: mtls.local_addr()?, plain: plain.local_addr()?, wish: Arc::default() };
        tokio::spawn(serve(mtls, plain, tls, upstream.wish.clone()));
        Ok(upstream)
    }

    /// Where it demands a client certificate.
    pub fn mtls(&self) -> SocketAddr {
        self.mtls
    }

    /// Where it speaks plain HTTP, and answers with [`NOBODY`].
    pub fn plain(&self) -> SocketAddr {
        self.plain
    }

    /// Does something, and says what of it came in first over TLS.
    ///
    /// # Errors
    /// It failed, or nothing came in.
    pub fn see(&self, act: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Seen> {
        self.wish.open.store(true, Ordering::SeqCst);
        act()?;
        let seen = self.wish.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        seen.context("nothing came to the upstream")
    }
}

/// Somebody wants to see the next request.
#[derive(Default)]
struct Wish {
    open: AtomicBool,
    seen: Mutex<Option<Seen>>,
}

fn server_config(authority: &Authority) -> anyhow::Result<ServerConfig> {
    let own = authority.issue(&Leaf::server("upstream").reached_as("localhost".parse()?))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let chain = CertificateDer::pem_slice_iter(own.chain_pem().as_bytes()).collect::<Result<_, _>>()?;
    // The library's own message would show what it failed to read.
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(own.key().pem().as_bytes())
        .map_err(|_| anyhow::anyhow!("the upstream's private key is not PEM"))?;
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?)
}

async fn serve(mtls: TcpListener, plain: TcpListener, tls: TlsAcceptor, wish: Arc<Wish>) {
    loop {
        tokio::select! {
            accepted = mtls.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(secured(stream, tls.clone(), wish.clone()));
            },
            accepted = plain.accept() => if let Ok((stream, _)) = accepted {
                let _ = stream.set_nodelay(true);
                tokio::spawn(answer(stream, NOBODY.to_owned(), |_| ()));
            },
        }
    }
}

/// An error ends the connection; its client knows.
async fn secured(stream: TcpStream, tls: TlsAcceptor, wish: Arc<Wish>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = presented.context("no client certificate")?.to_vec();
    let caller = common_name(&certificate)?;
    let see = move |head: &[u8]| {
        if wish.open.swap(false, Ordering::Relaxed) {
            let seen =
                Seen { head: String::from_utf8_lossy(head).into_owned(), certificate: certificate.clone() };
            *wish.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
    };
    Ok(answer(stream, caller, see).await?)
}

fn common_name(certificate: &[u8]) -> anyhow::Result<String> {
    let (_, certificate) = X509Certificate::from_der(certificate)?;
    let name = certificate.subject().iter_common_name().next().context("it has no common name")?;
    Ok(name.as_str()?.to_owned())
}

/// Requests have no body, and the next one waits for this one's answer.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: String,
    see: impl Fn(&[u8]),
) -> std::io::Result<()> {
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{caller}",
        caller.len()
    );
    let mut head = [0; LONGEST_HEAD];
    let mut length = 0;
    loop {
        match stream.read(&mut head[length..]).await? {
            0 => return Ok(()),
            more => length += more,
        }
        if head[..length].ends_with(b"\r\n\r\n") {
            see(&head[..length]);
            length = 0;
            stream.write_all(response.as_bytes()).await?;
            stream.flush().await?;
        }
    }
}

/// The answer to who shows no certificate, where none is demanded.
pub const NOBODY: &str = "nobody";

const LONGEST_HEAD: usize = 16 * 1024;
