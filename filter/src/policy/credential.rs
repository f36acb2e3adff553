//! Finding the API key in a request. As Kong's key-auth (3.9) does: for each name in order, header, then query, then
//! body. After these the places that key-auth has not: the Authorization header under a scheme, then cookies, which come
//! last because a browser sends them unasked.
//!
//! A header that `Connection` names is not looked at. It is removed all the same where keys are hidden.

use std::borrow::Cow;

use super::request::{Header, Target, View};
use super::{cookie, query};

/// Where keys are looked for.
pub(super) struct Places {
    /// None where a key has no name: neither header nor argument nor field is looked at.
    pub(super) names: Box<[Box<str>]>,
    pub(super) in_header: bool,
    pub(super) in_query: bool,
    pub(super) in_body: bool,
    /// The scheme under which the Authorization header holds one.
    pub(super) authorization: Option<Box<str>>,
    /// Names of cookies.
    pub(super) cookies: Box<[Box<str>]>,
}

/// The header that holds a key under a scheme.
pub(super) const AUTHORIZATION: &str = "Authorization";

/// Why there is no key to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfound {
    Duplicate,
    Missing,
}

impl Places {
    /// The first key. An empty one is none at all, even where another place would have one: key-auth stops there too.
    pub(super) fn find<'r>(&self, request: &View<'r>) -> Result<Cow<'r, [u8]>, Unfound> {
        match self.first(request)? {
            Some(key) if !key.is_empty() => Ok(key),
            _ => Err(Unfound::Missing),
        }
    }

    /// Whether a key may be in some header.
    pub(super) fn look_at_headers(&self) -> bool {
        self.in_header || self.authorization.is_some() || !self.cookies.is_empty()
    }

    fn first<'r>(&self, request: &View<'r>) -> Result<Option<Cow<'r, [u8]>>, Unfound> {
        for name in &self.names {
            if self.in_header
                && let Some(key) = sole(request.end_to_end(name.as_bytes()).map(borrowed))?
            {
                return Ok(Some(key));
            }
            if self.in_query
                && let Some(key) = sole(in_query(request.target, name))?
            {
                return Ok(Some(key));
            }
            if self.in_body
                && let Some(key) = sole(in_body(request.body, name))?
            {
                return Ok(Some(key));
            }
        }
        if let Some(scheme) = &self.authorization {
            let values = request.end_to_end(AUTHORIZATION.as_bytes());
            if let Some(key) = sole(values.map(|value| under(scheme, value).map(Cow::Borrowed)))? {
                return Ok(Some(key));
            }
        }
        for name in &self.cookies {
            let headers = request.end_to_end(cookie::HEADER.as_bytes());
            if let Some(key) = sole(headers.flat_map(|header| cookie::values(header, name)).map(borrowed))? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Whether a header may hold a key, and holds nothing else. `X_API_Key` may as well: to many an upstream the two are
    /// one name. So may one in which no key is looked for, as key-auth has it: its place may be a client's mistake.
    /// Authorization may under whatever scheme: a mistake in it must not bring the key to the upstream.
    pub(super) fn is_header(&self, name: &[u8]) -> bool {
        self.names.iter().any(|each| same_header(each.as_bytes(), name))
            || self.authorization.is_some() && name.eq_ignore_ascii_case(AUTHORIZATION.as_bytes())
    }

    /// The target without keys in its query, looked for there or not; `None` if it has none.
    pub(super) fn without(&self, target: Target<'_>) -> Option<Vec<u8>> {
        query::without(target, |name| self.names.iter().any(|each| each.as_bytes() == name))
    }

    /// The cookies without keys, as one header; empty if none is left, `None` if there are no keys among them.
    pub(super) fn without_cookies(&self, request: &View<'_>) -> Option<Vec<u8>> {
        if self.cookies.is_empty() {
            return None;
        }
        let headers = request.header(cookie::HEADER.as_bytes());
        cookie::without(headers, |name| self.cookies.iter().any(|each| each.as_bytes() == name))
    }
}

/// Whether two header names are one once `_` counts as `-`, as CGI and its heirs have it.
pub(super) fn same_header(a: &[u8], b: &[u8]) -> bool {
    let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    a.len() == b.len() && a.iter().map(fold).eq(b.iter().map(fold))
}

/// An argument without `=` is `true` to OpenResty, which key-auth passes over unless there is another.
fn in_query<'r>(target: Target<'r>, name: &str) -> impl Iterator<Item = Option<Cow<'r, [u8]>>> {
    query::arguments(target).filter(move |(each, _)| **each == *name.as_bytes()).map(|(_, value)| value)
}

fn in_body<'r>(body: &'r [Header<'r>], name: &str) -> impl Iterator<Item = Option<Cow<'r, [u8]>>> {
    body.iter().filter(move |(each, _)| *each == name.as_bytes()).map(|(_, value)| borrowed(value))
}

/// What stands behind a scheme and at least one space; a scheme alone is an empty key, and another scheme's credentials
/// are none (RFC 9110, section 11.4).
fn under<'r>(scheme: &str, value: &'r [u8]) -> Option<&'r [u8]> {
    let (given, rest) = value.split_at_checked(scheme.len())?;
    let is_whole = matches!(rest, [] | [b' ', ..]);
    let key = || rest.iter().position(|byte| *byte != b' ').map_or(&rest[..0], |at| &rest[at..]);
    (is_whole && given.eq_ignore_ascii_case(scheme.as_bytes())).then(key)
}

fn borrowed(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    Some(Cow::Borrowed(value))
}

fn sole<'r>(
    mut values: impl Iterator<Item = Option<Cow<'r, [u8]>>>,
) -> Result<Option<Cow<'r, [u8]>>, Unfound> {
    let first = values.next();
    if values.next().is_some() { Err(Unfound::Duplicate) } else { Ok(first.flatten()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_its_scheme_and_a_space() {
        let rows = [
            ("Bearer k", Some("k")),
            ("bEARER k", Some("k")),
            ("Bearer   k", Some("k")),
            ("Bearer k l", Some("k l")),
            ("Bearer k ", Some("k ")),
            ("Bearer", Some("")),
            ("Bearer ", Some("")),
            ("Bearer\tk", None),
            ("Bearer\u{a0}k", None),
            ("Bearerk", None),
            ("Bearer=k", None),
            ("Bear k", None),
            ("Basic k", None),
            (" Bearer k", None),
            ("k", None),
            ("", None),
        ];
        for (value, owed) in rows {
            assert_eq!(under("Bearer", value.as_bytes()), owed.map(str::as_bytes), "{value:?}");
        }
    }
}
