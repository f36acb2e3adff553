//! Who holds which key.

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
    pub groups: Box<[Box<str>]>,
    /// Apart: most have none, and there may be very many.
    ids: Option<Box<Ids>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ids {
    id: Option<Box<str>>,
    custom_id: Option<Box<str>>,
}

impl Consumer {
    pub(super) fn new(
        username: Box<str>,
        id: Option<Box<str>>,
        custom_id: Option<Box<str>>,
        groups: Box<[Box<str>]>,
    ) -> Self {
        let ids = (id.is_some() || custom_id.is_some()).then(|| Box::new(Ids { id, custom_id }));
        Self { username, groups, ids }
    }

    pub fn id(&self) -> Option<&str> {
        self.ids.as_ref()?.id.as_deref()
    }

    pub fn custom_id(&self) -> Option<&str> {
        self.ids.as_ref()?.custom_id.as_deref()
    }
}

/// A key of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: Box<str>,
    /// `None`: always. Apart for the same reason.
    pub(super) validity: Option<Box<Validity>>,
}

/// When a key is valid; both ends included, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

/// Why a key counts for nothing; to the client that is all the same.
pub(super) enum Absent<'k> {
    Expired(&'k Consumer, &'k Key),
    NotYetValid(&'k Consumer, &'k Key),
    Unknown,
}

/// Consumers, and whose a key is. Looking one up tells nothing by its time: what is compared are digests, and whoever
/// could choose these could choose the key.
#[derive(Default)]
pub(super) struct Keyring {
    consumers: Box<[Consumer]>,
    holdings: Box<[Holding]>,
    table: Table,
    has_windows: bool,
}

/// A key, and the position of who holds it.
struct Holding {
    digest: Digest,
    key: Key,
    consumer: u32,
}

/// Positions in a list by the digests that lie there: open addressing, at most seven eighths full. A digest's first
/// bytes are as good a hash as any: nobody can choose them for a key that the policy holds.
#[derive(Default)]
struct Table(Box<[u32]>);

impl Keyring {
    pub(super) fn len(&self) -> usize {
        self.holdings.len()
    }

    /// Whether a key's validity depends on the time.
    pub(super) fn has_windows(&self) -> bool {
        self.has_windows
    }

    pub(super) fn find(&self, digest: &Digest, now: i64) -> Result<(&Consumer, &Key), Absent<'_>> {
        let holding = self.table.find(digest, &self.holdings).ok_or(Absent::Unknown)?;
        let (consumer, key) = (&self.consumers[holding.consumer as usize], &holding.key);
        match &key.validity {
            Some(validity) if now < validity.not_before => Err(Absent::NotYetValid(consumer, key)),
            Some(validity) if now > validity.not_after => Err(Absent::Expired(consumer, key)),
            _ => Ok((consumer, key)),
        }
    }

    pub(super) fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }
}

/// A keyring as it grows.
pub(super) struct Growing {
    consumers: Vec<Consumer>,
    holdings: Vec<Holding>,
    table: Table,
}

impl Growing {
    /// Room for so many consumers with a key each, so that hardly anything is moved while it grows.
    pub(super) fn with_capacity(consumers: usize) -> Self {
        Self {
            consumers: Vec::with_capacity(consumers),
            holdings: Vec::with_capacity(consumers),
            table: Table::for_so_many(consumers),
        }
    }

    /// Adds a consumer, whom the keys to come belong to.
    pub(super) fn consumer(&mut self, consumer: Consumer) {
        self.consumers.push(consumer);
    }

