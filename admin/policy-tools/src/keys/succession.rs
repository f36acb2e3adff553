//! A key's successor: both are valid for a time, so that nobody is locked out while the new one is handed over.

use anyhow::{bail, ensure};
use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::list::{Held, list};
use super::{ApiKey, Entry, State, time};
use crate::policy::{Document, Edits, Setup, root_of};
use kong_config::document::{Node, Report, nearest};

/// What is to be done.
pub struct Plan<'p> {
    pub consumer: &'p str,
    /// The key to be succeeded; `None`: the one that is in force.
    pub key: Option<&'p str>,
    /// What the successor is called.
    pub id: Option<String>,
    pub now: OffsetDateTime,
    /// How long the old key stays valid.
    pub overlap: Duration,
    /// The successor's end; `None`: it lives as long as the old key did.
    pub not_after: Option<OffsetDateTime>,
}

/// What was done, but for the key.
#[derive(Debug, Serialize)]
pub struct Succession {
    pub consumer: String,
    pub entry: Entry,
    /// The key that is succeeded.
    pub old: String,
    /// Its last moment.
    pub old_not_after: String,
    /// In how many places of the file they stand.
    pub places: usize,
}

/// The text of a document in which a key has a successor; all else in it stays as it is written.
///
/// # Errors
/// There is no such consumer or key, it cannot be told which one is meant, or the text is written in a way that this
/// cannot change.
pub fn succeed(
    document: &Document,
    setup: &Setup<'_>,
    plan: Plan<'_>,
) -> anyhow::Result<(ApiKey, Succession, String)> {
    let old = old_key(setup, &plan)?;
    let key = ApiKey::new()?;
    let not_after = plan.not_after.or(as_long(&old, &plan)?);
    let entry = Entry::of(&key, plan.id.clone(), plan.now, not_after)?;
    let end = plan.now + plan.overlap;
    let ends_before = |text: &str| OffsetDateTime::parse(text, &Rfc3339).is_ok_and(|own| own <= end);
    let own_end = old.not_after.clone().filter(|own| ends_before(own));
    let old_not_after = own_end.map_or_else(|| time(end), Ok)?;

    let places = places(setup, plan.consumer, &old.id);
    let mut edits = Edits::of(&document.text);
    for (keys, node) in &places {
        let ids = keys.items().iter().filter_map(|key| key.get("id")?.as_str());
        ensure!(
            ids.into_iter().all(|id| id != entry.id),
            "{:?} has a key {:?} already: give another --id",
            plan.consumer,
            entry.id
        );
        if old.not_after.as_ref() != Some(&old_not_after) {
            edits.set(node, "not_after", &old_not_after);
        }
        edits.insert_after(node, &fields(&entry));
    }
    let text = edits.apply();
    let spans: Vec<_> = places.iter().map(|(keys, _)| keys.span.clone()).collect();
    let owed = succeeded(&document.root, &spans, &old, &old_not_after, &entry);
    let read = root_of(&text, &Report::new(None)).map(|(root, _)| root.to_json());
    ensure!(
        read.as_ref() == Some(&owed),
        "{} is written in a way that cannot be changed without the rest of it: put this under the consumer's keys by hand, \
         after `harness keys new`, and give the old one an end",
        document.name
    );
    let succession = Succession {
        consumer: plan.consumer.to_owned(),
        entry,
        old: old.id,
        old_not_after,
        places: places.len(),
    };
    Ok((key, succession, text))
}

