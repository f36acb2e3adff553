//! An upstream without any manners: TLS as it should be or not, and behind it bytes as a test writes them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection, SignatureScheme,
    StreamOwned,
};

use crate::digest;

/// Serves on a thread for each connection. Dropping it ends it.
pub struct Rogue {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Option<String>>>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

/// What is served: it is called for each request, and writes what it likes; the connection goes on if it says so.
pub type Answer = dyn Fn(&mut dyn Write) -> io::Result<bool> + Send + Sync;

impl Rogue {
    pub fn start(tls: Arc<ServerConfig>, answer: Box<Answer>) -> Self {
        let listener = TcpListener::bind(harness::stack::ANY_PORT).unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, stop) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicBool>::default());
        let answer: Arc<Answer> = answer.into();
        let accepting = thread::spawn({
            let (heard, stop) = (heard.clone(), stop.clone());
            move || {
                for client in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (tls, answer, heard) = (tls.clone(), answer.clone(), heard.clone());
                    // An error is the other side's: it has seen enough.
                    thread::spawn(move || client.and_then(|client| serve(client, tls, &*answer, &heard)));
                }
            }
        });
        Self { address, heard, stop, accepting: Some(accepting) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// SHA-256 of the client certificates of all requests so far, where there was one.
    pub fn heard(&self) -> Vec<Option<String>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        self.accepting.take().map(JoinHandle::join);
    }
}

fn serve(
    client: TcpStream,
    tls: Arc<ServerConfig>,
    answer: &Answer,
    heard: &Mutex<Vec<Option<String>>>,
) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, client);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        let shown = stream.conn.peer_certificates().and_then(|chain| Some(digest(chain.first()?)));
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(shown);
        let goes_on = answer(&mut stream)?;
        stream.flush()?;
        if !goes_on {
            stream.conn.send_close_notify();
            stream.flush()?;
            // What the other side still sends must not turn the end into a reset.
            stream.sock.shutdown(std::net::Shutdown::Write)?;
            return match stream.sock.read_to_end(&mut Vec::new()) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
                _ => Ok(()),
            };
        }
    }
}

/// Asks for client certificates, of whomever they are, by authorities of its own choice.
#[derive(Debug)]
pub struct Asking {
    pub authorities: Vec<DistinguishedName>,
}

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// For a gateway that says nothing any more.
const PATIENCE: Duration = Duration::from_secs(20);
