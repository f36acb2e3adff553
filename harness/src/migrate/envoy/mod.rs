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
use crate::document::{Node, Value};
use crate::policy::Document;

pub(super) fn migrate(documents: &[Document]) -> Result<Migration, Refused> {
    let [document] = documents else {
        return Err(Refused::Unusable("one config of Envoy's at a time".to_owned()));
    };
    let mut notes = Notes::on(documents);
    let resources = document.root.get("static_resources").unwrap_or(&document.root);
    let managers = managers(resources);
    let manager = match managers.as_slice() {
        [manager] => *manager,
        [] => return Err(Refused::Unusable("no api_key_auth is in there: nothing to do".to_owned())),
        _ => return Err(Refused::Unusable("api_key_auth is in several listeners: one at a time".to_owned())),
    };
    let filters = manager.get("http_filters").map(Node::items).unwrap_or_default();
    let mut whole = true;
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

/// Connection managers in which keys are asked for.
fn managers(resources: &Node) -> Vec<&Node> {
    let listeners = resources.get("listeners").map(Node::items).unwrap_or_default();
    let chains = listeners
        .iter()
        .flat_map(|listener| listener.get("filter_chains").map(Node::items).unwrap_or_default());
    let filters = chains.flat_map(|chain| chain.get("filters").map(Node::items).unwrap_or_default());
    let configs = filters.filter_map(|filter| filter.get("typed_config"));
    let asks = |config: &&Node| {
        let filters = config.get("http_filters").map(Node::items).unwrap_or_default();
        filters.iter().any(|filter| kind(filter) == "api_key_auth")
    };
    configs.filter(asks).collect()
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
