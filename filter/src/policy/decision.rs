//! What becomes of a request.

use super::caller::Caller;
use super::identity::Edits;
use super::refusal::Refusal;

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
