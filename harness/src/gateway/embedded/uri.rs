//! A request's target as Kong 3.9 sees it, which is two normalisations that disagree: nginx decodes all of it
//! for filters (`:path`), Kong decodes what is not reserved for routing and for the upstream.

/// A request target that nginx would accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    decoded: Vec<u8>,
    path: Vec<u8>,
    /// `None` without a `?`; `Some("")` for a bare one.
    query: Option<String>,
}

/// A request target that nginx answers with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTarget {
    /// `..` leads above the root.
    AboveRoot,
    /// A `%` without two hexadecimal digits after it.
    BadEscape,
    /// A control character.
    Control,
    /// `%00`.
    EncodedNul,
    /// Does not begin with `/`.
    NotAPath,
}

impl std::fmt::Display for BadTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AboveRoot => "the path leads above the root",
            Self::BadEscape => "the path has a % without two hexadecimal digits after it",
            Self::Control => "the target has a control character",
            Self::EncodedNul => "the path has an encoded NUL",
            Self::NotAPath => "the target does not begin with /",
        })
    }
}

impl std::error::Error for BadTarget {}

impl Target {
    /// Takes a target in origin form, `/path?query`.
    ///
    /// A `#` ends it. nginx does so for `:path` and its `$args`; Kong would send the fragment upstream, but
    /// hyper hands none on, and a client that sends one breaks RFC 9112, section 3.2.1.
    ///
    /// # Errors
    /// nginx would answer 400 (ngx_http_parse_request_line, ngx_http_parse_complex_uri).
    pub fn parse(raw: &str) -> Result<Self, BadTarget> {
        if !raw.starts_with('/') {
            return Err(BadTarget::NotAPath);
        }
        if raw.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(BadTarget::Control);
        }
        let whole = raw.split_once('#').map_or(raw, |(before, _)| before);
        let (path, query) = match whole.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (whole, None),
        };
        Ok(Self { decoded: nginx_decoded(path.as_bytes())?, path: normalize(path.as_bytes()), query })
    }

    /// `:path` as a filter reads it: nginx's `$uri`, and `$args` where there are any. Not always UTF-8.
    pub fn for_filter(&self) -> Vec<u8> {
        let mut path = self.decoded.clone();
        if let Some(query) = self.query.as_deref().filter(|query| !query.is_empty()) {
            path.push(b'?');
            path.extend_from_slice(query.as_bytes());
        }
        path
    }

    /// The path that routes are matched with. Not always UTF-8.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The query as it was sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// What is sent to the upstream: path and query. `strip` is the part of the path that the route matched,
    /// where the route has strip_path; `base` is the service's path (kong/router/atc.lua set_upstream_uri).
    pub fn for_upstream(&self, strip: Strip<'_>, base: Option<&str>) -> String {
        let mut uri = escape(&join(&self.path, strip, base.unwrap_or("/").as_bytes()));
        if let Some(query) = &self.query {
            uri.push('?');
            uri.push_str(query);
        }
        uri
    }
}

/// What a route takes off a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip<'m> {
    /// strip_path is off.
    Nothing,
    /// strip_path is on, and this is what matched; empty for a route without paths.
    Prefix(&'m str),
}

/// The path as Kong matches and forwards it: percent-decoded but for reserved characters, their escapes in upper
/// case, without dot segments and empty segments (kong/tools/uri.lua, normalize with merge_slashes). It begins
/// with `/`.
pub fn normalize(path: &[u8]) -> Vec<u8> {
    remove_dot_segments(&decode_unreserved(path))
}

