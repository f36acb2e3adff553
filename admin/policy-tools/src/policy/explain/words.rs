//! An explanation in words.

use std::fmt::Write;

use mtls_policy::policy::Caller;
use serde_json::Value;

use super::{Decided, Explanation, Outcome};
use crate::policy::{Condition, Request, Who};
use kong_config::document::visible;

/// A paragraph for each policy on the way.
pub fn text(explanation: &Explanation) -> String {
    let mut out = String::new();
    let _ = match &explanation.route {
        Some(route) => {
            writeln!(out, "route {route:?}; the upstream would receive {}", explanation.upstream_path)
        }
        None => writeln!(out, "the upstream would receive {}", explanation.upstream_path),
    };
    if explanation.policies.is_empty() {
        out += "no policy decides here: the request passes, whoever sends it\n";
    }
    explanation.policies.iter().for_each(|decided| self::decided(decided, &mut out));
    visible(&out)
}

fn decided(decided: &Decided, out: &mut String) {
    let _ = writeln!(out, "\npolicy at {}", decided.place);
    if let Some(caller) = &decided.caller {
        let _ = writeln!(out, "  asked by {caller}");
    }
    for rule in &decided.rules {
        let said = if rule.matches { "decides" } else { "does not match" };
        let _ = writeln!(out, "  rules[{}] at {} {said}", rule.rule, rule.place);
        for condition in &rule.conditions {
            let _ = writeln!(out, "    {} {}", if condition.holds { '✓' } else { '✗' }, condition.why);
        }
        if rule.conditions.is_empty() {
            out.push_str("    ✓ it has no conditions\n");
        }
    }
    let by = match decided.by.as_str() {
        "client_certificate" => "no rule matches",
        by => by,
    };
    let _ = match &decided.outcome {
        Outcome::Present(name) => writeln!(out, "  allowed as {name:?}, by {}", told(by)),
        Outcome::Unchanged => writeln!(out, "  allowed under the upstream's own setting: {by}"),
        Outcome::Refused { status, message, reason } => {
            writeln!(out, "  refused with {status} {message:?}: {reason}")
        }
    };
}

fn told(by: &str) -> String {
    match by {
        "no rule matches" => "the policy's client_certificate: no rule matches".to_owned(),
        by => by.to_owned(),
    }
}

/// What a condition wants and what the request is. Whether it holds, the core has said.
pub(super) fn why(condition: &Condition, holds: bool, who: &Who, request: &Request) -> String {
    let Condition { field, wanted, .. } = condition;
    let is = if holds { "is" } else { "is not" };
    let who_asks = who.username.as_ref().map_or("nobody".to_owned(), |name| format!("{name:?}"));
    match field.as_str() {
        "consumers" => format!("consumers: {who_asks} {is} one of {}", listed(wanted)),
        "groups" => {
            let groups = match who.groups.as_slice() {
                [] => "no group".to_owned(),
                groups => groups.iter().map(|group| format!("{group:?}")).collect::<Vec<_>>().join(", "),
            };
            let but = if holds { "one" } else { "none" };
            format!("groups: {who_asks} is in {groups}, {but} of which is wanted: {}", listed(wanted))
        }
        "methods" => format!("methods: {} {is} one of {}", request.method, listed(wanted)),
        "paths" => format!("paths: {} {is} one of {}", request.path(), listed(wanted)),
        "path_prefix" => {
            format!("path_prefix: {} {is} within {}", request.path(), wanted.as_str().unwrap_or_default())
        }
        "hosts" => format!("hosts: {:?} {is} one of {}", request.host, listed(wanted)),
        "headers" => {
            let names = wanted.as_object().into_iter().flatten();
            let each = names.map(|(name, values)| format!("{name}: {}", listed(values)));
            let are = if holds { "are" } else { "are not all" };
            format!("headers: {} {are} there", each.collect::<Vec<_>>().join("; "))
        }
        other => format!("{other}: {}", if holds { "holds" } else { "does not hold" }),
    }
}

pub(super) fn caller(caller: &Caller<'_>) -> String {
    match caller {
        Caller::Anonymous(consumer) => {
            format!("{:?}, who stands for requests without a valid key", consumer.username)
        }
        Caller::Consumer(consumer, key) => format!("{:?} by key {:?}", consumer.username, key.id),
        Caller::Established(who) => {
            format!("{:?}, established by the gateway", who.username.unwrap_or_default())
        }
        Caller::Nobody => "nobody: a preflight".to_owned(),
    }
}

fn listed(values: &Value) -> String {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}