/// The key that is meant.
fn old_key(setup: &Setup<'_>, plan: &Plan<'_>) -> anyhow::Result<Held> {
    let all = list(setup, plan.now);
    let own: Vec<_> = all.iter().filter(|held| held.consumer == plan.consumer).collect();
    if own.is_empty() {
        let near = nearest(plan.consumer, all.iter().map(|held| held.consumer.as_str()));
        let near = near.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
        bail!("no consumer {:?} with a key is in there{near}", plan.consumer);
    }
    let ids = |held: &[&Held]| {
        let mut ids: Vec<_> = held.iter().map(|held| format!("{:?}", held.id)).collect();
        ids.dedup();
        ids.join(", ")
    };
    if let Some(id) = plan.key {
        let named = own.iter().find(|held| held.id == id);
        return match named {
            Some(held) => Ok((*held).clone()),
            None => bail!("{:?} has no key {id:?}; there are: {}", plan.consumer, ids(&own)),
        };
    }
    let in_force: Vec<_> = own.iter().copied().filter(|held| held.state == State::InForce).collect();
    match in_force.as_slice() {
        [] => bail!("no key of {:?} is in force: `harness keys new` makes one", plan.consumer),
        [first, others @ ..] if others.iter().all(|other| other.id == first.id) => Ok((*first).clone()),
        several => {
            bail!("{:?} has several keys in force: say which by --key: {}", plan.consumer, ids(several))
        }
    }
}

/// The successor's end, by the time that the old key was given.
fn as_long(old: &Held, plan: &Plan<'_>) -> anyhow::Result<Option<OffsetDateTime>> {
    let moment = |text: &Option<String>| OffsetDateTime::parse(text.as_deref()?, &Rfc3339).ok();
    match (moment(&old.not_before), moment(&old.not_after)) {
        (_, None) => Ok(None),
        (Some(start), Some(end)) => Ok(Some(plan.now + (end - start))),
        (None, Some(_)) if plan.not_after.is_some() => Ok(None),
        (None, Some(_)) => bail!(
            "key {:?} has an end, but no not_before to tell how long its successor is to live: say so by --days or --not-after",
            old.id
        ),
    }
}

/// Every place where the consumer's key stands: the list, and the key in it.
fn places<'d>(setup: &Setup<'d>, consumer: &str, id: &str) -> Vec<(&'d Node, &'d Node)> {
    let mut places: Vec<(&Node, &Node)> = Vec::new();
    for policy in &setup.policies {
        for one in policy.config.get("consumers").map(Node::items).unwrap_or_default() {
            let Some(keys) = one.get("keys") else { continue };
            let own = one.get("username").and_then(Node::as_str) == Some(consumer);
            let found = keys.items().iter().find(|key| key.get("id").and_then(Node::as_str) == Some(id));
            // By an alias the same text is met again.
            if let Some(key) = found.filter(|_| own)
                && places.iter().all(|(_, other)| other.span != key.span)
            {
                places.push((keys, key));
            }
        }
    }
    places
}

fn fields(entry: &Entry) -> Vec<(&str, &str)> {
    let Entry { id, sha256, not_before, not_after } = entry;
    let fields = [("id", id), ("sha256", sha256), ("not_before", not_before)];
    let fields = fields.into_iter().chain(not_after.as_ref().map(|end| ("not_after", end)));
    fields.map(|(name, value)| (name, value.as_str())).collect()
}

/// The whole document, as it has to read afterwards.
fn succeeded(
    node: &Node,
    lists: &[std::ops::Range<usize>],
    old: &Held,
    old_not_after: &str,
    entry: &Entry,
) -> Value {
    let below = |node: &Node| succeeded(node, lists, old, old_not_after, entry);
    match &node.value {
        kong_config::document::Value::List(items) => {
            let mut items: Vec<_> = items.iter().map(below).collect();
            if lists.contains(&node.span) {
                let at = items.iter().position(|key| key["id"] == *old.id).unwrap_or_default();
                items[at]["not_after"] = old_not_after.into();
                items.insert(at + 1, serde_json::to_value(entry).unwrap_or_default());
            }
            items.into()
        }
        kong_config::document::Value::Map(entries) => {
            Value::Object(entries.iter().map(|(key, node)| (key.name.clone(), below(node))).collect())
        }
        _ => node.to_json(),
    }
}