fn decode_unreserved(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, tail)) = rest.split_first() {
        match (first, escaped(tail)) {
            (b'%', Some(byte)) => {
                match RESERVED.contains(&byte) {
                    true => decoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                    false => decoded.push(byte),
                }
                rest = &tail[2..];
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded
}

/// RFC 3986, section 5.2.4, on whole segments; `..` at the root stays there. An empty segment is dropped.
fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut ends_open = false;
    for part in path.split(|byte| *byte == b'/').skip(1) {
        ends_open = matches!(part, b"" | b"." | b"..");
        match part {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            part => segments.push(part),
        }
    }
    let mut normal = Vec::with_capacity(path.len());
    for segment in segments {
        normal.push(b'/');
        normal.extend_from_slice(segment);
    }
    if ends_open {
        normal.push(b'/');
    }
    normal
}

/// kong/router/utils.lua, get_upstream_uri_v0, after what kong/router/atc.lua does to the path's rest.
fn join(path: &[u8], strip: Strip<'_>, base: &[u8]) -> Vec<u8> {
    let open_base = base.strip_suffix(b"/");
    let Strip::Prefix(prefix) = strip else {
        return match (open_base, path) {
            (Some(base), path) => [base, path].concat(),
            (None, b"/") => base.to_vec(),
            (None, path) => [base, path].concat(),
        };
    };
    let prefix = if prefix.is_empty() { "/" } else { prefix };
    let rest = without_leading_dots(path.get(prefix.len()..).unwrap_or_default());
    match (open_base, rest) {
        (Some(b""), b"") => base.to_vec(),
        (Some(_), b"") if path.ends_with(b"/") => base.to_vec(),
        (Some(closed), b"") => closed.to_vec(),
        (None, b"") if path.len() > 1 && path.ends_with(b"/") => [base, b"/"].concat(),
        (None, b"") => base.to_vec(),
        (open_base, rest) => {
            [open_base.unwrap_or(base), b"/", rest.strip_prefix(b"/").unwrap_or(rest)].concat()
        }
    }
}

/// kong/router/utils.lua, sanitize_uri_postfix: `/api` taken off `/api../x` must not leave `../x`.
fn without_leading_dots(rest: &[u8]) -> &[u8] {
    match rest {
        b"." | b".." => b"",
        [b'.', b'/', rest @ ..] | [b'.', b'.', b'/', rest @ ..] => rest,
        rest => rest,
    }
}

/// kong/tools/uri.lua, escape: what may stand in a path stays, `%` of the escapes that are left included.
fn escape(path: &[u8]) -> String {
    let mut uri = String::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'-' | b'_' | b'.' | b'~' => uri.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() || RESERVED.contains(&byte) => uri.push(byte.into()),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The path as nginx 1.25 decodes and normalises it into `$uri`, merge_slashes on: an escaped `/` or `.` counts
/// like a plain one (ngx_http_parse_complex_uri).
fn nginx_decoded(path: &[u8]) -> Result<Vec<u8>, BadTarget> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, tail)) = rest.split_first() {
        let byte = match first {
            b'%' => {
                rest = tail.get(2..).ok_or(BadTarget::BadEscape)?;
                escaped(tail).ok_or(BadTarget::BadEscape)?
            }
            byte => {
                rest = tail;
                byte
            }
        };
        match byte {
            0 => return Err(BadTarget::EncodedNul),
            b'/' => {
                end_segment(&mut decoded)?;
                if decoded.last() != Some(&b'/') {
                    decoded.push(b'/');
                }
            }
            byte => decoded.push(byte),
        }
    }
    end_segment(&mut decoded)?;
    Ok(decoded)
}

