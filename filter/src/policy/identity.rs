//! What the upstream hears about who is asking, and what it does not hear.

use smallvec::SmallVec;

use super::caller::Caller;
use super::cookie;
use super::credential::{Places, same_header};
use super::request::{Header, View};

/// Changes to a request on its way to the upstream, each only where it changes something.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edits<'a> {
    pub headers: SmallVec<[Edit<'a>; USUAL]>,
    /// The target without hidden keys; `None`: as it is. On Kong the target is the property `ngx.upstream_uri`,
    /// elsewhere `:path`.
    pub target: Option<Vec<u8>>,
    /// The header `Cookie` without hidden keys, to be set after it was removed; `None`: nothing is to be set.
    pub cookies: Option<Vec<u8>>,
    /// Whether every field of the body that may hold a key has to go.
    pub hide_in_body: bool,
}

/// Edits for which no memory is allocated: a consumer's four headers, and a key.
const USUAL: usize = 6;

/// A change to one header. Removals come before the settings of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    Remove(&'a [u8]),
    Set(IdentityHeader, &'a str),
}

impl<'a> Edits<'a> {
    /// `hidden`: where keys may be, if they are to be hidden.
    pub(super) fn of(caller: &Caller<'a>, request: &View<'a>, hidden: Option<&Places>) -> Self {
        let identity = identity(caller, request);
        let cookies = hidden.and_then(|places| places.without_cookies(request));
        let is_cookie = |name: &[u8]| name.eq_ignore_ascii_case(cookie::HEADER.as_bytes());
        let mut headers = SmallVec::new();
        for (number, &(name, value)) in request.headers.iter().enumerate() {
            let ours =
                IdentityHeader::ALL.iter().position(|each| same_header(each.as_str().as_bytes(), name));
            let goes = match ours {
                // What is said once, truly and in our spelling may stay.
                Some(ours) => !is_said(request.headers[number], identity[ours], ours, &request.headers),
                None if is_about_consumers(name) => !is_groups(name, value, caller),
                None if cookies.is_some() && is_cookie(name) => true,
                None => hidden.is_some_and(|places| places.is_header(name)),
            };
            let told = || headers.contains(&Edit::Remove(name));
            if goes && !told() {
                headers.push(Edit::Remove(name));
            }
        }
        for (ours, value) in identity.into_iter().enumerate() {
            let Some(value) = value else { continue };
            let there =
                request.headers.iter().any(|header| is_said(*header, Some(value), ours, &request.headers));
            if !there {
                headers.push(Edit::Set(IdentityHeader::ALL[ours], value));
            }
        }
        let target = hidden.and_then(|places| places.without(request.target));
        let cookies = cookies.filter(|cookies| !cookies.is_empty());
        Self { headers, target, cookies, hide_in_body: hidden.is_some_and(|places| places.in_body) }
    }
}

/// Kong's key-auth sets these for a consumer, and clears those that it has nothing for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityHeader {
    ConsumerId,
    ConsumerCustomId,
    ConsumerUsername,
    CredentialIdentifier,
    AnonymousConsumer,
}

impl IdentityHeader {
    /// In the order of their numbers (`as usize`).
    pub const ALL: [Self; 5] = [
        Self::ConsumerId,
        Self::ConsumerCustomId,
        Self::ConsumerUsername,
        Self::CredentialIdentifier,
        Self::AnonymousConsumer,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsumerId => "X-Consumer-ID",
            Self::ConsumerCustomId => "X-Consumer-Custom-ID",
            Self::ConsumerUsername => "X-Consumer-Username",
            Self::CredentialIdentifier => "X-Credential-Identifier",
            Self::AnonymousConsumer => "X-Anonymous-Consumer",
        }
    }
}

/// Whether a header speaks of who is asking: all of these are the gateway's to write.
pub(super) fn is_ours(name: &[u8]) -> bool {
    is_about_consumers(name)
        || IdentityHeader::ALL.iter().any(|each| same_header(each.as_str().as_bytes(), name))
}

/// A value for each [`IdentityHeader`].
fn identity<'a>(caller: &Caller<'a>, request: &View<'_>) -> [Option<&'a str>; 5] {
    match caller {
        Caller::Anonymous(consumer) => {
            [consumer.id(), consumer.custom_id(), Some(&consumer.username), None, Some("true")]
        }
        Caller::Consumer(consumer, key) => {
            [consumer.id(), consumer.custom_id(), Some(&consumer.username), Some(&key.id), None]
        }
        Caller::Established(established) => [
            established.id,
            established.custom_id,
            established.username,
            established.credential,
            // Kong's own plugins say so of whom they let in without a credential, and clear it for everyone else.
            // Taking it back would turn a guest into somebody who was asked.
            (established.credential.is_none()
                && request.header(b"X-Anonymous-Consumer").any(|v| v == b"true"))
            .then_some("true"),
        ],
        Caller::Nobody => [None; 5],
    }
}

/// `X-Consumer-Groups` and the like: nobody but the gateway may speak of consumers.
fn is_about_consumers(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"X-Consumer-";
    name.get(..PREFIX.len()).is_some_and(|start| same_header(start, PREFIX))
}

/// Whether a header names just the caller's groups, as Kong's acl plugin does; then it may stay.
fn is_groups(name: &[u8], value: &[u8], caller: &Caller<'_>) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    let said = || value.split(',').map(str::trim);
    name.eq_ignore_ascii_case(b"X-Consumer-Groups")
        && said().all(|group| caller.is_in(group))
        && caller.groups().all(|group| said().any(|each| each == group))
}

/// Whether a header says just that, in our spelling, and no other header says it again.
fn is_said((name, value): Header<'_>, owed: Option<&str>, ours: usize, all: &[Header<'_>]) -> bool {
    let ours = IdentityHeader::ALL[ours].as_str().as_bytes();
    name.eq_ignore_ascii_case(ours)
        && owed.is_some_and(|owed| owed.as_bytes() == value)
        && all.iter().filter(|(each, _)| each.eq_ignore_ascii_case(ours)).count() == 1
}
