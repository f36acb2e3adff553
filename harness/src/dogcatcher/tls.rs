//! [`Tls`] as rustls takes it.

use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::{ClientCertificate, Fault, Sessions, Tls, Versions};

/// TLS for the handshakes to come.
#[derive(Clone)]
pub(super) struct Offer {
    usual: Arc<ServerConfig>,
    /// Whoever resumes a session is not looked at again.
    without_sessions: Arc<ServerConfig>,
}

/// Whoever verifies client certificates, with what is to be asked beside.
type Asking<'a> = &'a dyn Fn(Arc<dyn ClientCertVerifier>) -> Arc<dyn ClientCertVerifier>;

impl Offer {
    /// # Errors
    /// A certificate, key or authority cannot be read, or the key is not the certificate's.
    pub(super) fn of(tls: &Tls, asking: Asking<'_>) -> anyhow::Result<Self> {
        let without_sessions = server_config(&Tls { sessions: Sessions::None, ..tls.clone() }, asking)?;
        Ok(Self { usual: server_config(tls, asking)?, without_sessions })
    }

    /// What is offered while something goes wrong.
    pub(super) fn under(&self, fault: Fault) -> Arc<ServerConfig> {
        match fault {
            Fault::RefuseNewCertificates | Fault::DropAuthorities => self.without_sessions.clone(),
            _ => self.usual.clone(),
        }
    }
}

fn server_config(tls: &Tls, asking: Asking<'_>) -> anyhow::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions: &[_] = match tls.versions {
        Versions::Both => &[&rustls::version::TLS12, &rustls::version::TLS13],
        Versions::Tls12 => &[&rustls::version::TLS12],
        Versions::Tls13 => &[&rustls::version::TLS13],
    };
    let chain = CertificateDer::pem_slice_iter(tls.chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .context("the server's chain")?;
    // The library's own message would show what it failed to read.
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes())
        .map_err(|_| anyhow::anyhow!("the server's private key is not PEM"))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(asking(verifier(tls)?))
        .with_single_cert(chain, key)
        .context("the server's chain and key")?;
    // For gRPC, to those who ask for it.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    match tls.sessions {
        Sessions::None => {
            config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Sessions::Tickets => config.ticketer = rustls::crypto::ring::Ticketer::new()?,
    }
    Ok(Arc::new(config))
}

fn verifier(tls: &Tls) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    if tls.client_certificate == ClientCertificate::NotAsked {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(tls.client_authorities.as_bytes()) {
        roots.add(authority.context("the client authorities")?).context("the client authorities")?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let mut lists = Vec::new();
    if let Some(pem) = &tls.client_revocations {
        for list in CertificateRevocationListDer::pem_slice_iter(pem.as_bytes()) {
            lists.push(list.context("the lists of what is revoked")?);
        }
        anyhow::ensure!(!lists.is_empty(), "the lists of what is revoked: no PEM block \"X509 CRL\"");
    }
    // As OpenSSL has it: a list that is out of date says nothing, and what nothing is said of is refused.
    let verifier = verifier.with_crls(lists).enforce_revocation_expiration();
    let verifier = match tls.client_certificate {
        ClientCertificate::Asked => verifier.allow_unauthenticated(),
        ClientCertificate::Demanded | ClientCertificate::NotAsked => verifier,
    };
    verifier.build().context("the client authorities and what they have revoked")
}
