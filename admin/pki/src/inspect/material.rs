use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use serde::Serialize;

use super::{Certificate, Key, directory, secret};

/// What lies in one place, read, and not judged yet. Of a private key it has the public half alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    pub origin: Origin,
    /// At least one, as they lie there.
    pub certificates: Vec<Certificate>,
    /// Of the first certificate, so they say. `None`: there is none beside it.
    pub key: Option<Key>,
    /// Permissions of the key's file.
    pub key_mode: Option<u32>,
    /// Certificates of authorities that lie beside it (`ca.crt`).
    pub anchors: Option<Vec<Certificate>>,
}

impl Material {
    /// The leaf of a file with a key beside it, once: where NAME.crt is there, NAME.pem is the same again.
    #[must_use]
    pub fn identity(&self) -> Option<(&Path, &Certificate)> {
        let Origin::File { path } = &self.origin else { return None };
        let leaf = self.certificates.first()?;
        let crt = path.with_extension("crt");
        let again = *path != crt && crt.is_file();
        (self.key.is_some() && !leaf.is_authority && !again).then_some((path, leaf))
    }

    /// What a server at `address` showed.
    #[must_use]
    pub fn live(address: &str, certificates: Vec<Certificate>) -> Self {
        let origin = Origin::Live { address: address.to_owned() };
        Self { origin, certificates, key: None, key_mode: None, anchors: None }
    }
}

/// Where certificates were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    File {
        path: PathBuf,
    },
    /// What a server showed.
    Live {
        address: String,
    },
    /// An entry of a Secret's manifest.
    Secret {
        path: PathBuf,
        secret: String,
        entry: String,
    },
}

/// Why there is nothing to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A certificate of it, counted from 1, is not X.509.
    Garbled { origin: Origin, which: usize },
    /// The system's reason.
    Io { path: PathBuf, reason: String },
    /// Nothing of it is a certificate.
    NoCertificate { origin: Origin },
    /// Neither YAML nor JSON of Kubernetes.
    NoManifest { path: PathBuf, reason: String },
    /// PEM that breaks off, or that breaks its own rules.
    Torn { origin: Origin },
}

/// Reads a file (PEM, or DER of one certificate), a directory, or a manifest (`.yaml`, `.yml`, `.json`) with Secrets.
///
/// A directory is read as `tls.crt, tls.key, ca.crt` (Kubernetes, cert-manager), NAME.crt and NAME.key (this harness,
/// step), or NAME.pem, NAME_key.pem and NAME_bundle.pem (spiffe-helper); the key of a single file is looked for in the
/// same way. What is no certificate in a directory is passed over.
///
/// # Errors
/// The path itself cannot be read. What is unreadable in a directory or a manifest hides nothing beside it.
pub fn read(path: &Path) -> Result<Vec<Result<Material, Unreadable>>, Unreadable> {
    if path.is_dir() {
        return directory::read(path);
    }
    if is_manifest(path) {
        return secret::read(path, &content(path)?);
    }
    Ok(vec![directory::material(path)])
}

/// Whether a path is one of a manifest. By its name: PEM has no brackets to tell YAML by, and YAML may hold PEM.
#[must_use]
pub fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["json", "yaml", "yml"].contains(&extension))
}

pub(super) fn content(path: &Path) -> Result<Vec<u8>, Unreadable> {
    std::fs::read(path).map_err(|reason| Unreadable::Io { path: path.to_owned(), reason: reason.to_string() })
}

/// Permissions of the file itself, behind all links.
pub(super) fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|metadata| metadata.permissions().mode() & 0o7777)
}

/// All certificates of a text; at least one.
///
/// # Errors
/// One of them cannot be read, or there is none.
pub fn certificates(origin: &Origin, content: &[u8]) -> Result<Vec<Certificate>, Unreadable> {
    // A DER certificate is a SEQUENCE, whose tag no PEM file begins with: it is the digit 0.
    let ders = if content.first() == Some(&0x30) && !content.is_ascii() {
        vec![CertificateDer::from(content.to_vec())]
    } else {
        let read: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(content).collect();
        read.map_err(|_| Unreadable::Torn { origin: origin.clone() })?
    };
    if ders.is_empty() {
        return Err(Unreadable::NoCertificate { origin: origin.clone() });
    }
    (ders.into_iter().enumerate())
        .map(|(at, der)| {
            Certificate::of(der).ok_or_else(|| Unreadable::Garbled { origin: origin.clone(), which: at + 1 })
        })
        .collect()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => path.display().fmt(f),
            Self::Live { address } => f.write_str(address),
            Self::Secret { path, secret, entry } => write!(f, "{}: {secret} {entry}", path.display()),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbled { origin, which } => write!(f, "{origin}: certificate {which} is not X.509"),
            Self::Io { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::NoCertificate { origin } => {
                write!(f, "{origin}: neither PEM nor DER of a certificate (PKCS#12: openssl pkcs12 -nodes)")
            }
            Self::NoManifest { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Torn { origin } => write!(f, "{origin}: PEM that is garbled or breaks off; half written?"),
        }
    }
}

impl std::error::Error for Unreadable {}
