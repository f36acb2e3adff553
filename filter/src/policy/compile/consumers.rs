//! Who may ask, and with which keys.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Compiler, boxed, shared};
use crate::policy::keyring::{Consumer, Digest, Growing, Key, Keyring, Validity};
use crate::policy::problem::Problems;
use crate::policy::{config, read};

/// Who may ask, apart from any policy: several may share them.
#[derive(Clone)]
pub struct Consumers {
    keyring: Arc<Keyring>,
    /// Absent for consumers of one policy, which are looked through instead.
    names: Option<Arc<Names>>,
}

/// The names of many consumers, so that compiling a policy takes the same time however many there are.
struct Names {
    /// Positions of the consumers, sorted by username.
    by_username: Box<[u32]>,
    groups: BTreeSet<Box<str>>,
}

impl Consumers {
    /// Compiles consumers that were read from somewhere else than a JSON document. Their paths are `consumers[0]`,
    /// `consumers[1]`, …. Compiling stops at the first consumer after [`MOST_PROBLEMS`] problems.
    ///
    /// # Errors
    /// All that is wrong with them, each with its path.
    pub fn from_configs(consumers: impl IntoIterator<Item = config::Consumer>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let consumers = consumers.into_iter();
        let expected = consumers.size_hint().1.unwrap_or_default();
        let mut keyring = Growing::with_capacity(expected);
        let mut by_name = HashMap::with_capacity(expected);
        let mut by_id = HashMap::new();
        let mut compiler = Compiler { problems: &mut problems };
        for (number, consumer) in consumers.enumerate() {
            compiler.consumer(number, consumer, &mut by_name, &mut by_id, &mut keyring);
            if compiler.problems.len() >= MOST_PROBLEMS {
                break;
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let keyring = keyring.finish();
        let names = Some(Arc::new(Names::of(keyring.consumers())));
        Ok(Self { keyring: Arc::new(keyring), names })
    }

    /// Compiles what a consumers file holds: a JSON object with `consumers`, written as in a policy.
    ///
    /// # Errors
    /// All that is wrong with it, each with its path.
    pub fn compile(document: &[u8]) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let written = read::consumers(document, &mut problems);
        let consumers = Compiler { problems: &mut problems }.consumers(&written);
        if problems.is_empty() { Ok(consumers) } else { Err(Problems(problems)) }
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.keyring.len()
    }

    /// Returns whether no policy and no clone refers to these consumers: dropping them frees their memory.
    pub fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.keyring) == 1
    }

    pub(super) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    pub(super) fn all(&self) -> &[Consumer] {
        self.keyring.consumers()
    }

    /// Returns the consumer of this name.
    pub(super) fn by_username(&self, username: &str) -> Option<&Consumer> {
        let all = self.all();
        let Some(names) = &self.names else { return all.iter().find(|one| *one.username == *username) };
        let username_at = |at: &u32| &*all[*at as usize].username;
        let found = names.by_username.binary_search_by(|at| username_at(at).cmp(username)).ok()?;
        Some(&all[names.by_username[found] as usize])
    }

    /// The groups that any consumer is in, where they are known without looking at each consumer.
    pub(super) fn groups(&self) -> Option<&BTreeSet<Box<str>>> {
        self.names.as_ref().map(|names| &names.groups)
    }

    fn of_policy(keyring: Arc<Keyring>) -> Self {
        Self { keyring, names: None }
    }
}

impl Names {
    fn of(consumers: &[Consumer]) -> Self {
        let positions = 0..u32::try_from(consumers.len()).unwrap_or(u32::MAX);
        let mut by_username: Box<[u32]> = positions.collect();
        by_username.sort_unstable_by_key(|at| &consumers[*at as usize].username);
        let mut groups = BTreeSet::new();
        for group in consumers.iter().flat_map(|consumer| &consumer.groups) {
            if !groups.contains(group) {
                groups.insert(group.clone());
            }
        }
        Self { by_username, groups }
    }
}

/// How many problems with consumers from elsewhere are collected: a large file may have one in every line.
pub const MOST_PROBLEMS: usize = 1000;

