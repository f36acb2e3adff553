//! Which upstreams are believed to be who they are.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use time::OffsetDateTime;
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use super::certificate::{Unusable, certificates};
use super::identity::{Digest, Trusted};

/// Trust anchors, at least one.
pub struct Anchors {
    anchors: Vec<TrustAnchor<'static>>,
    digest: Digest,
    /// What they were read from.
    pub pem: String,
    /// When the first of them expires, for metrics. As in OpenSSL's and webpki's way of seeing an
    /// anchor, its own dates decide nothing.
    pub not_after: OffsetDateTime,
}

impl Anchors {
    /// Reads trust anchors from PEM.
    ///
    /// # Errors
    /// There is none, or one of them is no certificate: a bundle counts as a whole.
    pub fn parse(pem: &[u8]) -> Result<Self, Unusable> {
        let read = certificates(pem)?;
        let digest = Digest::of_anchors(&read);
        let mut not_after = OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT);
        let mut anchors = Vec::new();
        for der in &read {
            not_after = not_after.min(super::certificate::Leaf::of(der)?.not_after);
            let anchor = anchor_from_trusted_cert(der)
                .map_err(|_| Unusable::NoCertificate("a certificate that cannot be a trust anchor".into()))?;
            anchors.push(anchor.to_owned());
        }
        Ok(Self { anchors, digest, pem: String::from_utf8_lossy(pem).into_owned(), not_after })
    }
}

/// How an upstream's certificate is looked at.
#[derive(Clone)]
pub enum Verification {
    /// Kong's default, `tls_verify: false`.
    Off,
    /// `depth`: how many certificates may stand between leaf and anchor, as OpenSSL counts.
    Against { anchors: Arc<Anchors>, depth: u8 },
}

impl Verification {
    pub(super) fn identity(&self) -> Trusted<'_> {
        match self {
            Self::Off => Trusted::Anyone,
            Self::Against { anchors, depth } => Trusted::Below { anchors: &anchors.digest, depth: *depth },
        }
    }
}

/// [`Verification`] as rustls asks for it. Signatures of the handshake are checked either way: an
/// upstream that is not verified still has to own the key of what it shows.
pub(super) struct Verifier {
    pub(super) verification: Verification,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Verification::Against { anchors, depth } = &self.verification else {
            return Ok(ServerCertVerified::assertion());
        };
        let leaf = EndEntityCert::try_from(leaf).map_err(refused)?;
        let shallow = |path: &VerifiedPath<'_>| match path.intermediate_certificates().count() {
            count if count <= usize::from(*depth) => Ok(()),
            _ => Err(Error::MaximumPathDepthExceeded),
        };
        leaf.verify_for_usage(
            self.algorithms.all,
            &anchors.anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            Some(&shallow),
        )
        .map_err(refused)?;
        match server_name {
            ServerName::DnsName(_) => leaf.verify_is_valid_for_subject_name(server_name).map_err(refused)?,
            // nginx compares the host as a DNS name only: on Kong 3.9 a SAN of an IP address never matches.
            _ => return Err(CertificateError::NotValidForName.into()),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

fn refused(error: Error) -> TlsError {
    match error {
        Error::CertExpired { .. } => CertificateError::Expired.into(),
        Error::CertNotValidYet { .. } => CertificateError::NotValidYet.into(),
        Error::CertNotValidForName(_) => CertificateError::NotValidForName.into(),
        Error::UnknownIssuer => CertificateError::UnknownIssuer.into(),
        other => TlsError::General(format!("the upstream's certificate is refused: {other}")),
    }
}
