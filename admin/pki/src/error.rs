use std::fmt;

use time::OffsetDateTime;

/// Why a certificate or a key could not be made or taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// X.520 (upper bound `ub-common-name`) wants 1 to 64 characters.
    CommonName(String),
    /// The validity ends before it begins, or beyond the year 9999.
    EmptyValidity,
    /// The key does not belong to the certificate.
    KeyMismatch,
    /// The path length of this authority forbids another authority below it.
    LastAuthority,
    /// The certificate may not sign others.
    NotAnAuthority,
    /// Not PEM, or PEM of something else than `wanted`.
    NotPem { wanted: &'static str },
    /// A certificate must end no later than the one that signs it.
    Outlives { leaf: OffsetDateTime, authority: OffsetDateTime },
    /// The system gave no random bytes.
    Random,
    /// The library refused; its reason.
    Rejected(rcgen::Error),
    /// A list of revoked certificates that another authority signed, or nobody.
    OthersList,
    /// What a certificate says that cannot be said again here.
    Unlike(String),
    /// The certificate is not X.509 as RFC 5280 has it.
    Unreadable,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommonName(name) => {
                write!(f, "common name {name:?} has {} characters and may have 1 to 64", name.chars().count())
            }
            Self::EmptyValidity => f.write_str("the validity ends before it begins, or after the year 9999"),
            Self::KeyMismatch => f.write_str("the private key does not belong to the certificate"),
            Self::LastAuthority => {
                f.write_str("the path length of this authority allows no other authority below it")
            }
            Self::NotAnAuthority => {
                f.write_str("the certificate may not sign others (basicConstraints CA, keyUsage keyCertSign)")
            }
            Self::NotPem { wanted } => write!(f, "no PEM block \"{wanted}\""),
            Self::Outlives { leaf, authority } => {
                write!(f, "the certificate would end {leaf}, after its authority, which ends {authority}")
            }
            Self::Random => f.write_str("the system gives no random bytes"),
            Self::Rejected(reason) => reason.fmt(f),
            Self::OthersList => {
                f.write_str("the list of revoked certificates is not signed by this authority")
            }
            Self::Unlike(what) => {
                write!(f, "it cannot be renewed here, because of {what}: renew it where it was issued")
            }
            Self::Unreadable => f.write_str("the certificate cannot be read as X.509"),
        }
    }
}

impl std::error::Error for Error {}

impl From<rcgen::Error> for Error {
    fn from(reason: rcgen::Error) -> Self {
        Self::Rejected(reason)
    }
}
