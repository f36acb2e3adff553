use std::path::Path;

use bytes::Bytes;
use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Access, Batch, Existing, PrivateKey, Validity};

/// A certificate with its chain and its key. No `Debug`, for it holds a private key.
pub struct Issued {
    chain: Vec<CertificateDer<'static>>, // never empty; the certificate itself first
    key: PrivateKey,
    validity: Validity,
}

impl Issued {
    /// The certificate and the intermediates above it, in the order in which TLS sends them.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(pem).collect()
    }

    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The certificate itself.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// SHA-256 of the certificate, lower-case hex, as `openssl x509 -fingerprint -sha256` but for its colons.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(self.der())))
    }

    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.validity.not_after()
    }

    /// Writes NAME.crt (the chain) and NAME.key (mode 0600), replacing what is there; each file is whole at any instant.
    ///
    /// # Errors
    /// The directory cannot be written; then what was there is untouched.
    pub fn write(&self, directory: &Path, name: &str) -> std::io::Result<()> {
        let mut batch = Batch::new(directory);
        batch.add(&format!("{name}.crt"), Access::Public, self.chain_pem());
        batch.add(&format!("{name}.key"), Access::Owner, self.key.pem());
        batch.write(Existing::Replace)
    }

    /// `chain`: the certificate of `key` first.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKey, validity: Validity) -> Self {
        Self { chain, key, validity }
    }
}

/// One certificate as PEM.
#[must_use]
pub fn pem(certificate: &CertificateDer<'_>) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new("CERTIFICATE", certificate.as_ref()), config)
}
