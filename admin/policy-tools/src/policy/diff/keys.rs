//! Keys that come, go, change their windows or their owners.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::policy::{Setup, check};

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum KeyChange {
    Added {
        consumer: String,
        id: String,
        window: String,
    },
    Dropped {
        consumer: String,
        id: String,
    },
    /// Whoever has it is somebody else from now on.
    Owner {
        was: String,
        is: String,
        id: String,
    },
    /// The name is the same, the key is not.
    Replaced {
        consumer: String,
        id: String,
    },
    Window {
        consumer: String,
        id: String,
        was: String,
        is: String,
    },
}

/// A key by its digest, and what is said of it.
type Keys = BTreeMap<String, BTreeSet<Said>>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    consumer: String,
    id: String,
    window: String,
}

/// By digests, which are never told.
///
/// # Errors
/// A consumers file is here and cannot be used.
pub(super) fn changes(old: &Setup<'_>, new: &Setup<'_>) -> anyhow::Result<Vec<KeyChange>> {
    let (was, is) = (keys(old)?, keys(new)?);
    let mut changes = BTreeSet::new();
    let digests: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let (mut gone, mut come) = (BTreeSet::new(), BTreeSet::new());
    for digest in digests {
        let said = |keys: &Keys| keys.get(digest).cloned().unwrap_or_default();
        let (before, after) = (said(&was), said(&is));
        let mut lost: Vec<_> = before.difference(&after).cloned().collect();
        for one in after.difference(&before) {
            let same = |other: &Said| other.consumer == one.consumer;
            let Said { consumer, id, window } = one.clone();
            match lost.iter().position(same).map(|at| lost.remove(at)) {
                Some(other) if other.window != window => {
                    changes.insert(KeyChange::Window { consumer, id, was: other.window, is: window });
                }
                // A key that is called something else is the same key.
                Some(_) => {}
                None => match lost.pop() {
                    Some(other) => {
                        changes.insert(KeyChange::Owner { was: other.consumer, is: consumer, id });
                    }
                    None => drop(come.insert(one.clone())),
                },
            }
        }
        gone.extend(lost);
    }
    for one in come {
        let before =
            gone.iter().find(|other| (&other.consumer, &other.id) == (&one.consumer, &one.id)).cloned();
        let Said { consumer, id, window } = one;
        changes.insert(match before {
            Some(before) => {
                gone.remove(&before);
                KeyChange::Replaced { consumer, id }
            }
            None => KeyChange::Added { consumer, id, window },
        });
    }
    changes.extend(gone.into_iter().map(|Said { consumer, id, .. }| KeyChange::Dropped { consumer, id }));
    Ok(changes.into_iter().collect())
}

/// The same key on several routes is one, unless something else is said of it.
fn keys(setup: &Setup<'_>) -> anyhow::Result<Keys> {
    let mut keys = Keys::new();
    for policy in &setup.policies {
        let policy: Value = serde_json::from_slice(&check::whole(policy)?)?;
        for consumer in policy["consumers"].as_array().into_iter().flatten() {
            for key in consumer["keys"].as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let said = Said {
                    consumer: text(&consumer["username"]),
                    id: text(&key["id"]),
                    window: window(&key["not_before"], &key["not_after"]),
                };
                keys.entry(text(&key["sha256"]).to_ascii_lowercase()).or_default().insert(said);
            }
        }
    }
    Ok(keys)
}

fn window(start: &Value, end: &Value) -> String {
    match (start.as_str(), end.as_str()) {
        (None, None) => "always".to_owned(),
        (Some(start), None) => format!("from {start} on"),
        (None, Some(end)) => format!("until {end}"),
        (Some(start), Some(end)) => format!("from {start} until {end}"),
    }
}
