//! One spelling for each path, so that no rule can be slipped past by another.
//!
//! Rules look at the path that the upstream will receive. Upstreams differ in how they read it: some decode `%2F`
//! before they split, some after; some resolve `..`, some look it up as it stands; some cut `;parameters` off, some
//! take `\` for `/`. So:
//!
//! | spelling | what rules see |
//! |---|---|
//! | `%41`, `%7E` | decoded: `A`, `~` |
//! | `//` | merged |
//! | letters' case | kept: `/Dogs` is not `/dogs` |
//! | a slash at the end | not part of the last segment: `/dogs/` is within `/dogs` |
//! | `.` and `..` as segments, escaped or not | [`Ambiguous`]; Kong has resolved them before the filter runs |
//! | `%2F`, `\`, `%5C`, `;`, `%3B`, `#`, `%23`, `%25`, control bytes, a `%` that is no escape | [`Ambiguous`] |
//! | no `/` at the beginning, as in `http://host/path` or `*` | [`Ambiguous`] |
//!
//! Where a policy has a rule about paths, a request with an ambiguous path is refused with 400: nobody can say
//! which of its readings the upstream would follow. Where it has none, paths are not looked at.

use std::borrow::Cow;

use super::query;

/// A path that upstreams may read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// A path, without a query, in its one spelling: `/a/b`, without `//`, dot segments, escapes, or a `/` at its end; the
/// root is empty.
pub(super) fn canonical(path: &[u8]) -> Result<Cow<'_, [u8]>, Ambiguous> {
    if is_canonical(path) {
        return Ok(path.into());
    }
    if !path.starts_with(b"/") {
        return Err(Ambiguous);
    }
    let decoded = decode(path)?;
    let mut out = Vec::with_capacity(decoded.len());
    for segment in decoded.split(|byte| *byte == b'/') {
        match segment {
            b"" => {}
            b"." | b".." => return Err(Ambiguous),
            segment => {
                out.push(b'/');
                out.extend_from_slice(segment);
            }
        }
    }
    Ok(out.into())
}

/// Whether a canonical path is a prefix in whole segments: `/api/dogs` does not cover `/api/dogsled`.
pub(super) fn is_within(path: &[u8], prefix: &[u8]) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The common case, in one look and without a copy.
fn is_canonical(path: &[u8]) -> bool {
    let mut before = b'x';
    for byte in path {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.' | b'/');
        // A dot at the start of a segment may be a dot segment.
        if !plain || (before == b'/' && matches!(byte, b'/' | b'.')) {
            return false;
        }
        before = *byte;
    }
    path.first() == Some(&b'/') && before != b'/'
}

fn decode(path: &[u8]) -> Result<Vec<u8>, Ambiguous> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, others @ ..] = rest {
        rest = others;
        let byte = match first {
            b'%' => {
                let digits = others.first_chunk().copied().ok_or(Ambiguous)?;
                rest = &others[2..];
                match query::byte(digits).ok_or(Ambiguous)? {
                    b'/' => return Err(Ambiguous),
                    byte => byte,
                }
            }
            byte => *byte,
        };
        if byte.is_ascii_control() || matches!(byte, b'\\' | b';' | b'#' | b'%') {
            return Err(Ambiguous);
        }
        out.push(byte);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_path_is_one_path_or_none() {
        let rows = [
            ("plain", "/a/b", Some("/a/b")),
            ("root", "/", Some("")),
            ("nothing", "", None),
            ("every path", "*", None),
            ("with a host", "http://host/a/b", None),
            ("slash at the end", "/a/b/", Some("/a/b")),
            ("double slash", "//a///b", Some("/a/b")),
            ("dot", "/a/./b", None),
            ("dot at the end", "/a/b/.", None),
            ("dots", "/x/../a/b", None),
            ("dots above the root", "/../a/b", None),
            ("dots at the end", "/a/b/..", None),
            ("encoded dot", "/a/%2e/b", None),
            ("encoded dots", "/x/%2e%2E/a/b", None),
            ("half encoded dots", "/x/.%2e/a/b", None),
            ("encoded letters", "/%61/%62", Some("/a/b")),
            ("case is kept", "/A/b", Some("/A/b")),
            ("a name that begins with a dot", "/a/.b", Some("/a/.b")),
            ("three dots", "/a/...", Some("/a/...")),
            ("a space", "/a/b%20c", Some("/a/b c")),
            ("beyond ASCII", "/%C3%A4", Some("/ä")),
            ("encoded slash", "/a%2Fb", None),
            ("encoded slash, lower case", "/a%2fb", None),
            ("backslash", "/a\\b", None),
            ("encoded backslash", "/a%5Cb", None),
            ("parameter", "/a/b;v=1", None),
            ("encoded parameter", "/a/b%3Bv=1", None),
            ("dots with a parameter", "/a/..;/b", None),
            ("fragment", "/a/b#c", None),
            ("encoded fragment", "/a/b%23c", None),
            ("twice encoded", "/a/%252e%252e/b", None),
            ("NUL", "/a/b%00", None),
            ("line feed", "/a/b%0a", None),
            ("broken escape", "/a/%zz", None),
            ("cut escape", "/a/%4", None),
        ];
        for (what, path, owed) in rows {
            let came = canonical(path.as_bytes());
            assert_eq!(came.as_deref().ok(), owed.map(str::as_bytes), "{what}: {path}");
        }
    }

    #[test]
    fn a_path_in_its_one_spelling_is_not_copied() {
        for (path, as_it_is) in [
            ("/a/b", true),
            ("/a.b/c-d_e~f", true),
            ("/", false),
            ("/a/", false),
            ("/a//b", false),
            ("/a/.b", false),
            ("/a b", false),
        ] {
            assert_eq!(matches!(canonical(path.as_bytes()), Ok(Cow::Borrowed(_))), as_it_is, "{path}");
        }
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        let rows = [
            ("/api/dogs", "/api/dogs", true),
            ("/api/dogs/7", "/api/dogs", true),
            ("/api/dogsled", "/api/dogs", false),
            ("/api", "/api/dogs", false),
            ("", "", true),
            ("/x", "", true),
        ];
        for (path, prefix, owed) in rows {
            assert_eq!(is_within(path.as_bytes(), prefix.as_bytes()), owed, "{path} in {prefix}");
        }
    }
}
