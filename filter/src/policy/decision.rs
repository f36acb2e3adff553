//! What becomes of a request.

use std::fmt;

use super::identity::Edits;
use super::keyring::{Consumer, Key};
use super::refusal::Refusal;
use super::request::Established;

/// There is no third case: what nobody allowed is refused.
pub enum Decision<'a> {
    Allow(Allow<'a>),
    Refuse(Refusal<'a>),
}

/// A request may pass, as somebody, under a certificate.
pub struct Allow<'a> {
    pub caller: Caller<'a>,
    pub certificate: Certificate<'a>,
    /// What has to change in the request before it goes upstream.
    pub edits: Edits<'a>,
}

/// As whom a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    /// The consumer that stands for requests without a valid key.
    Anonymous(&'a Consumer),
    Consumer(&'a Consumer, &'a Key),
    /// Whom the gateway's own authentication has established.
    Established(&'a Established<'a>),
    /// A preflight request that nobody is asked about.
    Nobody,
}

impl Caller<'_> {
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Anonymous(consumer) | Self::Consumer(consumer, _) => Some(&consumer.username),
            Self::Established(established) => established.username,
            Self::Nobody => None,
        }
    }

    pub(super) fn is_in(&self, group: &str) -> bool {
        self.groups().any(|each| each == group)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        let (own, established): (&[Box<str>], &[&str]) = match self {
            Self::Anonymous(consumer) | Self::Consumer(consumer, _) => (&consumer.groups, &[]),
            Self::Established(established) => (&[], &established.groups),
            Self::Nobody => (&[], &[]),
        };
        own.iter().map(|group| &**group).chain(established.iter().copied())
    }
}

/// Not an `Option`: a name that got lost must not read as "leave it unchanged".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate<'a> {
    Present(&'a CertificateName),
    /// The upstream's own setting stays.
    Unchanged,
}

/// By what the gateway knows a client certificate: `[A-Za-z0-9._-]{1,128}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName(Box<str>);

impl CertificateName {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        ((1..=128).contains(&name.len()) && name.bytes().all(plain)).then(|| Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
