//! Plugins and filter chains: what runs on a service or a route.

use std::collections::BTreeSet;

use super::Filter;
use super::names::{Names, name_at, skip_inert, uuid_at};
use super::route::check_protocols;
use crate::document::{Fields, Place, Value, nearest};

/// What a plugin or a filter chain belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Global,
    Service(usize),
    Route(usize),
}

impl Scope {
    /// The scope that the fields `service` and `route` name; `around` is that of the entity which this one is
    /// nested in.
    fn of(fields: &mut Fields<'_>, around: Scope, services: &Names, routes: &Names) -> Option<Self> {
        let references = [fields.get("service"), fields.get("route")];
        if around != Self::Global {
            for reference in references.iter().flatten() {
                reference.problem("not needed here: it belongs to what it is nested in");
            }
            return Some(around);
        }
        match references {
            [None, None] => Some(Self::Global),
            [Some(service), None] => services.find(&service).map(Self::Service),
            [None, Some(route)] => routes.find(&route).map(Self::Route),
            [Some(_), Some(route)] => {
                route.problem("service is given too: give one of the two");
                None
            }
        }
    }
}

/// A plugin, its own config still unread.
pub(super) struct Plugin<'d> {
    pub(super) place: Place<'d>,
    pub(super) name: &'d str,
    pub(super) scope: Scope,
    pub(super) enabled: bool,
    pub(super) config: Option<Place<'d>>,
}

/// Reads what all plugins have in common (kong/db/schema/entities/plugins.lua).
pub(super) fn plugin<'d>(
    place: Place<'d>,
    around: Scope,
    services: &Names,
    routes: &Names,
) -> Option<Plugin<'d>> {
    let mut fields = place.fields()?;
    let name = fields.need("name").and_then(|place| place.string());
    let scope = Scope::of(&mut fields, around, services, routes);
    for field in ["consumer", "consumer_group"] {
        fields.refuse(field, "not supported here: scope it to a service or a route");
    }
    if let Some(protocols) = fields.get("protocols") {
        check_protocols(&protocols, &["grpc", "grpcs", "http", "https"]);
    }
    if let Some(id) = fields.get("id") {
        uuid_at(&id);
    }
    name_at(fields.get("instance_name"));
    let enabled = fields.get("enabled").and_then(|place| place.boolean()).unwrap_or(true);
    let config = fields.get("config");
    skip_inert(&mut fields);
    fields.finish();
    Some(Plugin { place, name: name?, scope: scope?, enabled, config })
}

/// The filters of a filter chain, with what they belong to (kong/db/schema/entities/filter_chains.lua).
pub(super) fn filter_chain(
    place: &Place<'_>,
    around: Scope,
    services: &Names,
    routes: &Names,
    known: &BTreeSet<String>,
) -> Option<(Scope, Vec<Filter>)> {
    let mut fields = place.fields()?;
    let scope = Scope::of(&mut fields, around, services, routes);
    if scope == Some(Scope::Global) {
        place.problem("service or route is missing");
    }
    if let Some(id) = fields.get("id") {
        uuid_at(&id);
    }
    name_at(fields.get("name"));
    let enabled = fields.get("enabled").and_then(|place| place.boolean()).unwrap_or(true);
    let list = fields.need("filters").map(|place| place.items());
    if list.as_ref().is_some_and(Vec::is_empty) {
        place.problem("no filter is in this chain");
    }
    skip_inert(&mut fields);
    fields.finish();
    let filters = list.iter().flatten().filter_map(|place| chained(place, known));
    let filters: Vec<_> = filters.filter(|(on, _)| *on && enabled).map(|(_, filter)| filter).collect();
    Some((scope?, filters))
}

/// A filter of a chain, and whether it is enabled.
fn chained(place: &Place<'_>, known: &BTreeSet<String>) -> Option<(bool, Filter)> {
    let mut fields = place.fields()?;
    let name = fields.need("name");
    let enabled = fields.get("enabled").and_then(|place| place.boolean()).unwrap_or(true);
    let config = fields.get("config");
    fields.finish();
    let name = name?;
    let text = name.string()?;
    if !known.contains(text) {
        name.problem(unknown(text, "filter", known.iter().map(String::as_str)));
        return None;
    }
    Some((enabled, filter(place, text, config.as_ref())))
}

/// A filter as it is configured at this place.
pub(super) fn filter(place: &Place<'_>, name: &str, config: Option<&Place<'_>>) -> Filter {
    let config = match config.map(Place::node) {
        None => Vec::new(),
        Some(node) => match &node.value {
            Value::String(text) => text.clone().into_bytes(),
            _ => {
                let mut config = node.to_json();
                through_lua(&mut config);
                config.to_string().into_bytes()
            }
        },
    };
    Filter { name: name.to_owned(), config, place: place.describe() }
}

/// As a config comes out of Kong: an empty list as `{}`, since to Lua it is the same as an empty mapping.
fn through_lua(config: &mut serde_json::Value) {
    use serde_json::Value::{Array, Object};
    match config {
        Array(items) if items.is_empty() => *config = Object(serde_json::Map::new()),
        Array(items) => items.iter_mut().for_each(through_lua),
        Object(fields) => fields.values_mut().for_each(through_lua),
        _ => {}
    }
}

/// What to say of a plugin or filter that is not there.
pub(super) fn unknown<'n>(name: &str, kind: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    format!("no {kind} {name:?} is here ({hint})")
}
