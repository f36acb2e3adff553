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
pub struct Consumers(Arc<Keyring>);

impl Consumers {
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
        self.0.len()
    }

    pub(super) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.0)
    }

    pub(super) fn all(&self) -> &[Consumer] {
        self.0.consumers()
    }
}

impl Compiler<'_> {
    /// Consumers and their keys; the same as others where they are written the same.
    pub(super) fn consumers(&mut self, written: &[&RawValue]) -> Consumers {
        let section = shared::Section::of(written);
        if let Some(known) = section.known() {
            return Consumers(known);
        }
        let before = self.problems.len();
        let keyring = Arc::new(self.keyring(written));
        if self.problems.len() == before {
            section.keep(&keyring);
        }
        Consumers(keyring)
    }

    fn keyring(&mut self, written: &[&RawValue]) -> Keyring {
        let mut keyring = Growing::with_capacity(written.len());
        let mut by_name = HashMap::with_capacity(written.len());
        let mut names_by_id = HashMap::new();
        for (number, written) in written.iter().enumerate() {
            let config::Consumer { username, id, custom_id, groups, keys } =
                read::consumer(written, number, self.problems);
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
                self.consumer_id(&format!("{at}.id"), id, &username, &mut names_by_id);
            }
            self.groups(&at, &groups);
            let consumer = Consumer::new(
                username.clone().into(),
                id.map(Into::into),
                custom_id.map(Into::into),
                boxed(groups),
            );
            keyring.consumer(consumer);
            self.keys(&at, keys, &username, &mut keyring);
        }
        keyring.finish()
    }

    /// Checks a consumer's id as Kong does. Kong's plugins count, limit and cache by it, so no two consumers have one.
    fn consumer_id(&mut self, at: &str, id: &str, username: &str, names: &mut HashMap<String, String>) {
        if !is_uuid(id) {
            self.refuse(
                at,
                format!("expected a UUID such as 7c1e0000-0000-4000-8000-000000000001, got {id:?}"),
            );
        } else if let Some(other) = names.insert(id.to_ascii_lowercase(), username.to_owned()) {
            self.refuse(
                at,
                format!("{username:?} and {other:?} have the same id; each needs one of its own"),
            );
        }
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
        let one = consumers.all().iter().find(|consumer| *consumer.username == *name);
        one.cloned().unwrap_or_else(|| Consumer::new(name.into(), None, None, [].into()))
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
