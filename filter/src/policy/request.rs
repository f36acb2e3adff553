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
    /// The consumer that the gateway's own authentication has established. With `authentication: api_key` only a policy
    /// with `anonymous` looks at it, and then a host passes it only where a credential was established.
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
    /// Whether `Connection` may name other headers.
    connection: bool,
    pub(super) body: &'r [Header<'r>],
    pub(super) established: Option<&'r Established<'r>>,
    pub(super) now: i64,
}

/// Wanted headers for which no memory is allocated: a key and what a client may say about itself.
const USUAL: usize = 8;

impl<'r> View<'r> {
    pub(super) fn of<H: IntoIterator<Item = Header<'r>>>(request: Request<'r, H>, wants: &Wants) -> Self {
        let Request { method, authority, target, headers, body, established, now } = request;
        let headers: SmallVec<[Header<'r>; USUAL]> =
            headers.into_iter().filter(|(name, _)| wants.header(name)).collect();
        let connection =
            headers.iter().any(|(name, value)| is_same(name, CONNECTION) && may_name_headers(value));
        Self { method, authority, target, headers, connection, body, established, now }
    }

    /// The values of a header; names are compared without regard to case (RFC 9110, section 5.1).
    pub(super) fn header(&self, name: &[u8]) -> impl Iterator<Item = &'r [u8]> + Clone {
        self.headers.iter().filter(move |(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The values of a header that is sent on to the upstream; none if `Connection` names it.
    pub(super) fn end_to_end(&self, name: &[u8]) -> impl Iterator<Item = &'r [u8]> + Clone {
        // No header has an empty name.
        self.header(if self.is_hop_by_hop(name) { b"" } else { name })
    }

    /// Whether `Connection` names a header (RFC 9110, section 7.6.1). Gateways remove such a header, most of them before
    /// a filter sees it, so no decision depends on it.
    pub(super) fn is_hop_by_hop(&self, name: &[u8]) -> bool {
        let named = |value: &[u8]| value.split(|byte| *byte == b',').any(|each| is_same(each, name));
        self.connection && self.header(CONNECTION).any(named)
    }
}

fn is_same(option: &[u8], name: &[u8]) -> bool {
    option.trim_ascii().eq_ignore_ascii_case(name)
}

/// Whether a value of `Connection` is another one than nearly every request has.
fn may_name_headers(value: &[u8]) -> bool {
    ![&b"keep-alive"[..], b"close", b"upgrade"].iter().any(|usual| is_same(value, usual))
}

/// The header that names headers of this connection.
pub(super) const CONNECTION: &[u8] = b"Connection";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn headers_that_connection_names_are_hop_by_hop() {
        let policy = Policy::compile(br#"{"key_names":["X-API-Key"]}"#).unwrap();
        // Values of `Connection`, and whether they name X-API-Key.
        let rows: [(&[&str], bool); 12] = [
            (&["X-API-Key"], true),
            (&["x-api-KEY"], true),
            (&["close, X-API-Key"], true),
            (&["X-API-Key,keep-alive"], true),
            (&["a,\tX-API-Key ,,b"], true),
            (&["close", "X-API-Key"], true),
            (&["X_API_Key"], false),
            (&["X-API-Keys, X-API"], false),
            (&["X-API-Key;q=1"], false),
            (&["keep-alive"], false),
            (&["Upgrade"], false),
            (&[], false),
        ];
        for (values, expected) in rows {
            let key = (&b"X-API-Key"[..], &b"k"[..]);
            let headers = values.iter().map(|value| (&b"connection"[..], value.as_bytes())).chain([key]);
            let request = Request {
                method: b"GET",
                authority: b"",
                target: Target::default(),
                headers,
                body: &[],
                established: None,
                now: 0,
            };
            let view = View::of(request, policy.wants());
            assert_eq!(view.is_hop_by_hop(b"x-api-key"), expected, "{values:?}");
            assert_eq!(view.end_to_end(b"x-api-key").count(), usize::from(!expected), "{values:?}");
            assert_eq!(view.header(b"x-api-key").count(), 1, "still to be removed: {values:?}");
        }
    }
}
