//! All that a decision depends on.

/// A header's name and value, as the host hands them over.
pub type Header = (Vec<u8>, Vec<u8>);

/// A request, as far as a policy looks at it.
pub struct Request<'r> {
    pub method: &'r [u8],
    /// Host and port that the client asked for.
    pub authority: &'r [u8],
    /// Path and query that the upstream will receive: rules look at this path, keys are looked for in this query.
    /// Not what the client sent as `:path`: Kong decodes that, so that a `%3F` reads as the start of a query which is
    /// none, and a key found there could not be hidden.
    pub target: &'r [u8],
    /// In the order in which they came, duplicates too.
    pub headers: &'r [Header],
    /// Whom the gateway's own authentication has established.
    pub established: Option<Established<'r>>,
    /// Seconds since 1970.
    pub now: i64,
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

impl<'r> Request<'r> {
    /// The values of a header; names are compared without regard to case (RFC 9110, section 5.1).
    pub(super) fn header<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'r [u8]> + use<'n, 'r> {
        let headers = self.headers;
        headers.iter().filter(move |(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
    }
}
