//! Who holds which key.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use sha2::{Digest as _, Sha256};

/// SHA-256 of an API key; the key itself is never kept. No `Debug`: it has no business in a log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a key as a client sent it.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// From 64 hexadecimal digits.
    pub(super) fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    pub username: Box<str>,
    pub id: Option<Box<str>>,
    pub custom_id: Option<Box<str>>,
    pub groups: Box<[Box<str>]>,
}

/// A key of a consumer, and when it is valid; both ends included, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: Box<str>,
    pub not_before: i64,
    pub not_after: i64,
}

/// Why a key counts for nothing; to the client that is all the same.
pub(super) enum Absent<'k> {
    Expired(&'k Consumer, &'k Key),
    NotYetValid(&'k Consumer, &'k Key),
    Unknown,
}

/// Keys by digest. Looking one up tells nothing by its time: what is compared are digests, and whoever could
/// choose these could choose the key.
///
/// A consumer is kept with each of its keys, not once in a list beside: among many keys, every place in memory that a
/// decision has to look at costs more than all that it computes.
#[derive(Default)]
pub(super) struct Keyring {
    keys: HashMap<Digest, (Consumer, Key), BuildHasherDefault<FirstBytes>>,
}

impl Keyring {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn find(&self, digest: &Digest, now: i64) -> Result<(&Consumer, &Key), Absent<'_>> {
        let (consumer, key) = self.keys.get(digest).ok_or(Absent::Unknown)?;
        match now {
            now if now < key.not_before => Err(Absent::NotYetValid(consumer, key)),
            now if now > key.not_after => Err(Absent::Expired(consumer, key)),
            _ => Ok((consumer, key)),
        }
    }

    /// Adds a key, unless its digest is there already: then the consumer who has it.
    pub(super) fn add(&mut self, digest: Digest, consumer: &Consumer, key: Key) -> Result<(), &Consumer> {
        match self.keys.entry(digest) {
            std::collections::hash_map::Entry::Occupied(taken) => Err(&taken.into_mut().0),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert((consumer.clone(), key));
                Ok(())
            }
        }
    }
}

impl std::hash::Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_le_bytes(first));
    }
}

/// A digest's first bytes are as good a hash as any: nobody can choose them for a key that the policy holds.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, first: u64) {
        self.0 = first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_hexadecimal_digits_and_nothing_else() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert!(Digest::parse(hex) == Some(Digest::of(b"test")));
        assert!(Digest::parse(&hex.to_uppercase()) == Some(Digest::of(b"test")));
        for wrong in ["", &hex[1..], &format!("{hex}0"), &hex.replace('9', "g"), &hex.replace('9', "+")] {
            assert!(Digest::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_valid_from_its_first_to_its_last_second() {
        let mut keyring = Keyring::default();
        let key = Key { id: "1".into(), not_before: 10, not_after: 20 };
        let ann = Consumer { username: "ann".into(), id: None, custom_id: None, groups: [].into() };
        assert!(keyring.add(Digest::of(b"k"), &ann, key).is_ok());
        for (now, found) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(keyring.find(&Digest::of(b"k"), now).is_ok(), found, "{now}");
        }
        assert!(keyring.find(&Digest::of(b"another"), 15).is_err());
    }
}
