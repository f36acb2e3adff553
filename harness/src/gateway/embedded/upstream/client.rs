//! HTTP clients towards upstreams, one for each identity: what is pooled or resumed stays within it.

use std::collections::{HashMap, HashSet};
use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::SignatureScheme;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::net::TcpStream;
use tower_service::Service;

use super::Terms;
use super::identity::{CertificateRequest, Identity};
use super::trust::Verifier;
use kong_config::declarative as kong;

pub type BoxError = Box<dyn StdError + Send + Sync>;
/// A body on its way to an upstream.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
pub type Client = HyperClient<Connector, Body>;

/// Where a service is, and how hard it is tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    pub https: bool,
    pub host: String,
    pub port: u16,
    pub connect_timeout: Duration,
    /// How often a connection is tried again.
    pub retries: u32,
}

impl Destination {
    pub fn of(service: &kong::Service) -> Self {
        Self {
            https: service.protocol == kong::Protocol::Https,
            host: service.host.clone(),
            port: service.port,
            connect_timeout: service.connect_timeout,
            retries: service.retries,
        }
    }

    /// As `Host` names it: without the port that its scheme has anyway.
    pub fn authority(&self) -> String {
        let usual = if self.https { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// What a client belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolKey {
    pub identity: Identity,
    pub destination: Arc<Destination>,
}

/// The clients of identities that are in force.
#[derive(Default)]
pub struct Pools(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    in_force: HashSet<PoolKey>,
    clients: HashMap<PoolKey, Client>,
}

impl Pools {
    /// The client for requests to `destination` under `terms`.
    ///
    /// A request that began before its terms went out of force gets a client of its own, whose
    /// connection ends with it.
    ///
    /// # Errors
    /// rustls does not take the terms.
    pub fn client(&self, destination: &Arc<Destination>, terms: &Terms) -> Result<Client, rustls::Error> {
        let key = terms.pool_key(destination);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.clients.get(&key) {
            return Ok(client.clone());
        }
        let client = connect(destination, terms)?;
        if kept.in_force.contains(&key) {
            kept.clients.insert(key, client.clone());
        }
        Ok(client)
    }

    /// Lets `change` put other certificates, trust anchors or services in force and say for which keys
    /// there may be clients from now on. The clients of other keys are dropped; their idle connections
    /// close, busy ones after the response. A request sees all of the change or nothing of it.
    pub fn change(&self, change: impl FnOnce() -> HashSet<PoolKey>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { in_force, clients } = &mut *kept;
        *in_force = change();
        clients.retain(|key, _| in_force.contains(key));
    }

    /// The keys for which there are clients.
    pub fn keys(&self) -> Vec<PoolKey> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clients.keys().cloned().collect()
    }
}

/// A client that shares nothing with any other: neither connections nor TLS sessions.
fn connect(destination: &Destination, terms: &Terms) -> Result<Client, rustls::Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    let connector = Connector {
        http,
        tls: tls(terms)?,
        certificate: terms.certificate.as_ref().map(|certificate| certificate.key.clone()),
        request: terms.request,
        connect_timeout: destination.connect_timeout,
        retries: destination.retries,
    };
    Ok(HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .set_host(false)
        .build(connector))
}

fn tls(terms: &Terms) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider: Arc<CryptoProvider> = rustls::crypto::ring::default_provider().into();
    let verifier = Verifier {
        verification: terms.verification.clone(),
        algorithms: provider.signature_verification_algorithms,
    };
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12, &rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &terms.certificate {
        None => config.with_no_client_auth(),
        Some(certificate) => {
            config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certificate.key.clone())))
        }
    };
    config.resumption = match terms.request {
        // Said outright, since a store that two configs share is all it takes to resume as somebody else.
        CertificateRequest::Optional => Resumption::in_memory_sessions(SESSIONS),
        // Who resumes a session is not asked again.
        CertificateRequest::Required => Resumption::disabled(),
    };
    Ok(config)
}

/// Connects under a deadline, and again when nothing came of it.
#[derive(Clone)]
pub struct Connector {
    http: HttpConnector,
    tls: rustls::ClientConfig,
    certificate: Option<Arc<CertifiedKey>>,
    request: CertificateRequest,
    connect_timeout: Duration,
    retries: u32,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { http, tls, certificate, request, connect_timeout, retries } = self.clone();
        Box::pin(async move {
            let mut left = retries;
            loop {
                let asked =
                    Arc::new(Asked { certificate: certificate.clone(), asked: AtomicBool::new(false) });
                let mut tls = tls.clone();
                if request == CertificateRequest::Required {
                    tls.client_auth_cert_resolver = asked.clone();
                }
                let mut https: HttpsConnector<HttpConnector> = (http.clone(), tls).into();
                let error = match tokio::time::timeout(connect_timeout, https.call(uri.clone())).await {
                    Ok(Ok(MaybeHttpsStream::Https(_)))
                        if request == CertificateRequest::Required
                            && !asked.asked.load(Ordering::Relaxed) =>
                    {
                        return Err(NotAsked.into());
                    }
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(error)) if is_verdict(&*error) => return Err(error),
                    Ok(Err(error)) => error,
                    Err(elapsed) => elapsed.into(),
                };
                left = left.checked_sub(1).ok_or(error)?;
            }
        })
    }
}

/// Presents a certificate in one handshake, and knows whether it was asked for: rustls resolves one for those alone who
/// ask.
#[derive(Debug)]
struct Asked {
    certificate: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        self.certificate.is_some()
    }
}

/// The upstream lets anybody in.
#[derive(Debug)]
struct NotAsked;

impl std::fmt::Display for NotAsked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "the upstream asks for no client certificate, and require_certificate_request says that it must",
        )
    }
}

impl StdError for NotAsked {}

/// Whether one side looked at the other and said no: it would say so again.
pub fn is_verdict(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<rustls::Error>())
}

/// An error with all that caused it.
pub fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), cause)
}

/// What `io::Error` wraps it hides from `source`.
fn cause<'e>(error: &&'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    let error: &'e (dyn StdError + 'static) = *error;
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Kong's `upstream_keepalive_idle_timeout`.
const IDLE: Duration = Duration::from_secs(60);

/// TLS sessions remembered per identity: one host, and a few tickets in each TLS 1.3 handshake.
const SESSIONS: usize = 32;
