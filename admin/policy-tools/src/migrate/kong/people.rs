//! Kong's consumers with their groups, and their keys' digests.

use std::collections::HashMap;

use mtls_policy::policy::{Host, Policy as Compiled};
use time::OffsetDateTime;

use super::rewrite::is_listed;
use crate::keys::digest;
use crate::keys::time as rfc3339;
use crate::migrate::Source;
use crate::migrate::key::{Missing, written_key};
use crate::migrate::policy::{Consumer, Key, Policy};
use crate::migrate::report::{Notes, Outcome};
use crate::policy::{Entity, Kind, Setup};
use kong_config::declarative::derived_id;
use kong_config::document::{Node, Value};

/// All of Kong's consumers.
pub(super) struct People<'d> {
    all: Vec<Person<'d>>,
    by_reference: HashMap<String, usize>,
}

/// One of them.
pub(super) struct Person<'d> {
    node: &'d Node,
    pub(super) consumer: Consumer,
}

impl<'d> People<'d> {
    pub(super) fn read(setup: &Setup<'d>, source: Source, notes: &mut Notes<'d>) -> Self {
        let mut people = Self { all: Vec::new(), by_reference: HashMap::new() };
        let of_kind = |kind| setup.entities.iter().filter(move |entity| entity.kind == kind);
        for entity in of_kind(Kind::Consumer) {
            people.add(entity, source, notes);
        }
        for entity in of_kind(Kind::Acl) {
            let group = entity.node.get("group").and_then(Node::as_str);
            if let (Some(person), Some(group)) = (people.holder(entity), group) {
                let groups = &mut people.all[person].consumer.groups;
                if !groups.iter().any(|known| known == group) {
                    groups.push(group.to_owned());
                }
            }
        }
        for entity in of_kind(Kind::Credential) {
            people.key(entity, source, notes);
        }
        people.all.iter_mut().for_each(|person| person.conclude(notes));
        people
    }

    /// By username or id.
    pub(super) fn find(&self, reference: &str) -> Option<&Person<'d>> {
        self.by_reference.get(reference).map(|index| &self.all[*index])
    }

    /// Those of a policy: who has a key, and who stands for requests without one.
    pub(super) fn of_policy(&self, anonymous: Option<&str>) -> Vec<Consumer> {
        let asks = |person: &&Person<'_>| {
            !person.consumer.keys.is_empty() || anonymous == Some(person.consumer.username.as_str())
        };
        self.all.iter().filter(asks).map(|person| person.consumer.clone()).collect()
    }

    pub(super) fn has_group(&self, group: &str) -> bool {
        self.all.iter().any(|person| person.consumer.groups.iter().any(|each| each == group))
    }

    fn add(&mut self, entity: &Entity<'d>, source: Source, notes: &mut Notes<'d>) {
        let node = entity.node;
        let text = |field| node.get(field).and_then(Node::as_str).map(str::to_owned);
        let (username, custom_id) = (text("username"), text("custom_id"));
        let derived = || {
            // A database gives ids at random.
            let username = username.as_deref().filter(|_| source == Source::Kong)?;
            Some(derived_id("consumers", username))
        };
        let id = text("id").or_else(derived);
        let named = username.clone().or_else(|| custom_id.clone());
        let Some(named) = named.filter(|name| !self.by_reference.contains_key(name)) else {
            let message = "a consumer without a name, or with another one's: it is refused from now on";
            return notes.cure(Outcome::Unmapped, node, message, "give it a username of its own");
        };
        if username.is_none() {
            let message = format!(
                "has no username: the upstream hears X-Consumer-Username: {named} besides X-Consumer-Custom-ID"
            );
            notes.add(Outcome::Differs, node, message);
        }
        if id.is_none() {
            notes.add(Outcome::Differs, node, "has no id here: the upstream hears no X-Consumer-ID");
        }
        let references = [username, id.clone()].into_iter().flatten();
        self.by_reference.extend(references.map(|reference| (reference, self.all.len())));
        let consumer = Consumer { username: named, id, custom_id, ..Consumer::default() };
        self.all.push(Person { node, consumer });
    }

    /// Whose credential or group it is.
    fn holder(&self, entity: &Entity<'d>) -> Option<usize> {
        if let Some(around) = entity.around {
            return self.all.iter().position(|person| std::ptr::eq(person.node, around));
        }
        let consumer = entity.node.get("consumer")?;
        let named = ["id", "username", "name"].into_iter().find_map(|field| consumer.get(field));
        let reference = named.unwrap_or(consumer).as_str()?;
        self.by_reference.get(reference).copied()
    }

    fn key(&mut self, entity: &Entity<'d>, source: Source, notes: &mut Notes<'d>) {
        let node = entity.node;
        let refused = "its holder is refused from now on";
        let Some(holder) = self.holder(entity) else {
            let message = format!("a key of a consumer that is in none of the files: {refused}");
            return notes.cure(Outcome::Unmapped, node, message, "give the file that has it");
        };
        let person = &mut self.all[holder].consumer;
        let key = match written_key(node.get("key"), &person.username) {
            Ok(key) => key,
            Err(Missing { message, help }) => return notes.cure(Outcome::Unmapped, node, message, help),
        };
        let not_after = match end(node, source, is_listed(entity.document)) {
            End::Never => None,
            End::At(moment) => Some(moment),
            End::Past => {
                return notes.add(
                    Outcome::Mapped,
                    node,
                    format!("a key of {:?} that has ended: left out", person.username),
                );
            }
            End::Unknown(why) => {
                let message = format!("a key of {:?} {why}: {refused}", person.username);
                let help = "put what `harness keys hash` says of it into the policies, with a not_after";
                return notes.cure(Outcome::Unmapped, node, message, help);
            }
        };
        let id = node.get("id").and_then(Node::as_str).map(str::to_owned);
        if id.is_none() {
            let message = "has no id here: the upstream hears another X-Credential-Identifier than one that Kong makes up";
            notes.add(Outcome::Differs, node, message);
        }
        let id = id.unwrap_or_else(|| (person.keys.len() + 1).to_string());
        person.keys.push(Key { id, sha256: digest(key), not_after });
    }
}

