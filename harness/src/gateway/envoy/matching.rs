//! A route's conditions as Envoy writes them.

use regex::escape;
use serde_json::{Value, json};

use kong_config::declarative::{HeaderMatch, HostMatch, HostName, Route};

/// Which paths an entry of Envoy's is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    Exact(String),
    Prefix(String),
    /// Found anywhere in the path, unless it says where.
    Regex(String),
}

/// Envoy's `RouteMatch`.
pub fn matching(route: &Route, paths: &Paths) -> Value {
    let mut conditions = match paths {
        Paths::Exact(path) => json!({ "path": path }),
        Paths::Prefix(prefix) => json!({ "prefix": prefix }),
        Paths::Regex(regex) => json!({ "safe_regex": found(regex) }),
    };
    let mut headers = Vec::new();
    if !route.methods.is_empty() {
        headers.push(json!({ "name": ":method", "string_match": { "safe_regex": any(route.methods.iter().map(|method| escape(method))) } }));
    }
    if !route.hosts.is_empty() {
        headers.push(json!({ "name": ":authority", "string_match": { "safe_regex": any(route.hosts.iter().map(host)) } }));
    }
    for (name, wanted) in &route.headers {
        headers
            .push(json!({ "name": name, "string_match": { "safe_regex": any(wanted.iter().map(header)) } }));
    }
    if !headers.is_empty() {
        conditions["headers"] = headers.into();
    }
    conditions
}

/// A host with any port: one that is asked for by its port is refused before.
fn host(wanted: &HostMatch) -> String {
    let name = match &wanted.name {
        HostName::Plain(name) => escape(name),
        HostName::StartsWith(start) => format!("{}[^:]*", escape(start)),
        HostName::EndsWith(end) => format!("[^:]*{}", escape(end)),
    };
    format!("{name}(?::[0-9]+)?")
}

/// Kong compares both in lower case.
fn header(wanted: &HeaderMatch) -> String {
    match wanted {
        HeaderMatch::Value(value) => format!("(?i:{})", escape(value)),
        HeaderMatch::Regex(regex) => format!("(?is:.*(?:{regex}).*)"),
    }
}

/// Envoy matches whole texts.
fn any(alternatives: impl Iterator<Item = String>) -> Value {
    json!({ "regex": alternatives.collect::<Vec<_>>().join("|") })
}

fn found(regex: &str) -> Value {
    json!({ "regex": format!("(?s:.*)(?:{regex})(?s:.*)") })
}
