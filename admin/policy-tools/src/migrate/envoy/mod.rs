//! From Envoy's `api_key_auth` and the client certificates of its clusters.
//!
//! As source/extensions/filters/http/api_key_auth of Envoy 1.40 has it. A route that cannot be mapped is there all the
//! same, and lets nobody in: without it, its requests could find another one.

mod clusters;
mod credentials;
mod order;
mod routes;
mod sources;

use super::declarative::{Route, config};
use super::report::{Notes, Outcome};
use super::{Migration, Refused, Source};
use crate::policy::Document;
use kong_config::document::{Node, Value};

pub(super) fn migrate(documents: &[Document]) -> Result<Migration, Refused> {
    let [document] = documents else {
        return Err(Refused::Unusable("one config of Envoy's at a time".to_owned()));
    };
    let mut notes = Notes::on(documents);
    let resources = document.root.get("static_resources").unwrap_or(&document.root);
    let chains = chains(resources);
    let asking: Vec<_> = chains.iter().filter_map(|chain| Some((*chain, manager(chain)?))).collect();
    let (chain, manager) = match asking.as_slice() {
        [one] => *one,
        [] => return Err(Refused::Unusable("no api_key_auth is in there: nothing to do".to_owned())),
        _ => return Err(Refused::Unusable("api_key_auth is in several listeners: one at a time".to_owned())),
    };
    let mut whole = is_carried(chain, &mut notes);
    for other in chains.iter().filter(|other| !std::ptr::eq(**other, chain)) {
        notes.cure(Outcome::Unmapped, other, "without api_key_auth: not in the new config", "map it by hand");
    }
    let filters = manager.get("http_filters").map(Node::items).unwrap_or_default();
    for filter in filters.iter().filter(|filter| !["api_key_auth", "router"].contains(&kind(filter))) {
        whole = false;
        let message = format!("{} would be missing from the new config", text(filter, "name"));
        notes.cure(Outcome::Unmapped, filter, message, "take it out, or map by hand");
    }
    let Some(filter) = filters.iter().find(|filter| kind(filter) == "api_key_auth") else {
        return Err(Refused::Unusable("no api_key_auth is in there: nothing to do".to_owned()));
    };
    if is_true(filter.get("disabled")) {
        whole = false;
        notes.cure(
            Outcome::Unmapped,
            filter,
            "off but for some routes",
            "turn it on, and off for the others",
        );
    }
    let clusters = clusters::read(resources, &mut notes);
    let routes = routes::read(manager, filter, &clusters, &mut notes);
    whole = order::is_kongs(&routes, &mut notes) && whole;
    let report = |notes: Notes<'_>| notes.report(Source::Envoy);
    if !whole {
        return Ok(Migration { config: None, secret: None, files: Vec::new(), report: report(notes) });
    }
    notes.add(
        Outcome::Differs,
        filter,
        "refusals are worded as Kong's, a key that is there twice is one, and the challenge is `Key`",
    );
    notes.add(
        Outcome::Differs,
        filter,
        "what a client says of X-Consumer-… and X-Credential-Identifier never passes",
    );
    let services: Vec<_> = clusters.iter().map(|cluster| cluster.service.clone()).collect();
    let routes: Vec<(usize, Route)> = routes.into_iter().map(|one| (one.cluster, one.route)).collect();
    Migration::of(&config(&services, &routes), report(notes))
}

/// Filter chains of all listeners.
fn chains(resources: &Node) -> Vec<&Node> {
    let listeners = resources.get("listeners").map(Node::items).unwrap_or_default();
    let chains = listeners.iter().filter_map(|listener| listener.get("filter_chains"));
    chains.flat_map(Node::items).collect()
}

/// The connection manager of a chain, where keys are asked for.
fn manager(chain: &Node) -> Option<&Node> {
    let filters = chain.get("filters").map(Node::items).unwrap_or_default();
    let asks = |config: &&Node| {
        let filters = config.get("http_filters").map(Node::items).unwrap_or_default();
        filters.iter().any(|filter| kind(filter) == "api_key_auth")
    };
    filters.iter().filter_map(|filter| filter.get("typed_config")).find(asks)
}

/// Whether nothing refuses clients there but the connection manager.
fn is_carried(chain: &Node, notes: &mut Notes<'_>) -> bool {
    let mut carried = true;
    for (field, node) in fields(chain) {
        let demands =
            node.get("typed_config").is_some_and(|tls| is_true(tls.get("require_client_certificate")));
        match field {
            "name" => {}
            "filters" if node.items().len() == 1 => {}
            "transport_socket" if !demands => {
                let message = "how clients are served by TLS is not in the new config";
                notes.cure(Outcome::Unmapped, node, message, "set it up in Kong");
            }
            other => {
                carried = false;
                let message =
                    format!("`{other}` may refuse clients, and would be missing from the new config");
                notes.cure(Outcome::Unmapped, node, message, "take it out, or map by hand");
            }
        }
    }
    carried
}

/// `api_key_auth`, of a filter's `@type`.
fn kind(filter: &Node) -> &str {
    let url = filter.get("typed_config").map(|config| text(config, "@type")).unwrap_or_default();
    url.strip_prefix("type.googleapis.com/envoy.extensions.filters.http.")
        .and_then(|rest| rest.split('.').next())
        .unwrap_or("unknown")
}

fn text<'d>(node: &'d Node, field: &str) -> &'d str {
    node.get(field).and_then(Node::as_str).unwrap_or_default()
}

fn is_true(node: Option<&Node>) -> bool {
    node.is_some_and(|node| matches!(node.value, Value::Boolean(true)))
}

/// Names of the fields of a mapping that are there.
fn fields(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let fields = match &node.value {
        Value::Map(fields) => fields.as_slice(),
        _ => &[],
    };
    fields
        .iter()
        .filter(|(_, node)| !matches!(node.value, Value::Null))
        .map(|(key, node)| (key.name.as_str(), node))
}
