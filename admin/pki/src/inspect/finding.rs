use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use super::certificate::{date, rfc3339};

/// Something about a certificate that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Index of the certificate; absent: it is about all of them, or about the key.
    pub certificate: Option<usize>,
    pub problem: Problem,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It works, here and now.
    Warning,
    /// Somebody will refuse it, or does.
    Wrong,
}

/// What is the matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Problem {
    /// The issuer may not sign others.
    CannotSign {
        issuer: String,
    },
    CriticalUnknown {
        oid: String,
    },
    Expired {
        #[serde(serialize_with = "rfc3339")]
        at: OffsetDateTime,
    },
    ExpiresSoon {
        days: i64,
    },
    Forged {
        issuer: String,
    },
    KeyDiffers,
    KeyEncrypted,
    KeyMissing,
    KeyOpen {
        mode: u32,
    },
    KeyUnsupported,
    LeafNotFirst,
    /// A server whose names are in its subject alone.
    Nameless,
    NotYetValid {
        #[serde(serialize_with = "rfc3339")]
        from: OffsetDateTime,
    },
    /// The path is longer than an authority on it allows.
    PathTooLong {
        issuer: String,
    },
    OutOfOrder,
    Outlives {
        issuer: String,
    },
    Stray,
    Unanchored {
        issuer: String,
    },
    WeakKey {
        bits: usize,
    },
    WeakSignature {
        algorithm: String,
    },
}

impl Problem {
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::CannotSign { .. }
            | Self::Expired { .. }
            | Self::Forged { .. }
            | Self::KeyDiffers
            | Self::KeyMissing
            | Self::LeafNotFirst
            | Self::NotYetValid { .. }
            | Self::PathTooLong { .. } => Severity::Wrong,
            Self::CriticalUnknown { .. }
            | Self::ExpiresSoon { .. }
            | Self::KeyEncrypted
            | Self::KeyOpen { .. }
            | Self::KeyUnsupported
            | Self::Nameless
            | Self::OutOfOrder
            | Self::Outlives { .. }
            | Self::Stray
            | Self::Unanchored { .. }
            | Self::WeakKey { .. }
            | Self::WeakSignature { .. } => Severity::Warning,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotSign { issuer } => {
                write!(f, "its issuer {issuer} may not sign certificates (basicConstraints CA, keyCertSign)")
            }
            Self::CriticalUnknown { oid } => write!(f, "extension {oid} cannot be read, peers may refuse it"),
            Self::Expired { at } => write!(f, "expired at {}", date(*at)),
            Self::ExpiresSoon { days: 0 } => f.write_str("expires within a day"),
            Self::ExpiresSoon { days } => write!(f, "expires in {days} days"),
            Self::Forged { issuer } => {
                write!(f, "the certificate {issuer} that is there did not sign it: another key of that name?")
            }
            Self::KeyDiffers => f.write_str("the private key belongs to another certificate"),
            Self::KeyEncrypted => f.write_str("the private key has a passphrase, which a gateway cannot type"),
            Self::KeyMissing => f.write_str("the key file holds no private key in PEM"),
            Self::KeyOpen { mode } => {
                write!(f, "everybody on this machine can read the private key (mode {mode:04o}; chmod o= it)")
            }
            Self::KeyUnsupported => f.write_str(
                "the private key is neither RSA (2048 to 4096 bits), EC P-256 or P-384, nor Ed25519: not checked",
            ),
            Self::LeafNotFirst => f.write_str("the leaf is not the first certificate, and TLS presents the first"),
            Self::Nameless => f.write_str(
                "for a server, and without a subject alternative name: clients do not look at the common name",
            ),
            Self::NotYetValid { from } => write!(f, "not valid before {}", date(*from)),
            Self::PathTooLong { issuer } => write!(f, "{issuer} allows fewer authorities below it"),
            Self::OutOfOrder => f.write_str("the chain is not in order, leaf first: strict peers refuse it"),
            Self::Outlives { issuer } => write!(f, "ends after its issuer {issuer}"),
            Self::Stray => f.write_str("on no path from the leaf: superfluous, or of another chain"),
            Self::Unanchored { issuer } => {
                write!(f, "the certificates beside it (ca.crt) have nothing that vouches for it: {issuer} is not there")
            }
            Self::WeakKey { bits } => write!(f, "RSA with {bits} bits, where peers want 2048"),
            Self::WeakSignature { algorithm } => write!(f, "signed with {algorithm}, which peers refuse"),
        }
    }
}
