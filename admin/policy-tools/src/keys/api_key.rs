//! A key itself.

use std::fmt;
use std::io::{self, Read, Write};

use anyhow::{Context, anyhow};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Placeholder;
use crate::keys::digest;

/// An API key. No `Debug`, no `Display`: it comes out once, by [`ApiKey::reveal`] or [`ApiKey::reveal_with`], and its
/// memory is cleared when it is gone.
pub struct ApiKey(Zeroizing<String>);

/// What a key says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Not one of those that [`ApiKey::new`] makes.
    Foreign,
    Right,
    /// It was mistyped, or cut.
    Wrong,
}

/// What was read is no key. Never says what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAKey {
    Empty,
    /// Spaces, line feeds and control characters reach no server in a header as they were meant.
    NotVisible,
}

impl ApiKey {
    /// A new key: [`PREFIX`], 43 letters and digits from the system's random source, and 6 that are a checksum of them.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new() -> anyhow::Result<Self> {
        let mut key = Zeroizing::new(String::with_capacity(LENGTH));
        key.push_str(PREFIX);
        let mut bytes = Zeroizing::new([0; 64]);
        while key.len() < PREFIX.len() + RANDOM {
            getrandom::fill(&mut *bytes)
                .map_err(|reason| anyhow!("the system gives no random bytes: {reason}"))?;
            // The rest of a byte's values would make some digits likelier than others.
            let fair = bytes.iter().filter(|byte| **byte < 4 * 62);
            let missing = PREFIX.len() + RANDOM - key.len();
            key.extend(fair.take(missing).map(|byte| char::from(DIGITS[usize::from(byte % 62)])));
        }
        let sum = checksum(&key[PREFIX.len()..]);
        key.extend(sum.iter().map(|digit| char::from(*digit)));
        Ok(Self(key))
    }

    /// A key from a stream; a line feed at its end is not part of it.
    ///
    /// # Errors
    /// The stream cannot be read, or holds no key.
    pub fn read(mut from: impl Read) -> anyhow::Result<Result<Self, NotAKey>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        from.read_to_end(&mut bytes).context("cannot read the key")?;
        let key = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        if key.is_empty() {
            return Ok(Err(NotAKey::Empty));
        }
        match std::str::from_utf8(key) {
            Ok(text) if key.iter().all(u8::is_ascii_graphic) => Ok(Ok(Self(Zeroizing::new(text.to_owned())))),
            _ => Ok(Err(NotAKey::NotVisible)),
        }
    }

    /// Lower-case hex, of the key as it is sent: what a policy holds.
    pub fn sha256(&self) -> String {
        digest(self.0.as_bytes())
    }

    /// Whether it is as it was made.
    pub fn checksum(&self) -> Checksum {
        let Some(rest) = self.0.strip_prefix(PREFIX) else { return Checksum::Foreign };
        match rest.split_at_checked(RANDOM) {
            Some((random, sum)) if sum.as_bytes() == checksum(random) => Checksum::Right,
            _ => Checksum::Wrong,
        }
    }

    /// Returns the syntax of the placeholder that was read instead of a key, if it was one.
    pub fn placeholder(&self) -> Option<Placeholder> {
        Placeholder::find(&self.0)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Writes it, and a line feed.
    ///
    /// # Errors
    /// As of the writer.
    pub fn reveal(self, mut to: impl Write) -> io::Result<()> {
        to.write_all(self.0.as_bytes())?;
        to.write_all(b"\n")?;
        to.flush()
    }

    /// Writes it as `key` of a JSON document, with the fields of another value.
    ///
    /// # Errors
    /// As of the writer.
    pub fn reveal_with(self, more: &impl Serialize, mut to: impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Revealed<'k, M> {
            key: &'k str,
            #[serde(flatten)]
            more: &'k M,
        }
        // Within quotes it needs no escapes, and into the buffer it goes once.
        let mut out = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer_pretty(&mut *out, &Revealed { key: &self.0, more })?;
        out.push(b'\n');
        to.write_all(&out)?;
        to.flush()
    }
}

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "stdin holds no key: pipe one in, `harness keys hash < key.txt`",
            Self::NotVisible => {
                "what stdin holds cannot be an API key: spaces, control characters or letters beyond ASCII are in it"
            }
        })
    }
}

impl std::error::Error for NotAKey {}

/// CRC-32 (as in zlib) in base 62, most significant digit first: six digits hold any.
fn checksum(random: &str) -> [u8; CHECKSUM] {
    let mut rest = crc32fast::hash(random.as_bytes());
    let mut digits = [DIGITS[0]; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// Of six letters: up to 55 bytes are one block to SHA-256.
const PREFIX: &str = "mtlsk_";
const RANDOM: usize = 43;
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 43 digits in base 62 have 256.03 bits.
pub const ENTROPY_BITS: u32 = 256;

/// By what a secret scanner knows a key.
pub const PATTERN: &str = r"\bmtlsk_[0-9A-Za-z]{49}\b";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_known_by_its_pattern_and_its_checksum() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        for _ in 0..1_000 {
            let key = ApiKey::new().unwrap();
            assert!(pattern.find(&key.0).is_some_and(|found| found.len() == key.0.len()));
            assert!(key.checksum() == Checksum::Right);
        }
    }

    #[test]
    fn a_key_that_was_mistyped_or_cut_is_told_from_one_that_is_not_ours() {
        let key = ApiKey::new().unwrap();
        for at in PREFIX.len()..LENGTH {
            let other = if key.0.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut mistyped = key.0.to_string();
            mistyped.replace_range(at..=at, other);
            assert!(ApiKey(mistyped.into()).checksum() == Checksum::Wrong);
            assert!(ApiKey(key.0[..at].to_owned().into()).checksum() == Checksum::Wrong);
        }
        assert!(ApiKey("s3cr3t".to_owned().into()).checksum() == Checksum::Foreign);
    }

    #[test]
    fn a_checksum_is_the_one_that_scanners_can_compute() {
        // By zlib.crc32(b"123456789"), the checksum's check value.
        assert_eq!(&checksum("123456789"), b"3jZRME");
    }

    #[test]
    fn what_is_read_is_the_key_without_its_line_feed() {
        let read = |text: &str| ApiKey::read(text.as_bytes()).unwrap();
        for text in ["k", "k\n", "k\r\n"] {
            assert!(read(text).is_ok_and(|key| key.as_bytes() == b"k"), "{text:?}");
        }
        for (text, owed) in [
            ("", NotAKey::Empty),
            ("\n", NotAKey::Empty),
            ("k \n", NotAKey::NotVisible),
            ("k\nl", NotAKey::NotVisible),
            ("ä", NotAKey::NotVisible),
        ] {
            assert!(read(text).err() == Some(owed), "{text:?}");
        }
    }
}
