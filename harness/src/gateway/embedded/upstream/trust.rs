//! Which upstreams are believed to be who they are.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use time::OffsetDateTime;
use webpki::{
    EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationOptionsBuilder, VerifiedPath,
    anchor_from_trusted_cert,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{Unusable, certificates};
use super::identity::{Digest, Trusted};
use super::revocation::RevocationLists;
use kong_config::declarative::UpstreamName;

/// Trust anchors, at least one.
pub struct Anchors {
    anchors: Vec<TrustAnchor<'static>>,
    pub(super) digest: Digest,
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
    Against(Against),
}

/// What an upstream's certificate has to stand up to.
#[derive(Clone)]
pub struct Against {
    pub anchors: Arc<Anchors>,
    /// How many certificates may stand between leaf and anchor, as OpenSSL counts.
    pub depth: u8,
    /// `None`: nobody asks whether a certificate was revoked.
    pub revocations: Option<Arc<RevocationLists>>,
    /// Names of which the leaf must have one; empty: that of the service's host.
    pub names: Arc<[UpstreamName]>,
}

impl Against {
    /// Whether an upstream that shows `chain` is who it should be, as of `now`.
    ///
    /// # Errors
    /// It is not; or `name` is no name.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        name: &str,
        now: OffsetDateTime,
    ) -> Result<(), TlsError> {
        let (leaf, above) = chain.split_first().ok_or(TlsError::NoCertificatesPresented)?;
        let name = ServerName::try_from(name).map_err(|_| CertificateError::NotValidForName)?;
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        let verifier = Verifier {
            verification: Verification::Against(self.clone()),
            algorithms: rustls::crypto::ring::default_provider().signature_verification_algorithms,
        };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        verifier.verify_server_cert(leaf, above, &name, &[], now).map(drop)
    }
}

impl Verification {
    pub(super) fn identity(&self) -> Trusted<'_> {
        match self {
            Self::Off => Trusted::Anyone,
            Self::Against(Against { anchors, depth, revocations, names }) => Trusted::Below {
                anchors: &anchors.digest,
                depth: *depth,
                revocations: revocations.as_ref().map(|lists| lists.digest()),
                names: Digest::of(names.iter().map(tagged)),
            },
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
        let Verification::Against(Against { anchors, depth, revocations, names }) = &self.verification else {
            return Ok(ServerCertVerified::assertion());
        };
        let der = leaf;
        let leaf = EndEntityCert::try_from(leaf).map_err(refused)?;
        let lists = revocations.as_ref().map(|lists| lists.lists()).unwrap_or_default();
        let revocation = RevocationOptionsBuilder::new(&lists)
            .ok()
            .map(|builder| builder.with_expiration_policy(ExpirationPolicy::Enforce).build());
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
            revocation,
            Some(&shallow),
        )
        .map_err(refused)?;
        if !names.is_empty() {
            return match names.iter().any(|name| has(der, &leaf, name)) {
                true => Ok(ServerCertVerified::assertion()),
                false => Err(CertificateError::NotValidForName.into()),
            };
        }
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

/// Whether a certificate has a name. URIs are compared as they stand, as SPIFFE wants it (X509-SVID, section 5.2).
fn has(der: &CertificateDer<'_>, leaf: &EndEntityCert<'_>, name: &UpstreamName) -> bool {
    match name {
        UpstreamName::Dns(name) => {
            let name = ServerName::try_from(name.as_str());
            name.is_ok_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok())
        }
        UpstreamName::Uri(uri) => X509Certificate::from_der(der).is_ok_and(|(_, parsed)| {
            let names = parsed.subject_alternative_name().ok().flatten();
            let names = names.map(|names| &names.value.general_names);
            names.into_iter().flatten().any(|name| matches!(name, GeneralName::URI(own) if own == uri))
        }),
    }
}

fn tagged(name: &UpstreamName) -> String {
    match name {
        UpstreamName::Dns(name) => format!("DNS:{name}"),
        UpstreamName::Uri(uri) => format!("URI:{uri}"),
    }
}

fn refused(error: Error) -> TlsError {
    match error {
        Error::CertRevoked => CertificateError::Revoked.into(),
        Error::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus.into(),
        Error::CrlExpired { .. } => CertificateError::ExpiredRevocationList.into(),
        Error::CertExpired { .. } => CertificateError::Expired.into(),
        Error::CertNotValidYet { .. } => CertificateError::NotValidYet.into(),
        Error::CertNotValidForName(_) => CertificateError::NotValidForName.into(),
        Error::UnknownIssuer => CertificateError::UnknownIssuer.into(),
        other => TlsError::General(format!("the upstream's certificate is refused: {other}")),
    }
}