impl Compiler<'_> {
    /// Consumers and their keys; the same as others where they are written the same.
    pub(super) fn consumers(&mut self, written: &[&RawValue]) -> Consumers {
        let section = shared::Section::of(written);
        if let Some(known) = section.known() {
            return Consumers::of_policy(known);
        }
        let before = self.problems.len();
        let keyring = Arc::new(self.keyring(written));
        if self.problems.len() == before {
            section.keep(&keyring);
        }
        Consumers::of_policy(keyring)
    }

    fn keyring(&mut self, written: &[&RawValue]) -> Keyring {
        let mut keyring = Growing::with_capacity(written.len());
        let mut by_name = HashMap::with_capacity(written.len());
        let mut by_id = HashMap::new();
        for (number, written) in written.iter().enumerate() {
            let consumer = read::consumer(written, number, self.problems);
            self.consumer(number, consumer, &mut by_name, &mut by_id, &mut keyring);
        }
        keyring.finish()
    }

    fn consumer(
        &mut self,
        number: usize,
        consumer: config::Consumer,
        by_name: &mut HashMap<String, usize>,
        by_id: &mut HashMap<String, usize>,
        keyring: &mut Growing,
    ) {
        let config::Consumer { username, id, custom_id, groups, keys } = consumer;
        let at = format!("consumers[{number}]");
        // A missing one has been missed already.
        let first = by_name.insert(username.clone(), number).filter(|_| !username.is_empty());
        if let Some(first) = first {
            self.refuse(&format!("{at}.username"), format!("{username:?} is consumers[{first}] already"));
        }
        for (field, text) in [("username", Some(&username)), ("custom_id", custom_id.as_ref())] {
            text.into_iter().for_each(|text| self.header_text(&format!("{at}.{field}"), text));
        }
        if let Some(id) = &id {
            let at = format!("{at}.id");
            let other = self.consumer_id(&at, id, number, by_id);
            if let Some(other) = other.and_then(|other| keyring.consumers().get(other)) {
                let other = &other.username;
                let message =
                    format!("{username:?} and {other:?} have the same id; each needs one of its own");
                self.refuse(&at, message);
            }
        }
        self.groups(&at, &groups);
        let consumer = Consumer::new(
            username.clone().into(),
            id.map(Into::into),
            custom_id.map(Into::into),
            boxed(groups),
        );
        keyring.consumer(consumer);
        self.keys(&at, keys, &username, keyring);
    }

    /// Checks a consumer's id as Kong does, and returns the number of another consumer that has it. Kong's plugins
    /// count, limit and cache by it.
    fn consumer_id(
        &mut self,
        at: &str,
        id: &str,
        number: usize,
        by_id: &mut HashMap<String, usize>,
    ) -> Option<usize> {
        if is_uuid(id) {
            return by_id.insert(id.to_ascii_lowercase(), number);
        }
        self.refuse(at, format!("expected a UUID such as 7c1e0000-0000-4000-8000-000000000001, got {id:?}"));
        None
    }

    fn groups(&mut self, consumer: &str, groups: &[String]) {
        for (at, group) in groups.iter().enumerate() {
            let path = format!("{consumer}.groups[{at}]");
            // A host hands over the groups of an established consumer one a line.
            if group.is_empty() || group.contains(char::is_control) {
                self.refuse(&path, "is empty or holds control characters");
            } else if groups[..at].contains(group) {
                self.refuse(&path, format!("{group:?} is there twice"));
            }
        }
    }

    fn keys(&mut self, at: &str, written: Vec<config::Key>, one: &str, keyring: &mut Growing) {
        let mut ids = BTreeSet::new();
        for (number, key) in written.into_iter().enumerate() {
            let config::Key { id, sha256, not_before, not_after } = key;
            let path = format!("{at}.keys[{number}]");
            self.header_text(&format!("{path}.id"), &id);
            if !id.is_empty() && !ids.insert(id.clone()) {
                self.refuse(&format!("{path}.id"), format!("{id:?} is there twice"));
            }
            let limited = not_before.is_some() || not_after.is_some();
            let not_before = self.time(&format!("{path}.not_before"), not_before, i64::MIN);
            let not_after = self.time(&format!("{path}.not_after"), not_after, i64::MAX);
            if not_before > not_after {
                self.refuse(&format!("{path}.not_after"), "is before not_before");
            }
            let Some(digest) = Digest::parse(&sha256) else {
                // Not what it is: somebody may have written the key itself.
                if !sha256.is_empty() {
                    let message = "has to be the key's SHA-256 as 64 hexadecimal digits";
                    self.refuse(&format!("{path}.sha256"), message);
                }
                continue;
            };
            let validity = limited.then(|| Box::new(Validity { not_before, not_after }));
            if let Err(other) = keyring.key(digest, Key { id: id.into(), validity }) {
                let other = &other.username;
                let message = format!("{one:?} and {other:?} have the same key; each needs one of its own");
                self.refuse(&format!("{path}.sha256"), message);
            }
        }
    }

    fn time(&mut self, path: &str, written: Option<String>, absent: i64) -> i64 {
        let Some(written) = written else { return absent };
        match OffsetDateTime::parse(&written, &Rfc3339) {
            Ok(time) => time.unix_timestamp(),
            Err(_) => {
                self.refuse(path, format!("{written:?} is no RFC 3339 time, such as 2027-01-15T00:00:00Z"));
                absent
            }
        }
    }

    /// One of the consumers, or somebody who has nothing but a name.
    pub(super) fn anonymous(&mut self, name: String, consumers: &Consumers) -> Consumer {
        self.header_text("anonymous", &name);
        consumers
            .by_username(&name)
            .cloned()
            .unwrap_or_else(|| Consumer::new(name.into(), None, None, [].into()))
    }
}

/// Whether Kong would take a text for a UUID (kong/tools/uuid.lua, `is_valid_uuid`).
fn is_uuid(text: &str) -> bool {
    let is_valid = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_valid)
}

#[cfg(test)]
mod tests {
    use super::is_uuid;

    #[test]
    fn a_uuid_is_what_kong_takes_for_one() {
        let uuid = "7c1e0000-0000-4000-8000-00000000000f";
        assert!(is_uuid(uuid) && is_uuid(&uuid.to_uppercase()));
        // Kong looks at neither version nor variant.
        assert!(is_uuid("00000000-0000-0000-0000-000000000000"));
        let wrong = [
            "",
            "7",
            "c-1",
            &uuid[1..],
            &format!("{uuid}0"),
            &uuid.replace('-', ""),
            &uuid.replace('-', "0"),
            &uuid.replace('f', "g"),
            &format!("{{{}}}", &uuid[2..]),
            &uuid.replace("-0000", "0000-"),
            &format!(" {}", &uuid[1..]),
        ];
        for wrong in wrong {
            assert!(!is_uuid(wrong), "{wrong}");
        }
    }
}
