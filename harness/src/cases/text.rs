//! Bytes as a case writes them: odd ones escaped, keys by the names of those who hold them.

use std::fmt;

use crate::stack::{Keys, escaped};
use policy_tools::keys::digest;

/// Bytes in which `\xNN` is a byte, `\\` a backslash, `<ann>` the key of `ann`, `<escaped ann>` the same with each
/// byte percent-encoded, `<digest of ann>` what a policy stores of it, and `<request id>` the id that the answer
/// itself names. Any other `<` is itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    written: String,
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Digest(String),
    Escaped(String),
    Key(String),
    RequestId,
}

impl Text {
    /// # Errors
    /// A backslash that begins no escape.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut bytes = Vec::new();
        let mut rest = written;
        while let Some(first) = rest.chars().next() {
            if let Some((part, after)) = placeholder(rest) {
                parts.push(Part::Bytes(std::mem::take(&mut bytes)));
                parts.push(part);
                rest = after;
                continue;
            }
            rest = &rest[first.len_utf8()..];
            if first == '\\' {
                let (byte, after) = escape(rest).ok_or(r"a backslash begins \\ or \xNN")?;
                bytes.push(byte);
                rest = after;
            } else {
                bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        parts.push(Part::Bytes(bytes));
        Ok(Self { written: written.to_owned(), parts })
    }

    /// What an answer says, in which nothing but `<request id>` stands for anything: markup has a meaning of its own.
    pub fn of_answer(written: &str) -> Self {
        let mut parts = Vec::new();
        for (number, text) in written.split("<request id>").enumerate() {
            if number > 0 {
                parts.push(Part::RequestId);
            }
            parts.push(Part::Bytes(text.into()));
        }
        Self { written: written.to_owned(), parts }
    }

    /// The bytes, with keys in their places.
    ///
    /// # Errors
    /// The system gives no random bytes for a new key.
    pub fn fill(&self, keys: &Keys, request_id: &str) -> anyhow::Result<Vec<u8>> {
        let mut filled = Vec::new();
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => filled.extend_from_slice(bytes),
                Part::Digest(name) => filled.extend_from_slice(digest(keys.of(name)?).as_bytes()),
                Part::Escaped(name) => filled.extend_from_slice(escaped(&keys.of(name)?).as_bytes()),
                Part::Key(name) => filled.extend_from_slice(keys.of(name)?.as_bytes()),
                Part::RequestId => filled.extend_from_slice(request_id.as_bytes()),
            }
        }
        Ok(filled)
    }

    /// Names of those whose keys it speaks of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Digest(name) | Part::Escaped(name) | Part::Key(name) => Some(name.as_str()),
            Part::Bytes(_) | Part::RequestId => None,
        })
    }
}

/// As it was written, so without any key.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

fn placeholder(text: &str) -> Option<(Part, &str)> {
    let (inside, rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
    };
    let part = match inside.rsplit_once(' ') {
        None if is_name(inside) => Part::Key(inside.to_owned()),
        Some(("digest of", name)) if is_name(name) => Part::Digest(name.to_owned()),
        Some(("escaped", name)) if is_name(name) => Part::Escaped(name.to_owned()),
        Some(("request", "id")) => Part::RequestId,
        _ => return None,
    };
    Some((part, rest))
}

/// What follows a backslash.
fn escape(text: &str) -> Option<(u8, &str)> {
    if let Some(rest) = text.strip_prefix('\\') {
        return Some((b'\\', rest));
    }
    let digits = text.strip_prefix('x')?;
    let byte = digits.get(..2)?;
    // Unlike from_str_radix, without a sign.
    let is_hex = byte.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some((u8::from_str_radix(byte, 16).ok().filter(|_| is_hex)?, &digits[2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_bytes_are_escaped_and_keys_stand_by_their_names() {
        let keys = Keys::default();
        let ann = keys.of("ann").unwrap();
        let rows = [
            ("plain ä", "plain ä".as_bytes().to_vec()),
            (r"a\x00\xFFb\\", b"a\0\xffb\\".to_vec()),
            ("k=<ann>&", format!("k={ann}&").into_bytes()),
            ("<digest of ann>", digest(&ann).into_bytes()),
            ("id <request id>.", b"id 4711.".to_vec()),
            ("1 < 2 <b c> <", b"1 < 2 <b c> <".to_vec()),
        ];
        for (written, owed) in rows {
            let text = Text::parse(written).unwrap();
            assert_eq!(text.fill(&keys, "4711").unwrap(), owed, "{written}");
            assert_eq!(text.to_string(), written);
        }
        let answer = Text::of_answer(r"<ann> \x00 <request id>!");
        assert_eq!(answer.fill(&keys, "4711").unwrap(), br"<ann> \x00 4711!");
        for wrong in [r"\", r"\x", r"\x1", r"\xg0", r"\x+1", r"\n"] {
            assert!(Text::parse(wrong).is_err(), "{wrong}");
        }
    }
}
