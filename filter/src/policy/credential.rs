//! Finding the API key in a request, as Kong's key-auth (3.9) does: for each name in order, header, then query, then body.

use std::borrow::Cow;

use super::query;
use super::request::{Header, Target, View};

/// Where keys are looked for.
pub(super) struct Places {
    pub(super) names: Box<[Box<str>]>,
    pub(super) in_header: bool,
    pub(super) in_query: bool,
    pub(super) in_body: bool,
}

/// Why there is no key to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfound {
    Duplicate,
    Missing,
}

impl Places {
    /// The first key. An empty one is none at all, even where another name would have one: key-auth stops there too.
    pub(super) fn find<'r>(&self, request: &View<'r>) -> Result<Cow<'r, [u8]>, Unfound> {
        for name in &self.names {
            let key = match self.in_header {
                true => sole(request.header(name.as_bytes()).map(|value| Some(Cow::Borrowed(value))))?,
                false => None,
            };
            let key = match key {
                None if self.in_query => sole(in_query(request.target, name))?,
                key => key,
            };
            let key = match key {
                None if self.in_body => sole(in_body(request.body, name))?,
                key => key,
            };
            if let Some(key) = key {
                return if key.is_empty() { Err(Unfound::Missing) } else { Ok(key) };
            }
        }
        Err(Unfound::Missing)
    }

    /// Whether a header holds a key. `X_API_Key` does as well: to many an upstream the two are one name.
    pub(super) fn is_header(&self, name: &[u8]) -> bool {
        self.in_header && self.names.iter().any(|each| same_header(each.as_bytes(), name))
    }

    /// The target without keys in its query; `None` if it has none.
    pub(super) fn without(&self, target: Target<'_>) -> Option<Vec<u8>> {
        if !self.in_query {
            return None;
        }
        query::without(target, |name| self.names.iter().any(|each| each.as_bytes() == name))
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
    body.iter()
        .filter(move |(each, _)| *each == name.as_bytes())
        .map(|(_, value)| Some(Cow::Borrowed(*value)))
}

fn sole<'r>(
    mut values: impl Iterator<Item = Option<Cow<'r, [u8]>>>,
) -> Result<Option<Cow<'r, [u8]>>, Unfound> {
    let first = values.next();
    if values.next().is_some() { Err(Unfound::Duplicate) } else { Ok(first.flatten()) }
}
