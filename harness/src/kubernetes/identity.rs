use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;

use crate::gateway::embedded::upstream::{Anchors, ClientCertificate, Unusable};
use pki;

/// A client certificate with its key, and the authorities that the upstream has to chain to, as PEM: seen to be usable.
/// No `Debug`, for it holds a private key.
pub struct Identity {
    pub(super) chain: String,
    pub(super) key: String,
    /// One certificate each, at least one.
    pub(super) authorities: Vec<String>,
}

impl Identity {
    /// Reads what `harness certs generate` writes (NAME.crt, NAME.key, ca.crt), or, where there is no NAME.crt, what
    /// cert-manager and step do (tls.crt, tls.key, ca.crt).
    ///
    /// # Errors
    /// A file cannot be read, or what they hold cannot be presented at `now`.
    pub fn read(directory: &Path, name: &str, now: OffsetDateTime) -> Result<Self, InvalidIdentity> {
        let named = directory.join(format!("{name}.crt"));
        let stem = if named.exists() { name } else { "tls" };
        let paths = [format!("{stem}.crt"), format!("{stem}.key"), "ca.crt".to_owned()]
            .map(|file| directory.join(file));
        let [chain_path, key_path, ca_path] = &paths;
        let [chain, key, ca] = [text(chain_path)?, text(key_path)?, text(ca_path)?];
        let unusable = |path: &Path, why| InvalidIdentity::Unusable { path: path.to_owned(), why };
        ClientCertificate::parse(chain.as_bytes(), key.as_bytes())
            .and_then(|certificate| certificate.leaf.check(now))
            .map_err(|why| unusable(chain_path, why))?;
        Anchors::parse(ca.as_bytes()).map_err(|why| unusable(ca_path, why))?;
        let authorities = CertificateDer::pem_slice_iter(ca.as_bytes()).flatten();
        Ok(Self { chain, key, authorities: authorities.map(|der| pki::pem(&der)).collect() })
    }
}

fn text(path: &Path) -> Result<String, InvalidIdentity> {
    std::fs::read_to_string(path)
        .map_err(|why| InvalidIdentity::Unreadable { path: path.to_owned(), why: why.to_string() })
}

/// Why there is nothing to configure a gateway with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidIdentity {
    Unreadable { path: PathBuf, why: String },
    Unusable { path: PathBuf, why: Unusable },
}

impl fmt::Display for InvalidIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => {
                write!(f, "{}: {why} (`harness certs generate` makes what is wanted)", path.display())
            }
            Self::Unusable { path, why } => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for InvalidIdentity {}