impl Person<'_> {
    /// A consumer of whom a policy would be refused has no keys here.
    fn conclude(&mut self, notes: &mut Notes<'_>) {
        let consumers = std::slice::from_ref(&self.consumer);
        let document = Policy::default().config(consumers).to_json().to_string();
        if let Err(problems) = Compiled::compile_for(&Host::FILTER, document.as_bytes()) {
            for problem in problems.iter() {
                let message = format!("{}: refused from now on", problem.message);
                notes.cure(Outcome::Unmapped, self.node, message, "change it in the old config first");
            }
            self.consumer.keys.clear();
        }
        let Consumer { username, keys, groups, .. } = &self.consumer;
        let groups = match groups.is_empty() {
            true => String::new(),
            false => format!(", in {}", groups.join(", ")),
        };
        let message = match keys.len() {
            0 => {
                return notes.add(
                    Outcome::Stays,
                    self.node,
                    format!("consumer {username:?}, who has no key"),
                );
            }
            1 => format!("consumer {username:?} with a key, by its SHA-256{groups}"),
            several => format!("consumer {username:?} with {several} keys, by their SHA-256{groups}"),
        };
        notes.add(Outcome::Mapped, self.node, message);
    }
}

enum End {
    Never,
    At(String),
    Past,
    Unknown(&'static str),
}

/// A `ttl` in seconds counts from `created_at`; what an Admin API tells is the rest of it, so that the key ends rather too
/// early than too late. One that is beyond Kong's bound for seconds is the moment itself, which is the only way in which a
/// Kong without database reads it (kong/db/strategies/off/init.lua of 3.9.1).
fn end(credential: &Node, source: Source, is_listed: bool) -> End {
    let number = |field| match credential.get(field).map(|node| &node.value) {
        Some(Value::Integer(number)) => Some(*number),
        Some(Value::Float(number)) => Some(*number as i64),
        _ => None,
    };
    let Some(ttl) = number("ttl").filter(|ttl| *ttl != 0) else { return End::Never };
    let moment = match number("created_at") {
        _ if ttl > LONGEST_TTL => ttl,
        _ if source == Source::Kong && !is_listed => return End::Past,
        Some(created_at) => created_at.saturating_add(ttl),
        None => return End::Unknown("with a ttl and no created_at, so that its end is not known"),
    };
    let Ok(moment) = OffsetDateTime::from_unix_timestamp(moment) else {
        return End::Unknown("whose end is no time");
    };
    match rfc3339(moment) {
        Ok(_) if moment <= OffsetDateTime::now_utc() => End::Past,
        Ok(text) => End::At(text),
        Err(_) => End::Unknown("whose end is no time"),
    }
}

/// Seconds; kong/db/schema/init.lua of 3.9.1.
const LONGEST_TTL: i64 = 100_000_000;
