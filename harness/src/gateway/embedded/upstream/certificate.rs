//! A client certificate that could be presented: chain and key read, and seen to belong together.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::identity::Digest;
use kong_config::declarative::PemPair;
use pki::inspect::Certificate;

/// A chain with the key of its leaf. No `Debug`: it holds a private key.
pub struct ClientCertificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) digest: Digest,
    pub leaf: Leaf,
    /// What it was read from.
    pub pem: PemPair,
}

/// What may be told about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// SHA-256 of its DER, in lower-case hex.
    pub fingerprint: String,
    pub subject: String,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

impl ClientCertificate {
    /// Reads a chain and its key from PEM.
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together. Whether the certificate is within
    /// its validity is another question: [`Leaf::check`].
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let text = |pem: &[u8]| String::from_utf8_lossy(pem).into_owned();
        let pem = PemPair { chain: text(chain), key: text(key) };
        let chain = certificates(chain)?;
        let leaf = Leaf::of(&chain[0])?;
        // What the parser says of a key may quote it.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unusable::NoKey)?;
        let signing = any_supported_type(&key).map_err(|_| Unusable::UnsupportedKey)?;
        let public = signing.public_key().ok_or(Unusable::UnsupportedKey)?.to_vec();
        let digest = Digest::of_certificate(&chain, &public, key.secret_der());
        let key = CertifiedKey::new(chain, signing);
        match key.keys_match() {
            Ok(()) => Ok(Self { key: Arc::new(key), digest, leaf, pem }),
            Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(Unusable::Mismatch),
            Err(_) => Err(Unusable::NoCertificate("the leaf has no readable public key".into())),
        }
    }
}

/// The certificates of a PEM text, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let read: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(chain) if chain.is_empty() => Err(Unusable::NoCertificate("no PEM block of one".into())),
        Ok(chain) => Ok(chain),
        Err(PemError::MissingSectionEnd { .. }) => {
            Err(Unusable::NoCertificate("a PEM block has no end, is the file half written?".into()))
        }
        Err(_) => Err(Unusable::NoCertificate("a PEM block is garbled".into())),
    }
}

impl Leaf {
    pub(super) fn of(der: &CertificateDer<'_>) -> Result<Self, Unusable> {
        let garbled = || Unusable::NoCertificate("not an X.509 certificate".into());
        let Certificate { subject, not_before, not_after, sha256: fingerprint, .. } =
            Certificate::of(der.clone().into_owned()).ok_or_else(garbled)?;
        Ok(Self { fingerprint, subject, not_before, not_after })
    }

    /// Whether the certificate may be presented at `now`; both ends of its validity included, as in
    /// RFC 5280, 4.1.2.5.
    ///
    /// # Errors
    /// It is not valid yet, or not any more.
    pub fn check(&self, now: OffsetDateTime) -> Result<(), Unusable> {
        if now < self.not_before {
            Err(Unusable::NotYetValid(self.not_before))
        } else if now >= self.not_after + time::Duration::SECOND {
            Err(Unusable::Expired(self.not_after))
        } else {
            Ok(())
        }
    }
}

/// Why a certificate, key or CA file is not taken, or not presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    Expired(OffsetDateTime),
    Mismatch,
    NoCertificate(String),
    NoKey,
    NoRevocationList(String),
    NotYetValid(OffsetDateTime),
    /// No client certificate has this name.
    Unknown,
    UnreadableFile(String),
    UnsupportedKey,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = |at: &OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        match self {
            Self::Expired(at) => write!(f, "expired at {}", date(at)),
            Self::Mismatch => f.write_str("mismatch: the private key does not belong to the certificate"),
            Self::NoCertificate(why) => write!(f, "unreadable certificate: {why}"),
            Self::NoKey => f.write_str("unreadable key: no PEM block of an unencrypted private key"),
            Self::NoRevocationList(why) => write!(f, "unreadable list of what is revoked: {why}"),
            Self::NotYetValid(at) => write!(f, "not valid before {}", date(at)),
            Self::Unknown => f.write_str("unknown"),
            Self::UnreadableFile(why) => f.write_str(why),
            Self::UnsupportedKey => {
                f.write_str("unsupported key: neither RSA, ECDSA (P-256, P-384) nor Ed25519")
            }
        }
    }
}
