//! From APISIX's key-auth and the client certificates of its upstreams, as a standalone `apisix.yaml` has them.
//!
//! By the reference of APISIX 3.x. A route that cannot be mapped is there all the same, and lets nobody in: without it, its
//! requests could find another one.

mod consumers;
mod plugins;
mod routes;
mod upstreams;

use std::path::Path;

use super::declarative::config;
use super::report::{Notes, Outcome};
use super::{Migration, Refused, Source};
use crate::policy::Document;
use kong_config::document::{Node, Value};

use upstreams::Upstreams;

pub(super) fn migrate(documents: &[Document], certificates: Option<&Path>) -> Result<Migration, Refused> {
    let [document] = documents else {
        return Err(Refused::Unusable("one config of APISIX's at a time".to_owned()));
    };
    let root = &document.root;
    let mut notes = Notes::on(documents);
    let mut whole = true;
    for rule in list(root, "global_rules") {
        for (name, node) in fields(rule.get("plugins")) {
            if plugins::is_harmless(name) {
                notes.cure(
                    Outcome::Unmapped,
                    node,
                    format!("{name} is missing from the new config"),
                    "set up Kong's own by hand",
                );
            } else {
                whole = false;
                let help = "put it onto the routes, and migrate again";
                notes.cure(Outcome::Unmapped, node, format!("{name} for everything cannot be mapped"), help);
            }
        }
    }
    for ssl in list(root, "ssls").iter().filter(|ssl| ssl.get("client").is_some()) {
        whole = false;
        let message = "clients have to show certificates here, and would not have to by the new config";
        notes.cure(Outcome::Unmapped, ssl, message, "set up Kong's own, and take it out here");
    }
    let people = consumers::read(root, &mut notes);
    let mut upstreams = Upstreams::new(root, certificates);
    let routes = routes::read(root, &people, &mut upstreams, &mut notes)?;
    let asks = |list_name: &str| {
        list(root, list_name)
            .iter()
            .any(|one| one.get("plugins").is_some_and(|all| all.get("key-auth").is_some()))
    };
    if !["plugin_configs", "routes", "services"].into_iter().any(asks) {
        return Err(Refused::Unusable("no route has key-auth: nothing to do".to_owned()));
    }
    let Upstreams { services, files, .. } = upstreams;
    notes.add(
        Outcome::Differs,
        root,
        "refusals are worded as Kong's, a key that is there twice is one, and the challenge is `Key`",
    );
    let report = notes.report(Source::Apisix);
    if !whole {
        return Ok(Migration { config: None, secret: None, files: Vec::new(), report });
    }
    Ok(Migration { files, ..Migration::of(&config(&services, &routes), report)? })
}

fn list<'d>(root: &'d Node, field: &str) -> &'d [Node] {
    root.get(field).map(Node::items).unwrap_or_default()
}

/// The one of a list that has an id, which may be written as a number.
fn by_id<'d>(root: &'d Node, field: &str, id: &Node) -> Option<&'d Node> {
    let id = plain(id)?;
    list(root, field).iter().find(|one| one.get("id").and_then(plain).as_deref() == Some(&id))
}

fn plain(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text<'d>(node: &'d Node, field: &str) -> &'d str {
    node.get(field).and_then(Node::as_str).unwrap_or_default()
}

/// A list of texts, or the one that stands for it.
fn texts(node: &Node, one: &str, many: &str) -> Vec<String> {
    let many = list(node, many).iter().filter_map(Node::as_str);
    let one = node.get(one).and_then(Node::as_str);
    one.into_iter().chain(many).map(str::to_owned).collect()
}

/// The fields of a mapping that are there.
fn fields(node: Option<&Node>) -> Vec<(&str, &Node)> {
    let fields = match node.map(|node| &node.value) {
        Some(Value::Map(fields)) => fields.as_slice(),
        _ => &[],
    };
    let there = fields.iter().filter(|(_, node)| !matches!(node.value, Value::Null));
    there.map(|(key, node)| (key.name.as_str(), node)).collect()
}
