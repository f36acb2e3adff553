//! The keys that policies hold.

use std::collections::HashSet;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::policy::Setup;
use kong_config::document::Node;

/// A key, as a policy has it.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Where it stands: `kong.yml:20`.
    pub place: String,
    pub consumer: String,
    pub id: String,
    pub not_before: Option<String>,
    pub not_after: Option<String>,
    pub state: State,
    /// Until its end, rounded down; negative after it; `None`: it has none.
    pub days_left: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Expired,
    InForce,
    NotYetValid,
}

/// Each key once, in the order of the documents, though a policy may stand in several places by an alias.
pub fn list(setup: &Setup<'_>, now: OffsetDateTime) -> Vec<Held> {
    let mut seen = HashSet::new();
    let mut held = Vec::new();
    for policy in &setup.policies {
        for consumer in policy.config.get("consumers").map(Node::items).unwrap_or_default() {
            for key in consumer.get("keys").map(Node::items).unwrap_or_default() {
                if seen.insert((&policy.document.name, key.span.clone())) {
                    let place = format!("{}:{}", policy.document.name, key.line);
                    held.push(Held::of(consumer, key, place, now));
                }
            }
        }
    }
    held
}

impl Held {
    fn of(consumer: &Node, key: &Node, place: String, now: OffsetDateTime) -> Self {
        let text = |node: &Node, field: &str| node.get(field).and_then(Node::as_str).map(str::to_owned);
        let (not_before, not_after) = (text(key, "not_before"), text(key, "not_after"));
        let moment = |text: &Option<String>| OffsetDateTime::parse(text.as_deref()?, &Rfc3339).ok();
        let (start, end) = (moment(&not_before), moment(&not_after));
        // To the second, both ends included, as the filter has it.
        let state = match (start, end) {
            (Some(start), _) if now.unix_timestamp() < start.unix_timestamp() => State::NotYetValid,
            (_, Some(end)) if now.unix_timestamp() > end.unix_timestamp() => State::Expired,
            _ => State::InForce,
        };
        Self {
            place,
            consumer: text(consumer, "username").unwrap_or_default(),
            id: text(key, "id").unwrap_or_default(),
            not_before,
            not_after,
            state,
            days_left: end.map(|end| (end - now).whole_seconds().div_euclid(86_400)),
        }
    }
}
