use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::Certificate;

/// What may be told of a private key: its public half, or why there is none to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// With a passphrase, which nobody here has.
    Encrypted,
    /// No PEM block of a private key.
    None,
    /// subjectPublicKey: the bits, without the algorithm.
    Public(Vec<u8>),
    /// Neither RSA (2048 to 4096 bits, exponent 65537 or more), EC P-256 or P-384, nor Ed25519; or the
    /// key is written in a way that rustls does not read.
    Unsupported,
}

/// How a private key relates to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMatch {
    /// There is a key, encrypted or of a kind that is not read here.
    Unchecked,
    Differs,
    Matches,
    /// No key was given.
    NotGiven,
}

impl Key {
    /// Reads the first private key of a PEM text.
    #[must_use]
    pub fn of(pem: &[u8]) -> Self {
        let contains = |word: &[u8]| pem.windows(word.len()).any(|window| window == word);
        if contains(b"ENCRYPTED PRIVATE KEY-----") || contains(b"Proc-Type: 4,ENCRYPTED") {
            return Self::Encrypted;
        }
        // What the parser says of a key may quote it.
        let Ok(key) = PrivateKeyDer::from_pem_slice(pem) else { return Self::None };
        let Some(public) = any_supported_type(&key).ok().and_then(|signing| {
            let info = signing.public_key()?;
            let (_, info) = SubjectPublicKeyInfo::from_der(&info).ok()?;
            Some(info.subject_public_key.data.to_vec())
        }) else {
            return Self::Unsupported;
        };
        Self::Public(public)
    }

    /// Whether this is the key of `certificate`.
    #[must_use]
    pub fn of_certificate(&self, certificate: &Certificate) -> KeyMatch {
        let Self::Public(public) = self else { return KeyMatch::Unchecked };
        let certified =
            certificate.with_parsed(|parsed| parsed.public_key().subject_public_key.data.to_vec());
        if *public == certified || compressed(public) == Some(certified) {
            KeyMatch::Matches
        } else {
            KeyMatch::Differs
        }
    }
}

/// An uncompressed point of an elliptic curve (`04`, x, y) as a certificate may hold it too: `02` or `03`, x (SEC 1,
/// section 2.3.3).
fn compressed(point: &[u8]) -> Option<Vec<u8>> {
    let (4, coordinates) = point.split_first()? else { return None };
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    Some(std::iter::once(2 + (y.last()? & 1)).chain(x.iter().copied()).collect())
}
