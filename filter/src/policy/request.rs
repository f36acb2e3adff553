//! All that a decision depends on.

use smallvec::SmallVec;

use super::query;
use super::wants::Wants;

/// A header's name and value, or a field's.
pub type Header<'r> = (&'r [u8], &'r [u8]);

/// A request as a host hands it over. What the policy does not want ([`Policy::wants`](super::Policy::wants)) may be
/// left empty; it is not looked at.
pub struct Request<'r, H> {
    pub method: &'r [u8],
    /// Host and port that the client asked for.
    pub authority: &'r [u8],
    /// What the upstream will receive: rules look at this path, keys are looked for in this query.
    /// Not what the client sent as `:path`: Kong decodes that, so that a `%3F` reads as the start of a query which is
    /// none, and a key found there could not be hidden.
    pub target: Target<'r>,
    /// In the order in which they came, duplicates too: an iterator over [`Header`]s, so that a host needs no list of
    /// its own for them.
    pub headers: H,
    /// Fields of the body by name, duplicates too; empty unless the policy wants the body.
    pub body: &'r [Header<'r>],
    /// Whom the gateway's own authentication has established.
    pub established: Option<&'r Established<'r>>,
    /// Seconds since 1970.
    pub now: i64,
}

/// A path, and the query behind its `?` if there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target<'r> {
    pub path: &'r [u8],
    pub query: Option<&'r [u8]>,
}

/// A consumer whom the gateway's own authentication has established.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Established<'r> {
    pub id: Option<&'r str>,
    pub username: Option<&'r str>,
    pub custom_id: Option<&'r str>,
    pub credential: Option<&'r str>,
    pub groups: Vec<&'r str>,
}

impl<'r> Target<'r> {
    /// From `/path?query`.
    pub fn of(target: &'r [u8]) -> Self {
        let (path, query) = query::split(target);
        Self { path, query }
    }
}

/// A request as a policy looks at it: of its headers just those that the policy wants.
pub(super) struct View<'r> {
    pub(super) method: &'r [u8],
    pub(super) authority: &'r [u8],
    pub(super) target: Target<'r>,
    pub(super) headers: SmallVec<[Header<'r>; USUAL]>,
    pub(super) body: &'r [Header<'r>],
    pub(super) established: Option<&'r Established<'r>>,
    pub(super) now: i64,
}

/// Wanted headers for which no memory is allocated: a key and what a client may say about itself.
const USUAL: usize = 8;

impl<'r> View<'r> {
    pub(super) fn of<H: IntoIterator<Item = Header<'r>>>(request: Request<'r, H>, wants: &Wants) -> Self {
        let Request { method, authority, target, headers, body, established, now } = request;
        let headers = headers.into_iter().filter(|(name, _)| wants.header(name)).collect();
        Self { method, authority, target, headers, body, established, now }
    }

    /// The values of a header; names are compared without regard to case (RFC 9110, section 5.1).
    pub(super) fn header(&self, name: &[u8]) -> impl Iterator<Item = &'r [u8]> + Clone {
        self.headers.iter().filter(move |(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}
