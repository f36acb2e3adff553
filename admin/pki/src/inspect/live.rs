use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, ProtocolVersion,
    SignatureScheme, StreamOwned,
};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::{Certificate, Material, distinguished};

/// A question to a TLS server: what do you show, and what do you ask for? It believes everybody, so that it can tell
/// what is wrong; nothing but the handshake is sent.
#[derive(Clone)]
pub struct Probe {
    host: String,
    port: u16,
    server_name: Option<String>,
    client: Option<Arc<CertifiedKey>>,
    timeout: Duration,
}

/// What came of a handshake.
pub struct Answered {
    pub material: Material,
    pub protocol: Option<ProtocolVersion>,
    /// `None`: no client certificate is asked for.
    pub asked: Option<Asked>,
    /// OCSP response, if one was stapled.
    pub ocsp: Vec<u8>,
    /// For whoever wants to go on. In TLS 1.3 a server says only after the handshake that it does not take the client
    /// certificate: the next read fails.
    pub stream: StreamOwned<ClientConnection, TcpStream>,
}

/// A server's request for a client certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Distinguished names of the authorities it wants; none: it does not say.
    pub authorities: Vec<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Unreached {
    /// No address; the resolver's reason.
    Address(String),
    /// Of every address, the last one's reason.
    Connect(String),
    /// The connection ended within the handshake.
    Ended(String),
    /// The certificate that was shown is not X.509.
    Garbled,
    /// What answers does not speak TLS; plain HTTP, mostly.
    NotTls,
    /// Not a name that TLS can ask for.
    ServerName(String),
    /// One side said no within the handshake; what went by until then is told as well.
    Refused {
        reason: TlsError,
        asked: Option<Asked>,
        shown: Vec<Certificate>,
    },
    Timeout,
    /// What was asked for cannot be: a key and a certificate that do not fit, say.
    Tls(TlsError),
}

impl Probe {
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, server_name: None, client: None, timeout: Duration::from_secs(5) }
    }

    /// The name to ask for (SNI), if it is not the host.
    #[must_use]
    pub fn server_name(self, name: &str) -> Self {
        Self { server_name: Some(name.to_owned()), ..self }
    }

    /// What to present if it is asked for; otherwise nothing is.
    #[must_use]
    pub fn client(self, client: Arc<CertifiedKey>) -> Self {
        Self { client: Some(client), ..self }
    }

    /// For the connection, and once more for each step of the handshake; 5 seconds if not set.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects and shakes hands.
    ///
    /// # Errors
    /// See [`Unreached`].
    pub fn ask(&self) -> Result<Answered, Unreached> {
        let name = self.server_name.as_deref().unwrap_or(&self.host);
        let server = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Unreached::ServerName(name.to_owned()))?;
        let seen = Arc::new(Seen::default());
        let config = self.config(&seen).map_err(Unreached::Tls)?;
        let connection = ClientConnection::new(Arc::new(config), server).map_err(Unreached::Tls)?;
        let mut stream = StreamOwned::new(connection, self.connect()?);
        let deadline = Instant::now() + self.timeout;
        while stream.conn.is_handshaking() {
            if Instant::now() > deadline {
                return Err(Unreached::Timeout);
            }
            if let Err(reason) = stream.conn.complete_io(&mut stream.sock) {
                return Err(match unreached(reason) {
                    Unreached::Tls(reason) => Unreached::Refused {
                        reason,
                        asked: seen.asked(),
                        shown: shown(&seen.shown()).unwrap_or_default(),
                    },
                    other => other,
                });
            }
        }
        let certificates = shown(&seen.shown()).ok_or(Unreached::Garbled)?;
        let material = Material::live(&format!("{}:{}", self.host, self.port), certificates);
        let protocol = stream.conn.protocol_version();
        let ocsp = lock(&seen.ocsp).clone();
        Ok(Answered { material, protocol, asked: seen.asked(), ocsp, stream })
    }

    fn connect(&self) -> Result<TcpStream, Unreached> {
        let host = self.host.trim_matches(['[', ']']);
        let addresses = (host, self.port).to_socket_addrs().map_err(|e| Unreached::Address(e.to_string()))?;
        let mut refused = Unreached::Address("no address has this name".to_owned());
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(self.timeout)).map_err(unreached)?;
                    stream.set_write_timeout(Some(self.timeout)).map_err(unreached)?;
                    return Ok(stream);
                }
                Err(reason) if reason.kind() == io::ErrorKind::TimedOut => refused = Unreached::Timeout,
                Err(reason) => refused = Unreached::Connect(reason.to_string()),
            }
        }
        Err(refused)
    }

    fn config(&self, seen: &Arc<Seen>) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let observer =
            Observer { provider: provider.clone(), seen: seen.clone(), client: self.client.clone() };
        let observer = Arc::new(observer);
        Ok(ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12, &rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(observer.clone())
            .with_client_cert_resolver(observer))
    }
}

/// What went by in a handshake.
#[derive(Debug, Default)]
struct Seen {
    asked: Mutex<Option<Asked>>,
    ocsp: Mutex<Vec<u8>>,
    shown: Mutex<Vec<CertificateDer<'static>>>,
}

impl Seen {
    fn asked(&self) -> Option<Asked> {
        lock(&self.asked).clone()
    }

    fn shown(&self) -> Vec<CertificateDer<'static>> {
        lock(&self.shown).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(ders: &[CertificateDer<'static>]) -> Option<Vec<Certificate>> {
    ders.iter().map(|der| Certificate::of(der.clone())).collect()
}

/// Watches both sides: what the server shows, and that it asks.
struct Observer {
    provider: Arc<CryptoProvider>,
    seen: Arc<Seen>,
    client: Option<Arc<CertifiedKey>>,
}

impl ResolvesClientCert for Observer {
    /// rustls calls this only for a server that asks.
    fn resolve(&self, authorities: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let text = |der: &&[u8]| X509Name::from_der(der).ok().map(|(_, name)| distinguished::text(&name));
        let asked = Asked { authorities: authorities.iter().filter_map(text).collect() };
        *lock(&self.seen.asked) = Some(asked);
        self.client.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        *lock(&self.seen.ocsp) = ocsp.to_vec();
        *lock(&self.seen.shown) =
            std::iter::once(leaf).chain(above).map(|der| der.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

fn unreached(reason: io::Error) -> Unreached {
    use io::ErrorKind::{TimedOut, WouldBlock};
    match reason.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => Unreached::NotTls,
        Some(error) => Unreached::Tls(error.clone()),
        None if [TimedOut, WouldBlock].contains(&reason.kind()) => Unreached::Timeout,
        None => Unreached::Ended(reason.to_string()),
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(reason) => write!(f, "no address: {reason}"),
            Self::Connect(reason) => write!(f, "no connection: {reason}"),
            Self::Ended(reason) => write!(f, "the connection ended within the handshake: {reason}"),
            Self::Garbled => f.write_str("it shows a certificate that is not X.509"),
            Self::NotTls => f.write_str("it does not speak TLS; plain HTTP?"),
            Self::ServerName(name) => write!(f, "{name:?} is neither a DNS name nor an IP address"),
            Self::Refused { reason, .. } => write!(f, "the handshake failed: {reason}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Tls(reason) => write!(f, "TLS: {reason}"),
        }
    }
}

impl std::error::Error for Unreached {}
