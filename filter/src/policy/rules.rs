//! Who asks for what: the first rule that matches selects the certificate, or refuses.

use std::borrow::Cow;

use super::caller::Caller;
use super::credential::same_header;
use super::decision::{Certificate, CertificateName};
use super::path;
use super::refusal::{Reason, Refusal};
use super::request::View;

/// A policy's rules, compiled: what exists is valid.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) rules: Box<[Rule]>,
    /// Where no rule matches.
    pub(super) default: Option<CertificateName>,
    /// Whether any rule asks for the path: only then does its spelling matter.
    pub(super) look_at_paths: bool,
}

/// Empty conditions hold for every request.
#[derive(Default)]
pub(super) struct Rule {
    pub(super) consumers: Box<[Box<str>]>,
    pub(super) groups: Box<[Box<str>]>,
    pub(super) methods: Box<[Box<str>]>,
    /// Canonical, as the prefix is.
    pub(super) paths: Box<[Box<str>]>,
    /// Canonical: "" or "/a/b", never "/a/b/".
    pub(super) path_prefix: Option<Box<str>>,
    /// Without port, and without a dot at the end.
    pub(super) hosts: Box<[Box<str>]>,
    pub(super) headers: Box<[HeaderIs]>,
    pub(super) outcome: Outcome,
}

/// A header that has to be there, with one of these values.
pub(super) struct HeaderIs {
    pub(super) name: Box<str>,
    pub(super) values: Box<[Box<str>]>,
}

/// What a rule does with a request that it matches.
pub(super) enum Outcome {
    Deny { status: u16, message: Box<str> },
    Present(CertificateName),
}

impl Default for Outcome {
    fn default() -> Self {
        Self::Deny { status: 403, message: FORBIDDEN.into() }
    }
}

impl Rules {
    /// The certificate for this caller's request, or why there is none.
    pub(super) fn select<'a>(
        &'a self,
        caller: &Caller<'_>,
        request: &View<'_>,
    ) -> Result<Certificate<'a>, Refusal<'a>> {
        let path = if self.look_at_paths { readable(request.target.path)? } else { Cow::Borrowed("") };
        let host = host(request.authority);
        let matching = self.rules.iter().position(|rule| rule.matches(caller, request, &path, host));
        match matching.map(|number| (number, &self.rules[number].outcome)) {
            Some((_, Outcome::Present(name))) => Ok(Certificate::Present(name)),
            Some((number, Outcome::Deny { status, message })) => Err(Refusal {
                status: *status,
                message,
                challenge: None,
                reason: Reason::Denied { rule: number },
            }),
            None => Ok(self.default.as_ref().map_or(Certificate::Unchanged, Certificate::Present)),
        }
    }
}

impl Rule {
    fn matches(&self, caller: &Caller<'_>, request: &View<'_>, path: &str, host: &[u8]) -> bool {
        any(&self.consumers, |name| caller.username() == Some(name))
            && any(&self.groups, |group| caller.is_in(group))
            && any(&self.methods, |method| method.as_bytes() == request.method)
            && any(&self.paths, |each| each == path)
            && any(&self.hosts, |each| each.as_bytes().eq_ignore_ascii_case(host))
            && self
                .path_prefix
                .as_ref()
                .is_none_or(|prefix| path::is_within(path.as_bytes(), prefix.as_bytes()))
            && self.headers.iter().all(|header| header.is_in(request))
    }
}

fn any(values: &[Box<str>], holds: impl Fn(&str) -> bool) -> bool {
    values.is_empty() || values.iter().any(|value| holds(value))
}

impl HeaderIs {
    fn is_in(&self, request: &View<'_>) -> bool {
        let mut named = request.headers.iter().filter(|(name, _)| same_header(name, self.name.as_bytes()));
        named.any(|(name, value)| {
            // What `Connection` names does not reach the upstream, and rules are about what does.
            self.values.iter().any(|each| each.as_bytes() == *value) && !request.is_hop_by_hop(name)
        })
    }
}

/// A path that rules can be held against; one that is not UTF-8 cannot.
fn readable(path: &[u8]) -> Result<Cow<'_, str>, Refusal<'static>> {
    let path = match path::canonical(path) {
        Ok(Cow::Borrowed(path)) => std::str::from_utf8(path).ok().map(Cow::Borrowed),
        Ok(Cow::Owned(path)) => String::from_utf8(path).ok().map(Cow::Owned),
        Err(path::Ambiguous) => None,
    };
    path.ok_or(Refusal {
        status: 400,
        message: "Ambiguous path",
        challenge: None,
        reason: Reason::AmbiguousPath,
    })
}

/// The host alone: RFC 3986, section 3.2.2. A dot at its end changes nothing.
fn host(authority: &[u8]) -> &[u8] {
    let mut host = match authority.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if authority[at] == b':' => &authority[..at],
        _ => authority,
    };
    while let [rest @ .., b'.'] = host {
        host = rest;
    }
    host
}

pub(super) const FORBIDDEN: &str = "Forbidden";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_authority_without_port_and_dots_at_its_end() {
        let rows = [
            ("dogs.example", "dogs.example"),
            ("dogs.example:8000", "dogs.example"),
            ("dogs.example.:8000", "dogs.example"),
            ("dogs.example..", "dogs.example"),
            ("[::1]", "[::1]"),
            ("[::1]:8000", "[::1]"),
            ("", ""),
        ];
        for (authority, owed) in rows {
            assert_eq!(host(authority.as_bytes()), owed.as_bytes(), "{authority}");
        }
    }
}
