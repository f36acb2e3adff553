use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::Error;
use super::inspect::PublicKey;

/// What kind of key. RSA is not offered: ring cannot generate it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Algorithm {
    #[default]
    EcdsaP256,
    EcdsaP384,
    Ed25519,
}

impl Algorithm {
    /// That of a key that exists, or the default where such keys cannot be generated.
    pub(super) fn like(key: &PublicKey) -> Self {
        match key {
            PublicKey::Ec(curve) if curve == "P-384" => Self::EcdsaP384,
            PublicKey::Ed25519 => Self::Ed25519,
            PublicKey::Ec(_) | PublicKey::Ed448 | PublicKey::Other(_) | PublicKey::Rsa { .. } => {
                Self::default()
            }
        }
    }
}

/// A private key, PKCS#8. No `Debug`, no `Display`: it has no business in a log.
pub struct PrivateKey(KeyPair);

impl PrivateKey {
    /// # Errors
    /// [`Error::Random`]; else as the library says.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        let pair = match algorithm {
            Algorithm::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            Algorithm::EcdsaP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?,
            Algorithm::Ed25519 => generate_ed25519()?,
        };
        Ok(Self(pair))
    }

    /// Takes over an unencrypted PKCS#8 key ("PRIVATE KEY").
    ///
    /// # Errors
    /// [`Error::NotPem`]; else as the library says.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        use rustls::pki_types::pem::PemObject;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| Error::NotPem { wanted: "PRIVATE KEY" })?;
        Ok(Self(KeyPair::try_from(&der)?))
    }

    /// For files and documents that need the key itself.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// For TLS stacks.
    #[must_use]
    pub fn der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.0.serialize_der().into())
    }

    pub(super) fn pair(&self) -> &KeyPair {
        &self.0
    }

    /// SubjectPublicKeyInfo, DER.
    pub(super) fn public(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }
}

/// ring writes Ed25519 keys as PKCS#8 version 2 (RFC 5958), which OpenSSL 3.0 and everything older cannot read. So the
/// seed is drawn here and framed as version 1 (RFC 8410, section 7).
fn generate_ed25519() -> Result<KeyPair, Error> {
    let mut pkcs8 = [0; PREFIX.len() + 32];
    let (prefix, seed) = pkcs8.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(&PREFIX);
    getrandom::fill(seed).map_err(|_| Error::Random)?;
    let der = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519)?)
}

/// SEQUENCE { version 0, AlgorithmIdentifier { 1.3.101.112 }, OCTET STRING { OCTET STRING of 32 bytes, to follow } }.
const PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
