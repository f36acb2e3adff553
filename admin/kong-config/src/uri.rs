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
mod tests;
