//! Client certificates, until when they last, and the routes whose requests may carry them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::generation::Generation;
use super::super::properties::POLICY;
use super::super::status::date;
use super::super::upstream::{ClientCertificate, Watched};
use kong_config::declarative::Filter;

/// Which client certificates each route's policies name: looked for once in the life of a config.
pub(in super::super) struct Named(Vec<BTreeSet<String>>);

/// All that a policy says of client certificates.
#[derive(Default, Deserialize)]
struct Policy {
    client_certificate: Option<String>,
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
struct Rule {
    client_certificate: Option<String>,
}

impl Named {
    pub(in super::super) fn by(config: &kong_config::declarative::Config) -> Self {
        let routes = config.routes.iter().map(|route| {
            let of_service = config.services.get(route.service).map(|service| &service.filters);
            of_service.into_iter().flatten().chain(&route.filters).flat_map(named).collect()
        });
        Self(routes.collect())
    }
}

fn named(filter: &Filter) -> Vec<String> {
    if filter.name != POLICY {
        return Vec::new();
    }
    let Policy { client_certificate, rules } = serde_json::from_slice(&filter.config).unwrap_or_default();
    let rules = rules.into_iter().flatten().filter_map(|rule| rule.client_certificate);
    client_certificate.into_iter().chain(rules).collect()
}

/// All of them, in the config's order.
pub(super) fn tell(generation: &Generation, now: OffsetDateTime) -> Vec<Value> {
    let named = generation.named();
    let mut identities = Vec::new();
    for plugin in &generation.upstreams.plugins {
        for (name, watched) in &plugin.certificates {
            let routes = generation.config.routes.iter().enumerate().filter(|(index, _)| {
                generation.upstreams.way(*index).is_some_and(|way| {
                    let is_its = way.plugin.as_ref().is_some_and(|its| Arc::ptr_eq(its, plugin));
                    let names = named.0.get(*index).is_some_and(|names| names.contains(name));
                    way.destination.https && is_its && (names || way.default() == Some(name))
                })
            });
            let routes = routes.map(|(_, route)| route.label()).collect();
            identities.push(tell_one(name, &plugin.scope, watched, routes, now));
        }
    }
    for (index, service) in generation.config.services.iter().enumerate() {
        let routes: Vec<_> =
            generation.config.routes.iter().enumerate().filter(|(_, route)| route.service == index).collect();
        let own = routes.iter().find_map(|(route, _)| generation.upstreams.way(*route)?.own());
        if let Some(own) = own {
            let scope = format!("service {}", service.label());
            let routes = routes.iter().map(|(_, route)| route.label()).collect();
            identities.push(tell_one("service.client_certificate", &scope, own, routes, now));
        }
    }
    identities
}

fn tell_one(
    name: &str,
    scope: &str,
    watched: &Watched<ClientCertificate>,
    routes: Vec<&str>,
    now: OffsetDateTime,
) -> Value {
    let in_force = watched.in_force().ok();
    let leaf = in_force.as_ref().map(|certificate| &certificate.leaf);
    let unusable = leaf.and_then(|leaf| leaf.check(now).err());
    json!({
        "name": name,
        "scope": scope,
        "subject": leaf.map(|leaf| &leaf.subject),
        "fingerprint": leaf.map(|leaf| &leaf.fingerprint),
        "not_before": leaf.and_then(|leaf| date(leaf.not_before)),
        "not_after": leaf.and_then(|leaf| date(leaf.not_after)),
        "seconds_left": leaf.map(|leaf| (leaf.not_after - now).whole_seconds()),
        // Why it is not presented; null: it is.
        "unusable": unusable.map(|why| why.to_string()),
        // Why what the files hold now is not in force; null: it is.
        "refused": watched.refused().map(|why| why.to_string()),
        "routes": routes,
    })
}
