//! API keys in request bodies: the values of named fields, and the body without these fields.
//!
//! Forms, JSON objects and multipart/form-data are read in one pass, in time linear in the body's size. Only fields of the
//! given names are kept, two values of each at most. What upstreams may read in more than one way is rejected.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The media types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Form,
    Json,
    Multipart,
}

/// A body that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub status: u16,
    /// For the log. Contains nothing of the body.
    pub reason: &'static str,
}

/// The values of the named fields, and where these fields are in the body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found<'b> {
    /// An index into the names, and a value. Two values of one name mean that there are several, or one that is an array
    /// or an object. A JSON number, boolean or null has none.
    pub values: Vec<(usize, Cow<'b, [u8]>)>,
    removed: Vec<Range<usize>>,
}

/// Returns the values of the fields of these names.
///
/// # Errors
/// Where a field of such a name might be missed.
pub fn read<'b>(
    kind: Kind,
    content_type: &[u8],
    body: &'b [u8],
    names: &[&[u8]],
) -> Result<Found<'b>, Rejection> {
    check_charset(content_type)?;
    match kind {
        Kind::Form => read_form(body, names),
        Kind::Json => read_json(body, names),
        Kind::Multipart => read_multipart(boundary(content_type)?, body, names),
    }
}

impl<'b> Found<'b> {
    /// Whether the body has a field of one of the names.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.removed.is_empty()
    }

    /// Returns the body without the fields that were found in it. Other fields stay byte for byte.
    #[must_use]
    pub fn remove_from(&self, kind: Kind, body: &[u8]) -> Vec<u8> {
        let mut rest = Vec::with_capacity(body.len());
        let mut end = 0;
        for range in &self.removed {
            rest.extend_from_slice(body.get(end..range.start).unwrap_or_default());
            end = range.end;
        }
        rest.extend_from_slice(body.get(end..).unwrap_or_default());
        // A removed field takes the separator behind it along; the last one has none.
        if kind == Kind::Form && end == body.len() && rest.last() == Some(&b'&') {
            rest.pop();
        }
        rest
    }

    fn remove(&mut self, range: Range<usize>) {
        match self.removed.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.removed.push(range),
        }
    }

    fn add(&mut self, name: usize, value: Cow<'b, [u8]>) {
        if self.values.iter().filter(|(known, _)| *known == name).count() < 2 {
            self.values.push((name, value));
        }
    }
}

const fn bad(reason: &'static str) -> Rejection {
    Rejection { status: 400, reason }
}

fn index(names: &[&[u8]], name: &[u8]) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

/// In these, ASCII characters are the bytes that they are in UTF-8.
const CHARSETS: [&str; 7] = ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252"];

/// Rejects a charset in which the upstream may read other names than those that are read here.
fn check_charset(content_type: &[u8]) -> Result<(), Rejection> {
    let lower = content_type.to_ascii_lowercase();
    for at in memmem::find_iter(&lower, "charset") {
        let rest = lower[at + "charset".len()..].trim_ascii_start();
        let Some(value) = rest.strip_prefix(b"=") else { continue };
        let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
        let value = value[..end].trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        if !CHARSETS.iter().any(|known| known.as_bytes() == value) {
            return Err(Rejection {
                status: 415,
                reason: "the body has a charset in which no API key can be looked for",
            });
        }
    }
    Ok(())
}

/// Decodes `+` and percent escapes. An invalid escape stays as it is.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match (byte, digit(at), digit(at + 1)) {
            (b'+', ..) => decoded.push(b' '),
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 2;
            }
            _ => decoded.push(byte),
        }
    }
    Cow::Owned(decoded)
}

fn read_form<'b>(body: &'b [u8], names: &[&[u8]]) -> Result<Found<'b>, Rejection> {
    let mut found = Found::default();
    let longest = names.iter().map(|name| name.len()).max().unwrap_or_default();
    let name_of = |pair: &[u8]| {
        let name = &pair[..memchr(b'=', pair).unwrap_or(pair.len())];
        // An escaped byte takes three.
        if name.len() > 3 * longest { None } else { index(names, &unescape(name)) }
    };
    let mut start = 0;
    for end in memchr_iter(b'&', body).chain([body.len()]) {
        let pair = &body[start..end];
        if pair.is_empty() {
            start = end + 1;
            continue;
        }
        if let Some(name) = name_of(pair) {
            let value = memchr(b'=', pair).map_or(&[][..], |equals| &pair[equals + 1..]);
            found.add(name, unescape(value));
            found.remove(start..(end + 1).min(body.len()));
        } else if memchr(b';', pair).is_some()
            && pair.split(|&byte| byte == b';').any(|pair| name_of(pair).is_some())
        {
            // Some parsers separate fields by semicolons too (HTML 4.01, appendix B.2.2).
            return Err(bad("a field of the form has the name of an API key behind a semicolon"));
        }
        start = end + 1;
    }
    Ok(found)
}

