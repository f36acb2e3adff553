//! What a route of Envoy tells the filter, and the filter Envoy.
//!
//! Envoy has none of Kong's properties. What a decision needs and only the route knows, it carries as metadata under
//! [`NAMESPACE`]: strings, so that one property read is one answer. Whoever writes Envoy's config writes them with the
//! types of this module, from which the filter reads them.

use std::fmt;

/// The key of the route's `metadata.filter_metadata`.
pub const NAMESPACE: &str = "upstream_mtls";

/// Field of the metadata: a [`PathRewrite`], where the route has one.
pub const PATH_REWRITE: &str = "path_rewrite";

/// Field of the metadata: client certificates by their names, each an [`Offer`].
pub const CLIENT_CERTIFICATES: &str = "client_certificates";

/// The property that the filter sets: the name of the client certificate to present. One segment, for Envoy joins
/// several by NUL.
pub const SELECTED: &str = "upstream_mtls.client_certificate";

/// The value of [`SELECTED`] where a policy allows a request and leaves the certificate to the gateway; no name has a
/// slash. That nothing was selected at all is no permission.
pub const UNCHANGED: &str = "/unchanged";

/// [`SELECTED`] as Envoy keeps it: the key of the filter state that matchers read. No client can set it.
pub const SELECTED_STATE: &str = "wasm.upstream_mtls.client_certificate";

/// How the route changes the path: Envoy does it after its filters, and rules are about what the upstream will receive.
///
/// What is taken off, and what stands before the rest instead, `/` included. The rest is as Kong has it: without the
/// slash or the dot segment that it begins with, so that `/api` taken off `/api../x` does not leave `/../x`
/// (kong/router/utils.lua, `sanitize_uri_postfix`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRewrite {
    /// Not a part of the path that the upstream receives.
    pub strip: String,
    /// Without a space, as no path of a service has one.
    pub base: String,
}

impl PathRewrite {
    /// Path and query as the upstream will receive them. `None`: the path does not begin with what is taken off, so
    /// that the route's metadata is not about this route.
    #[must_use]
    pub fn apply(&self, target: &[u8]) -> Option<Vec<u8>> {
        let (path, query) = split(target);
        let rest = path.strip_prefix(self.strip.as_bytes())?;
        let rest = match rest {
            b"." | b".." => b"",
            [b'/', rest @ ..] | [b'.', b'/', rest @ ..] | [b'.', b'.', b'/', rest @ ..] => rest,
            rest => rest,
        };
        Some([self.base.as_bytes(), rest, query].concat())
    }

    /// Reads what `Display` has written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (base, strip) = text.split_once(' ')?;
        Some(Self { strip: strip.to_owned(), base: base.to_owned() })
    }
}

impl fmt::Display for PathRewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.base, self.strip)
    }
}

/// The path of `target` with the query of `other`: what a filter may change before the route rewrites the path.
#[must_use]
pub fn with_query_of(target: &[u8], other: &[u8]) -> Vec<u8> {
    [split(target).0, split(other).1].concat()
}

/// Path and query, the latter with its `?`.
fn split(target: &[u8]) -> (&[u8], &[u8]) {
    target.split_at(target.iter().position(|byte| *byte == b'?').unwrap_or(target.len()))
}

/// Whether the route can present a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It can; whether the certificate is valid is not known here.
    InForce,
    /// It can from one second to another, both included; since 1970.
    Between(i64, i64),
    /// Why not.
    Not(String),
}

impl Offer {
    /// # Errors
    /// It cannot be presented at `now`: why.
    pub fn at(self, now: i64) -> Result<(), String> {
        match self {
            Self::Between(from, _) if now < from => Err("not yet valid".to_owned()),
            Self::Between(_, until) if until < now => Err("expired".to_owned()),
            Self::InForce | Self::Between(..) => Ok(()),
            Self::Not(why) => Err(why),
        }
    }

    /// Reads what `Display` has written; what cannot be read is no offer.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let window = |text: &str| -> Option<(i64, i64)> {
            let (from, until) = text.strip_prefix("in_force ")?.split_once(' ')?;
            Some((from.parse().ok()?, until.parse().ok()?))
        };
        match (text, window(text)) {
            ("in_force", _) => Self::InForce,
            (_, Some((from, until))) => Self::Between(from, until),
            (why, None) => Self::Not(why.to_owned()),
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce => f.write_str("in_force"),
            Self::Between(from, until) => write!(f, "in_force {from} {until}"),
            Self::Not(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_rewritten_as_kong_strips_it() {
        // Taken off, put before, as received, as the upstream will see it.
        let rows = [
            ("/dogs", "/", "/dogs/api?a=/b", Some("/api?a=/b")),
            ("/dogs", "/", "/dogs", Some("/")),
            ("/dogs", "/", "/dogs?x", Some("/?x")),
            ("/dogs", "/", "/dogsled", Some("/led")),
            ("/dogs", "/", "/dogs../x", Some("/x")),
            ("/dogs", "/", "/dogs./x", Some("/x")),
            ("/dogs", "/", "/dogs..", Some("/")),
            ("/dogs", "/", "/dogs..x", Some("/..x")),
            ("/dogs", "/api/", "/dogs/7", Some("/api/7")),
            ("", "/api/", "/dogs/7", Some("/api/dogs/7")),
            ("/dogs", "/", "/cats?/dogs", None),
        ];
        for (strip, base, target, owed) in rows {
            let rewrite = PathRewrite { strip: strip.to_owned(), base: base.to_owned() };
            let rewrite = PathRewrite::parse(&rewrite.to_string()).unwrap();
            assert_eq!(rewrite.apply(target.as_bytes()).as_deref(), owed.map(str::as_bytes), "{target}");
        }
    }

    #[test]
    fn what_is_hidden_in_the_query_leaves_the_path_before_its_rewrite_alone() {
        assert_eq!(with_query_of(b"/dogs/a?key=k&b=1", b"/a?b=1"), b"/dogs/a?b=1");
        assert_eq!(with_query_of(b"/dogs/a?key=k", b"/a"), b"/dogs/a");
    }

    #[test]
    fn an_offer_holds_within_its_window_only() {
        // As written, the time, and whether the certificate may be presented.
        let rows = [
            ("in_force", 7, Ok(())),
            ("in_force 5 9", 4, Err("not yet valid")),
            ("in_force 5 9", 5, Ok(())),
            ("in_force 5 9", 9, Ok(())),
            ("in_force 5 9", 10, Err("expired")),
            ("unusable", 7, Err("unusable")),
            ("in_force 5", 7, Err("in_force 5")),
            ("in_force x y", 7, Err("in_force x y")),
            ("", 7, Err("")),
        ];
        for (text, now, owed) in rows {
            let offer = Offer::parse(text);
            assert_eq!(offer.to_string(), text);
            assert_eq!(offer.at(now), owed.map_err(str::to_owned), "{text} at {now}");
        }
    }
}
