use serde::Serialize;
use x509_parser::error::X509Error;
use x509_parser::prelude::X509Certificate;

use super::{Certificate, PublicKey};

/// The way from a leaf to what vouches for it, within what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Indices of certificates, the leaf first.
    pub path: Vec<usize>,
    pub end: End,
    /// Links of the path whose signature cannot be checked here: the index of the lower certificate.
    pub unchecked: Vec<usize>,
    /// Certificates that are on no path from the leaf.
    pub stray: Vec<usize>,
}

/// Where a path ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum End {
    /// At a trust anchor that was given.
    Anchored { by: String },
    /// The certificate that would come next is there by its name, and did not sign: another key, or a changed text.
    Forged { issuer: String },
    /// The certificate that would come next is not there.
    Missing { issuer: String },
    /// At a certificate that signed itself.
    Root,
}

impl Chain {
    /// Walks from the first certificate upwards. `None`: there is no leaf, all are authorities, each for itself.
    pub(super) fn of(certificates: &[Certificate], anchors: &[Certificate]) -> Option<Self> {
        let leaf = certificates.iter().position(|certificate| !certificate.is_authority)?;
        let (mut path, mut unchecked) = (vec![leaf], Vec::new());
        let end = loop {
            // Starts with the leaf, and is never emptied.
            let lower = &certificates[path[path.len() - 1]];
            if let Some((anchor, _)) = best(lower, anchors).filter(|(_, signed)| *signed != Signed::No) {
                break End::Anchored { by: anchors[anchor].subject.clone() };
            }
            if anchors.iter().any(|anchor| anchor.der == lower.der) {
                break End::Anchored { by: lower.subject.clone() };
            }
            match best(lower, certificates) {
                _ if lower.is_self_issued() && signed(lower, lower) != Signed::No => break End::Root,
                Some((upper, signed)) if signed != Signed::No && !path.contains(&upper) => {
                    if signed == Signed::Unknown {
                        unchecked.push(path[path.len() - 1]);
                    }
                    path.push(upper);
                }
                Some((_, Signed::No)) => break End::Forged { issuer: lower.issuer.clone() },
                Some(_) | None => break End::Missing { issuer: lower.issuer.clone() },
            }
        };
        let stray = (0..certificates.len()).filter(|at| !path.contains(at)).collect();
        Some(Self { path, end, unchecked, stray })
    }
}

/// Among those of the issuer's name: one that signed, else one of which that cannot be told, else one that did not.
fn best(lower: &Certificate, candidates: &[Certificate]) -> Option<(usize, Signed)> {
    (candidates.iter().enumerate())
        .filter(|(_, upper)| upper.der != lower.der && is_named_issuer(lower, upper))
        .map(|(at, upper)| (at, signed(lower, upper)))
        .min_by_key(|(_, signed)| *signed)
}

fn is_named_issuer(lower: &Certificate, upper: &Certificate) -> bool {
    let issuer = lower.with_parsed(|lower| lower.issuer().as_raw().to_vec());
    upper.with_parsed(|upper| upper.subject().as_raw() == issuer)
}

/// Whether the key of one certificate signed another.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Signed {
    Yes,
    Unknown,
    #[default]
    No,
}

fn signed(lower: &Certificate, upper: &Certificate) -> Signed {
    // ring checks RSA from 2048 bits on, and says of shorter ones that the signature is wrong.
    let short = matches!(upper.public_key, PublicKey::Rsa { bits } if bits < 2048);
    if short && lower.signature_algorithm != "sha1WithRSAEncryption" {
        return Signed::Unknown;
    }
    let check = |lower: &X509Certificate<'_>, upper: &X509Certificate<'_>| match lower
        .verify_signature(Some(upper.public_key()))
    {
        Ok(()) => Signed::Yes,
        Err(X509Error::SignatureUnsupportedAlgorithm) => Signed::Unknown,
        Err(_) => Signed::No,
    };
    lower.with_parsed(|lower| upper.with_parsed(|upper| check(lower, upper)))
}
