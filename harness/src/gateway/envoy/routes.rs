//! Kong's routes as Envoy's, in the order in which Kong would try them.

use std::collections::BTreeMap;
use std::path::Path;

use mtls_policy::envoy::{
    CLIENT_CERTIFICATES, NAMESPACE, PATH_REWRITE, PathRewrite, SELECTED_STATE, UNCHANGED,
};
use serde_json::{Map, Value, json};

use super::matching::{Paths, matching};
use super::plan::{Choice, Plan};
use super::{POLICY, filters, paths, seconds};
use crate::gateway::embedded::upstream::Destination;
use kong_config::declarative::{Config, Filter, Route, Service};
use kong_config::router::Router;

/// Envoy's `RouteConfiguration`.
pub fn route_configuration(config: &Config, plan: &Plan, filters: &Path) -> Value {
    let router = Router::new(config);
    let entries = router.in_order().flat_map(|(index, paths)| {
        let route = &config.routes[index];
        let service = &config.services[route.service];
        let translated = Translated { route, service, choice: &plan.choices[index], filters };
        let entries = paths::entries(route, service, paths).into_iter();
        entries.map(move |(paths, rewrite)| translated.entry(&paths, rewrite.as_ref())).collect::<Vec<_>>()
    });
    json!({
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": NAME,
        // One for all hosts: Kong weighs a host against other conditions, Envoy picks virtual hosts first.
        "virtual_hosts": [{ "name": NAME, "domains": ["*"], "routes": entries.collect::<Vec<_>>() }],
    })
}

pub const NAME: &str = "routes";

struct Translated<'c> {
    route: &'c Route,
    service: &'c Service,
    choice: &'c Choice,
    /// The directory of `NAME.wasm`.
    filters: &'c Path,
}

impl Translated<'_> {
    fn entry(&self, paths: &Paths, rewrite: Option<&PathRewrite>) -> Value {
        let mut entry = json!({
            "name": self.route.label(),
            "match": matching(self.route, paths),
            "route": self.action(rewrite),
        });
        self.forwarded(&mut entry, paths);
        if self.chain().next().is_some() {
            entry["metadata"] = json!({ "filter_metadata": { NAMESPACE: self.told(rewrite) } });
            entry["typed_per_filter_config"] = filters::chain(self.chain(), self.filters);
        }
        entry
    }

    fn chain(&self) -> impl Iterator<Item = &Filter> {
        self.service.filters.iter().chain(&self.route.filters)
    }

    /// What the filter has to know.
    fn told(&self, rewrite: Option<&PathRewrite>) -> Value {
        let offers: BTreeMap<_, _> =
            self.choice.named.iter().map(|(name, named)| (name, named.offer.to_string())).collect();
        let mut told = json!({ CLIENT_CERTIFICATES: offers });
        if let Some(rewrite) = rewrite {
            told[PATH_REWRITE] = json!(rewrite.to_string());
        }
        told
    }

    fn action(&self, rewrite: Option<&PathRewrite>) -> Value {
        let Service { write_timeout, read_timeout, .. } = self.service;
        let destination = Destination::of(self.service);
        let mut action = json!({
            "inline_cluster_specifier_plugin": { "extension": { "name": "choice", "typed_config": self.clusters() } },
            // No bound on a whole exchange, as in Kong; but on silence.
            "timeout": "0s",
            "idle_timeout": seconds(*read_timeout.max(write_timeout)),
        });
        if let Some(rewrite) = rewrite {
            action["regex_rewrite"] = paths::regex_rewrite(rewrite);
        }
        if !self.route.preserve_host {
            action["host_rewrite_literal"] = json!(destination.authority());
        }
        if destination.retries > 0 {
            action["retry_policy"] = json!({ "retry_on": "connect-failure,reset-before-request", "num_retries": destination.retries });
        }
        action
    }

    /// The cluster by what the filters selected. A name that is not here, and no word where a policy has to
    /// say one, is no cluster: Envoy answers 503 itself.
    fn clusters(&self) -> Value {
        let cluster = |name: &str| {
            json!({ "action": { "name": "cluster", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                "cluster": name,
            } } })
        };
        let named = self.choice.named.iter();
        let named = named.filter_map(|(name, named)| Some((name.clone(), cluster(named.cluster.as_ref()?))));
        let mut selected: Map<_, _> = named.collect();
        let default = cluster(self.choice.default.as_deref().unwrap_or(NO_CLUSTER));
        selected.insert(UNCHANGED.to_owned(), default.clone());
        let decides = self.chain().any(|filter| filter.name == POLICY);
        let matcher = json!({
            "matcher_tree": {
                "input": { "name": "selected", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                    "key": SELECTED_STATE,
                } },
                "exact_match_map": { "map": selected },
            },
            // Whatever became of a decision that has to be there: without it nothing is sent.
            "on_no_match": if decides { cluster(NO_CLUSTER) } else { default },
        });
        json!({
            "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
            "cluster_matcher": matcher,
        })
    }

    /// Where the request came in, as Kong says it; a client's own words are not passed on.
    fn forwarded(&self, entry: &mut Value, paths: &Paths) {
        let prefix = match paths {
            Paths::Exact(prefix) | Paths::Prefix(prefix) if self.route.strip_path && prefix != "/" => {
                // A format, in which % has a meaning.
                Some(("X-Forwarded-Prefix", prefix.replace('%', "%%")))
            }
            _ => None,
        };
        if prefix.is_none() {
            entry["request_headers_to_remove"] = json!(["X-Forwarded-Prefix"]);
        }
        let formats = FORWARDED.map(|(name, format)| (name, format.to_owned()));
        let set = |(name, format)| json!({ "header": { "key": name, "value": format }, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" });
        entry["request_headers_to_add"] = formats.into_iter().chain(prefix).map(set).collect();
    }
}

const FORWARDED: [(&str, &str); 4] = [
    ("X-Forwarded-Host", "%REQ(:authority)%"),
    ("X-Forwarded-Path", "%PATH(NQ:PATH)%"),
    ("X-Forwarded-Port", "%DOWNSTREAM_LOCAL_PORT%"),
    ("X-Real-IP", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
];

/// There is none of this name.
const NO_CLUSTER: &str = "none/in-force";
