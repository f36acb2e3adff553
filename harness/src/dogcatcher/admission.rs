//! Which client certificates are let in: those that are valid, unless a fault has it otherwise.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use tokio::sync::watch;

use super::Fault;
use pki::inspect::Certificate;

/// Whom a Dogcatcher has let in: the latest certificate of each subject, by its SHA-256.
pub(super) type LetIn = Arc<Mutex<HashMap<String, String>>>;

/// Asks who verifies, and then the fault of the moment.
pub(super) struct Admission {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) fault: watch::Receiver<Fault>,
    pub(super) let_in: LetIn,
}

impl Admission {
    /// # Errors
    /// This one is not let in, however valid it is.
    fn admit(&self, leaf: &CertificateDer<'_>) -> Result<(), Error> {
        let Some(leaf) = Certificate::of(leaf.clone().into_owned()) else {
            return Err(CertificateError::BadEncoding.into());
        };
        let mut let_in = self.let_in.lock().unwrap_or_else(PoisonError::into_inner);
        let other = let_in.get(&leaf.subject).is_some_and(|known| *known != leaf.sha256);
        match *self.fault.borrow() {
            Fault::DropAuthorities => Err(CertificateError::UnknownIssuer.into()),
            Fault::RefuseNewCertificates if other => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => {
                let_in.insert(leaf.subject, leaf.sha256);
                Ok(())
            }
        }
    }
}

impl ClientCertVerifier for Admission {
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(leaf, rest, now)?;
        self.admit(leaf).map(|()| verified)
    }

    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