const NOT_JSON: Rejection = bad("the body is not JSON: it cannot be parsed");

fn read_json<'b>(body: &'b [u8], names: &[&[u8]]) -> Result<Found<'b>, Rejection> {
    let text = str::from_utf8(body).map_err(|_| NOT_JSON)?;
    let mut members = Members { text, names, found: Found::default(), invalid: false };
    let mut json = serde_json::Deserializer::from_str(text);
    // Values are skipped without recursion.
    json.deserialize_any(&mut members).and_then(|()| json.end()).map_err(|_| NOT_JSON)?;
    if members.invalid { Err(NOT_JSON) } else { Ok(members.found) }
}

struct Members<'b, 'n> {
    text: &'b str,
    names: &'n [&'n [u8]],
    found: Found<'b>,
    invalid: bool,
}

impl<'b> Members<'b, '_> {
    /// Of a name that is there more than once the last value counts, as for `cjson`.
    fn add(&mut self, name: usize, value: &'b str) {
        self.found.values.retain(|(known, _)| *known != name);
        match value.as_bytes().first() {
            Some(b'"') => match value.get(1..value.len() - 1) {
                Some(plain) if memchr(b'\\', plain.as_bytes()).is_none() => {
                    self.found.add(name, Cow::Borrowed(plain.as_bytes()));
                }
                _ => match serde_json::from_str::<String>(value) {
                    Ok(value) => self.found.add(name, Cow::Owned(value.into_bytes())),
                    Err(_) => self.invalid = true,
                },
            },
            Some(b'{' | b'[') => {
                self.found.add(name, Cow::Borrowed(&[]));
                self.found.add(name, Cow::Borrowed(&[]));
            }
            _ => {}
        }
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'b> Visitor<'b> for &mut Members<'b, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<(), A::Error> {
        let base = self.text.as_ptr() as usize;
        // Where the last value ends, or the object starts.
        let mut end = memchr(b'{', self.text.as_bytes()).map_or(0, |brace| brace + 1);
        let mut kept = false;
        while let Some(Name(name)) = map.next_key::<Name<'b>>()? {
            let value = map.next_value::<&'b RawValue>()?.get();
            let value_end = (value.as_ptr() as usize).wrapping_sub(base) + value.len();
            if let Some(name) = index(self.names, name.as_bytes()) {
                self.add(name, value);
                self.found.remove(end..value_end);
            } else if !kept {
                kept = true;
                // The comma between removed members and this one.
                if self.found.is_any() {
                    let comma = memchr(b',', self.text.as_bytes().get(end..).unwrap_or_default());
                    self.found.remove(end..end + comma.map_or(0, |comma| comma + 1));
                }
            }
            end = value_end;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

const NO_BOUNDARY: Rejection = bad("the multipart body has no boundary");
const NO_NAME: Rejection = bad("a part of the multipart body has no name, or more than one");
const NO_END: Rejection = bad("the multipart body does not end with its boundary");

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Returns the boundary of a content type, which has exactly one.
fn boundary(content_type: &[u8]) -> Result<&[u8], Rejection> {
    const NAME: &[u8] = b"boundary";
    let lower = content_type.to_ascii_lowercase();
    let mut places = memmem::find_iter(&lower, NAME);
    let (Some(at), None) = (places.next(), places.next()) else { return Err(NO_BOUNDARY) };
    let starts = at.checked_sub(1).is_some_and(|before| lower[before] == b';' || is_space(lower[before]));
    let Some(value) = content_type[at + NAME.len()..].strip_prefix(b"=").filter(|_| starts) else {
        return Err(NO_BOUNDARY);
    };
    let boundary = match value.strip_prefix(b"\"") {
        Some(quoted) => &quoted[..memchr(b'"', quoted).ok_or(NO_BOUNDARY)?],
        None => {
            &value[..value.iter().position(|&byte| byte == b';' || is_space(byte)).unwrap_or(value.len())]
        }
    };
    let is_plain = boundary.iter().all(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n'));
    if boundary.is_empty() || !is_plain { Err(NO_BOUNDARY) } else { Ok(boundary) }
}

fn read_multipart<'b>(boundary: &[u8], body: &'b [u8], names: &[&[u8]]) -> Result<Found<'b>, Rejection> {
    let delimiter = [b"--", boundary].concat();
    let mut found = Found::default();
    let mut start = body.iter().position(|&byte| !is_space(byte)).ok_or(NO_END)?;
    if !body[start..].starts_with(&delimiter) {
        return Err(bad("text precedes the first part of the multipart body"));
    }
    loop {
        let after = start + delimiter.len();
        if let Some(rest) = body[after..].strip_prefix(b"--") {
            return match rest.iter().all(|&byte| is_space(byte)) {
                true => Ok(found),
                false => Err(bad("text follows the end of the multipart body")),
            };
        }
        // A delimiter has no line feed, so that no byte is compared twice.
        let mut feeds = memchr_iter(b'\n', &body[after..]).map(|feed| after + feed + 1);
        let next = feeds.find(|&line| body[line..].starts_with(&delimiter)).ok_or(NO_END)?;
        let (name, content) = part(&body[after..next])?;
        if let Some(name) = index(names, name) {
            found.add(name, Cow::Borrowed(content));
            found.remove(start..next);
        }
        start = next;
    }
}