/// Takes a last segment that is `.` or `..` away, and with the latter the one before it.
fn end_segment(decoded: &mut Vec<u8>) -> Result<(), BadTarget> {
    if decoded.ends_with(b"/.") {
        decoded.truncate(decoded.len() - 1);
    } else if decoded.ends_with(b"/..") {
        let before = &decoded[..decoded.len() - 3];
        let parent = before.iter().rposition(|byte| *byte == b'/').ok_or(BadTarget::AboveRoot)?;
        decoded.truncate(parent + 1);
    }
    Ok(())
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// kong/tools/uri.lua, RESERVED_CHARS.
const RESERVED: &[u8] = b"!*'();:@&=+$,/?%#[]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_upstreams_see_what_kong_shows_them() {
        struct Row {
            name: &'static str,
            target: &'static str,
            for_filter: &'static [u8],
            for_upstream: &'static str,
        }
        let rows = [
            Row { name: "plain", target: "/a/b", for_filter: b"/a/b", for_upstream: "/a/b" },
            Row { name: "root", target: "/", for_filter: b"/", for_upstream: "/" },
            Row {
                name: "query stays raw",
                target: "/a?x=%2F&y=a%20b",
                for_filter: b"/a?x=%2F&y=a%20b",
                for_upstream: "/a?x=%2F&y=a%20b",
            },
            Row {
                name: "bare ? reaches the upstream only",
                target: "/a?",
                for_filter: b"/a",
                for_upstream: "/a?",
            },
            Row {
                name: "second ? is query",
                target: "/a?b?c",
                for_filter: b"/a?b?c",
                for_upstream: "/a?b?c",
            },
            Row { name: "fragment is cut", target: "/a#b?c", for_filter: b"/a", for_upstream: "/a" },
            Row {
                name: "fragment is cut off the query",
                target: "/a?b#c",
                for_filter: b"/a?b",
                for_upstream: "/a?b",
            },
            Row {
                name: "slashes are merged",
                target: "//a///b/",
                for_filter: b"/a/b/",
                for_upstream: "/a/b/",
            },
            Row {
                name: "dot segments",
                target: "/a/./b/../c/.",
                for_filter: b"/a/c/",
                for_upstream: "/a/c/",
            },
            Row {
                name: "escaped dots are dots",
                target: "/a/%2e%2E/b",
                for_filter: b"/b",
                for_upstream: "/b",
            },
            Row {
                name: "three dots are a name",
                target: "/.../a",
                for_filter: b"/.../a",
                for_upstream: "/.../a",
            },
            Row { name: "unreserved is decoded", target: "/%41%7e", for_filter: b"/A~", for_upstream: "/A~" },
            Row {
                name: "reserved keeps its escape",
                target: "/a%3fb%23%2b",
                for_filter: b"/a?b#+",
                for_upstream: "/a%3Fb%23%2B",
            },
            Row {
                name: "escaped slash divides for nginx only",
                target: "/a%2fb/../c",
                for_filter: b"/a/c",
                for_upstream: "/c",
            },
            Row {
                name: "escaped % is decoded once",
                target: "/%252e",
                for_filter: b"/%2e",
                for_upstream: "/%252e",
            },
            Row {
                name: "unsafe is escaped again",
                target: "/a%20\"b|%7C",
                for_filter: b"/a \"b||",
                for_upstream: "/a%20%22b%7C%7C",
            },
            Row { name: "not UTF-8", target: "/%ff", for_filter: b"/\xff", for_upstream: "/%FF" },
            Row { name: "UTF-8", target: "/\u{e9}", for_filter: b"/\xc3\xa9", for_upstream: "/%C3%A9" },
            Row {
                name: "semicolon stays",
                target: "/a;b/..;/c",
                for_filter: b"/a;b/..;/c",
                for_upstream: "/a;b/..;/c",
            },
        ];
        for Row { name, target, for_filter, for_upstream } in rows {
            let target = Target::parse(target).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(target.for_filter(), for_filter, "{name}");
            assert_eq!(target.for_upstream(Strip::Nothing, None), for_upstream, "{name}");
        }
    }

    #[test]
    fn what_was_seen_on_kong_3_9_1_is_what_comes_out() {
        let target = Target::parse("/plain/a%20b/c%2Fd/../e?x=%2F").unwrap();
        assert_eq!(target.for_filter(), b"/plain/a b/c/e?x=%2F");
        assert_eq!(target.for_upstream(Strip::Prefix("/plain"), Some("/base")), "/base/a%20b/e?x=%2F");
    }

    #[test]
    fn what_nginx_answers_with_400_is_refused() {
        let rows = [
            ("above the root", "/..", BadTarget::AboveRoot),
            ("above the root, escaped", "/a/..%2f../b", BadTarget::AboveRoot),
            ("half an escape", "/a%2", BadTarget::BadEscape),
            ("no escape", "/a%zz", BadTarget::BadEscape),
            ("a sign is no digit", "/a%+1", BadTarget::BadEscape),
            ("escaped NUL", "/a%00", BadTarget::EncodedNul),
            ("control character", "/a\tb", BadTarget::Control),
            ("control character in the query", "/a?\u{7f}", BadTarget::Control),
            ("asterisk", "*", BadTarget::NotAPath),
            ("absolute form", "http://a/", BadTarget::NotAPath),
            ("nothing", "", BadTarget::NotAPath),
        ];
        for (name, target, expected) in rows {
            assert_eq!(Target::parse(target), Err(expected), "{name}");
        }
        assert!(Target::parse("/a?%zz%00").is_ok(), "nginx does not decode the query");
    }

    #[test]
    fn strip_path_and_service_path_join_as_in_kong() {
        struct Row {
            name: &'static str,
            target: &'static str,
            strip: Strip<'static>,
            base: Option<&'static str>,
            expected: &'static str,
        }
        let (keep, api, api_open) = (Strip::Nothing, Strip::Prefix("/api"), Strip::Prefix("/api/"));
        let rows = [
            Row { name: "no base", target: "/api/x", strip: api, base: None, expected: "/x" },
            Row { name: "nothing left", target: "/api", strip: api, base: None, expected: "/" },
            Row { name: "base, nothing left", target: "/api", strip: api, base: Some("/b"), expected: "/b" },
            Row {
                name: "base, a slash left",
                target: "/api/",
                strip: api,
                base: Some("/b"),
                expected: "/b/",
            },
            Row {
                name: "open prefix, nothing left",
                target: "/api/",
                strip: api_open,
                base: Some("/b"),
                expected: "/b/",
            },
            Row {
                name: "open base, nothing left",
                target: "/api",
                strip: api,
                base: Some("/b/"),
                expected: "/b",
            },
            Row {
                name: "open base and prefix",
                target: "/api/",
                strip: api_open,
                base: Some("/b/"),
                expected: "/b/",
            },
            Row { name: "open base", target: "/api/x", strip: api, base: Some("/b/"), expected: "/b/x" },
            Row {
                name: "open prefix",
                target: "/api/x",
                strip: api_open,
                base: Some("/b"),
                expected: "/b/x",
            },
            Row { name: "kept", target: "/api/x", strip: keep, base: Some("/b"), expected: "/b/api/x" },
            Row {
                name: "kept, open base",
                target: "/api/x",
                strip: keep,
                base: Some("/b/"),
                expected: "/b/api/x",
            },
            Row { name: "kept root", target: "/", strip: keep, base: Some("/b"), expected: "/b" },
            Row {
                name: "kept root, open base",
                target: "/",
                strip: keep,
                base: Some("/b/"),
                expected: "/b/",
            },
            Row {
                name: "no paths",
                target: "/x",
                strip: Strip::Prefix(""),
                base: Some("/b"),
                expected: "/b/x",
            },
            Row {
                name: "prefix ends within a segment",
                target: "/apis/x",
                strip: api,
                base: None,
                expected: "/s/x",
            },
            Row {
                name: "dots that are left do not climb",
                target: "/api../x",
                strip: api,
                base: Some("/b"),
                expected: "/b/x",
            },
            Row {
                name: "nor escaped ones",
                target: "/api%2e%2e/x",
                strip: api,
                base: Some("/b"),
                expected: "/b/x",
            },
            Row { name: "nor dots alone", target: "/api..", strip: api, base: Some("/b"), expected: "/b" },
            Row { name: "query", target: "/api?k=v", strip: api, base: Some("/b"), expected: "/b?k=v" },
        ];
        for Row { name, target, strip, base, expected } in rows {
            assert_eq!(Target::parse(target).unwrap().for_upstream(strip, base), expected, "{name}");
        }
    }
}
