//! What a route's plugins come to: who may use it.

use super::{fields, list};
use crate::migrate::declarative::Access;
use crate::migrate::policy::{Consumer, Policy};
use crate::migrate::report::{Notes, Outcome};
use kong_config::document::{Node, Value};

/// By the plugins of a route, the nearest of each name.
pub(super) fn access(plugins: &[(&str, &Node)], people: &[Consumer], notes: &mut Notes<'_>) -> Access {
    let mut closed = false;
    let mut close = |at: &Node, message: String, notes: &mut Notes<'_>| {
        closed = true;
        notes.cure(Outcome::Unmapped, at, message, "map it by hand");
    };
    let (mut policy, mut restriction) = (None, None);
    for (name, node) in plugins {
        let off = node.get("_meta").and_then(|meta| meta.get("disable"));
        if off.is_some_and(|off| matches!(off.value, Value::Boolean(true))) {
            continue;
        }
        match *name {
            "key-auth" => policy = Some(key_auth(node, people, &mut close, notes)),
            "consumer-restriction" => restriction = Some(*node),
            harmless if is_harmless(harmless) => {
                let message = format!("{harmless} is missing from the new config");
                notes.cure(Outcome::Unmapped, node, message, "set up Kong's own by hand");
            }
            other => close(node, format!("{other} has no counterpart"), notes),
        }
    }
    if let Some(node) = restriction {
        match &mut policy {
            Some(policy) => restrict(policy, node, people, &mut close, notes),
            None => close(node, "consumer-restriction where nobody is asked for a key".to_owned(), notes),
        }
    }
    match policy {
        _ if closed => Access::Closed,
        Some(policy) => Access::Policy(Box::new(policy), people.to_vec()),
        None => Access::Open,
    }
}

/// Logs and metrics: without them everybody gets the same.
pub(super) fn is_harmless(name: &str) -> bool {
    name.ends_with("-logger")
        || ["datadog", "opentelemetry", "prometheus", "request-id", "skywalking", "syslog", "zipkin"]
            .contains(&name)
}

type Close<'c, 'n> = dyn FnMut(&Node, String, &mut Notes<'n>) + 'c;

fn key_auth<'n>(
    node: &Node,
    people: &[Consumer],
    close: &mut Close<'_, 'n>,
    notes: &mut Notes<'n>,
) -> Policy {
    let mut policy = Policy::default();
    let (mut header, mut query) = ("apikey", "apikey");
    for (field, value) in fields(Some(node)) {
        match (field, &value.value) {
            ("header", Value::String(name)) => header = name,
            ("query", Value::String(name)) => query = name,
            ("hide_credentials", Value::Boolean(hides)) => policy.hide_credentials = hides.then_some(true),
            ("realm", Value::String(realm)) => policy.realm = Some(realm.clone()),
            ("anonymous_consumer", Value::String(name)) => {
                if people.iter().any(|one| one.username == *name) {
                    policy.anonymous = Some(name.clone());
                } else {
                    close(
                        value,
                        format!("the anonymous consumer {name:?} is not among those with a key"),
                        notes,
                    );
                }
            }
            ("_meta", _) => {}
            (other, _) => close(value, format!("key-auth's `{other}` has no counterpart"), notes),
        }
    }
    let mut names = vec![header.to_owned()];
    if !header.eq_ignore_ascii_case(query) {
        names.push(query.to_owned());
        let message = "each name is looked for in headers and in the query";
        notes.add(Outcome::Differs, node, message);
    } else if header != query {
        close(node, "header and query of one name in two spellings".to_owned(), notes);
    }
    policy.key_names = (names != ["apikey"]).then_some(names);
    policy
}

fn restrict<'n>(
    policy: &mut Policy,
    node: &Node,
    people: &[Consumer],
    close: &mut Close<'_, 'n>,
    notes: &mut Notes<'n>,
) {
    let mut status = 403;
    for (field, value) in fields(Some(node)) {
        match (field, &value.value) {
            ("_meta" | "blacklist" | "whitelist", _) => {}
            ("type", Value::String(kind)) if kind == "consumer_name" => {}
            ("rejected_code", Value::Integer(code)) if (400..600).contains(code) => status = *code,
            (other, _) => close(
                value,
                format!("consumer-restriction's `{other}` has no counterpart, or not this one"),
                notes,
            ),
        }
    }
    let names = |field: &str| -> Vec<&str> { list(node, field).iter().filter_map(Node::as_str).collect() };
    let (white, black) = (names("whitelist"), names("blacklist"));
    let refused = people
        .iter()
        .map(|one| one.username.as_str())
        .filter(|one| black.contains(one) || node.get("whitelist").is_some() && !white.contains(one));
    policy.refuse(refused.map(str::to_owned).collect(), status, "The consumer_name is forbidden.");
    notes.add(
        Outcome::Mapped,
        node,
        "consumer-restriction: rules, by name: a consumer to come is let in unless one says no",
    );
}