    /// The consumers so far, in the order in which they were added.
    pub(super) fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }

    /// Adds a key of the last consumer, unless its digest is there already: then the consumer who has it.
    pub(super) fn key(&mut self, digest: Digest, key: Key) -> Result<(), &Consumer> {
        if let Some(holding) = self.table.find(&digest, &self.holdings) {
            return Err(&self.consumers[holding.consumer as usize]);
        }
        let consumer = u32::try_from(self.consumers.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.holdings.push(Holding { digest, key, consumer });
        if self.holdings.len() * 8 > self.table.0.len() * 7 {
            self.table = Table::for_so_many(self.holdings.len() * 2);
            (0..self.holdings.len()).for_each(|position| self.table.insert(position, &self.holdings));
        } else {
            self.table.insert(self.holdings.len() - 1, &self.holdings);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Keyring {
        let has_windows = self.holdings.iter().any(|holding| holding.key.validity.is_some());
        Keyring {
            has_windows,
            consumers: self.consumers.into(),
            holdings: self.holdings.into(),
            table: self.table,
        }
    }
}

impl Table {
    fn for_so_many(entries: usize) -> Self {
        Self(vec![FREE; (entries * 8 / 7 + 1).next_power_of_two()].into())
    }

    fn find<'h>(&self, digest: &Digest, holdings: &'h [Holding]) -> Option<&'h Holding> {
        let taken = self.places(digest).map(|place| self.0[place]).take_while(|position| *position != FREE);
        taken.map(|position| &holdings[position as usize]).find(|holding| holding.digest == *digest)
    }

    /// Has to have a place left.
    fn insert(&mut self, position: usize, holdings: &[Holding]) {
        let free = self.places(&holdings[position].digest).find(|place| self.0[*place] == FREE);
        if let (Some(free), Ok(position)) = (free, u32::try_from(position)) {
            self.0[free] = position;
        }
    }

    /// Where a digest may lie, the likeliest first.
    fn places(&self, digest: &Digest) -> impl Iterator<Item = usize> + use<> {
        let size = self.0.len();
        let mut first = [0; 8];
        first.copy_from_slice(&digest.0[..8]);
        // A remainder modulo a power of two; of no size there are no places.
        let start = u64::from_le_bytes(first) as usize;
        (0..size).map(move |step| start.wrapping_add(step) & (size - 1))
    }
}

const FREE: u32 = u32::MAX;

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
        let mut keyring = Growing::with_capacity(0);
        let validity = Validity { not_before: 10, not_after: 20 };
        keyring.consumer(Consumer::new("ann".into(), None, None, [].into()));
        let key = Key { id: "1".into(), validity: Some(Box::new(validity)) };
        assert!(keyring.key(Digest::of(b"k"), key).is_ok());
        let keyring = keyring.finish();
        for (now, found) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(keyring.find(&Digest::of(b"k"), now).is_ok(), found, "{now}");
        }
        assert!(keyring.find(&Digest::of(b"another"), 15).is_err());
    }

    #[test]
    fn a_consumer_has_just_the_ids_that_were_written() {
        for (id, custom_id) in [(None, None), (Some("7"), None), (None, Some("x")), (Some("7"), Some("x"))] {
            let consumer =
                Consumer::new("ann".into(), id.map(Into::into), custom_id.map(Into::into), [].into());
            assert_eq!((consumer.id(), consumer.custom_id()), (id, custom_id));
        }
    }

    #[test]
    fn a_table_is_as_large_as_it_has_to_be_and_at_most_seven_eighths_full() {
        for (entries, places) in [(0, 1), (6, 8), (7, 16), (14, 32), (1_000, 2_048)] {
            assert_eq!(Table::for_so_many(entries).0.len(), places, "{entries}");
        }
        let mut keyring = Growing::with_capacity(6);
        keyring.consumer(Consumer::new("ann".into(), None, None, [].into()));
        let mut places = Vec::new();
        for number in 0..8_u8 {
            let key = Key { id: number.to_string().into(), validity: None };
            assert!(keyring.key(Digest::of(&[number]), key).is_ok());
            places.push(keyring.table.0.len());
        }
        assert_eq!(places, [8, 8, 8, 8, 8, 8, 8, 32]);
    }

    #[test]
    fn of_many_keys_each_is_found_and_no_other() {
        for expected in [0, 1, 1_000] {
            let mut keyring = Growing::with_capacity(expected);
            for number in 0..1_000_u32 {
                let key = || Key { id: number.to_string().into(), validity: None };
                keyring.consumer(Consumer::new(format!("c{number}").into(), None, None, [].into()));
                assert!(keyring.key(Digest::of(&number.to_le_bytes()), key()).is_ok());
                let taken = keyring.key(Digest::of(&(number / 2).to_le_bytes()), key());
                assert_eq!(&*taken.expect_err("taken").username, format!("c{}", number / 2));
            }
            let keyring = keyring.finish();
            for number in 0..2_000_u32 {
                let found = keyring.find(&Digest::of(&number.to_le_bytes()), 0).ok();
                let found = found.map(|(consumer, key)| (&*consumer.username, &*key.id));
                let (username, id) = (format!("c{number}"), number.to_string());
                assert_eq!(found, (number < 1_000).then_some((&*username, &*id)));
            }
        }
    }
}