/// Returns name and content of a part, from behind its delimiter to the next one.
fn part(bytes: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let mut disposition = None;
    let mut rest = bytes;
    let mut first: Option<bool> = None;
    loop {
        let feed = memchr(b'\n', rest).ok_or(NO_NAME)?;
        let (line, following) = (&rest[..feed], &rest[feed + 1..]);
        rest = following;
        let (line, carriage) = line.strip_suffix(b"\r").map_or((line, false), |line| (line, true));
        // Line ends of two kinds, bare carriage returns and folded lines are read in several ways.
        if first.is_some_and(|first| first != carriage) || memchr::memchr2(b'\r', 0, line).is_some() {
            return Err(NO_NAME);
        }
        if first.replace(carriage).is_none() {
            if !line.iter().all(|&byte| is_space(byte)) {
                return Err(bad("a delimiter of the multipart body is followed by text"));
            }
            continue;
        }
        if line.is_empty() {
            break;
        }
        let colon = memchr(b':', line).ok_or(NO_NAME)?;
        if is_space(line[0]) {
            return Err(NO_NAME);
        }
        if line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-disposition")
            && disposition.replace(&line[colon + 1..]).is_some()
        {
            return Err(NO_NAME);
        }
    }
    let content = rest.strip_suffix(b"\n").unwrap_or(rest);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    Ok((disposition.and_then(name_of).ok_or(NO_NAME)?, content))
}

/// Returns the name of a part, quoted or not (RFC 7578, section 4.2; RFC 2183, section 2), if it has exactly one.
fn name_of(disposition: &[u8]) -> Option<&[u8]> {
    let lower = disposition.to_ascii_lowercase();
    let (mut value, mut count) = (None, 0);
    for at in memmem::find_iter(&lower, b"name") {
        let before = at.checked_sub(1).map(|before| lower[before])?;
        if before != b';' && !is_space(before) {
            continue;
        }
        let rest = lower[at + 4..].trim_ascii_start();
        // A second name, or an encoded one (RFC 2231, RFC 8187), may count for the upstream.
        if rest.starts_with(b"*") {
            return None;
        }
        if let Some(rest) = rest.strip_prefix(b"=") {
            count += 1;
            value = disposition.get(disposition.len() - rest.len()..);
            if !lower[..at].trim_ascii_end().ends_with(b";") {
                return None;
            }
        }
    }
    // A backslash may escape the quote behind it, and then other parameters follow.
    if count != 1 || memmem::find(disposition, b"\\\"").is_some() {
        return None;
    }
    let value = value?.trim_ascii_start();
    let name = match value.strip_prefix(b"\"") {
        Some(quoted) => {
            let end = memchr(b'"', quoted)?;
            let rest = quoted[end + 1..].trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b";") {
                return None;
            }
            &quoted[..end]
        }
        None => {
            &value[..value.iter().position(|&byte| byte == b';' || is_space(byte)).unwrap_or(value.len())]
        }
    };
    // Quotes and encoded words (RFC 2047) are decoded by some parsers.
    let is_plain = !name.is_empty()
        && name.trim_ascii().len() == name.len()
        && !name.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'\\'))
        && memmem::find(name, b"=?").is_none();
    is_plain.then_some(name)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
