//! What a config asks for that is not done on Envoy, each with its place.

use std::collections::BTreeSet;

use anyhow::bail;
use mtls_policy::policy::Policy;
use serde_json::Value;

use super::POLICY;
use kong_config::declarative::{Config, Filter, PathMatch, Route, Service, UpstreamMtls};

/// Looks at what the translation cannot carry over, and at every policy.
///
/// # Errors
/// All that is wrong, one a line.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let changed = changed_headers(config);
    let mut problems: Vec<_> = config.routes.iter().flat_map(|route| unsupported(route, &changed)).collect();
    problems.extend(bounded_chains(config));
    problems.extend(required_requests(config));
    for filter in filters(config).filter(|filter| filter.name == POLICY) {
        if let Err(wrong) = Policy::compile(&filter.config) {
            problems.extend(wrong.iter().map(|problem| format!("{}: {problem}", filter.place)));
        }
    }
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    Ok(())
}

fn unsupported(route: &Route, changed: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, why: String| problems.push(format!("{}.{field}: {why}", route.place));
    if route.strip_path && route.paths.iter().any(|path| matches!(path, PathMatch::Regex(_))) {
        problem(
            "paths",
            "a regex with strip_path is not supported on Envoy, where a filter cannot know what of the path goes: \
             write a prefix, or strip_path: false"
                .to_owned(),
        );
    }
    if route.hosts.iter().any(|host| host.port.is_some()) {
        problem("hosts", "a port is not supported on Envoy: leave it out".to_owned());
    }
    for (name, _) in route.headers.iter().filter(|(name, _)| changed.contains(&dashed(name))) {
        problem(
            &format!("headers.{name}"),
            "not supported on Envoy, which looks the route up again after a filter has changed this header: \
             match by another"
                .to_owned(),
        );
    }
    problems
}

/// Envoy tells nobody whether an upstream has asked for its certificate.
fn required_requests(config: &Config) -> Vec<String> {
    let places = instances(config, |plugin| plugin.requires_request);
    let why = "require_certificate_request is not supported on Envoy, which does not tell: leave it out";
    places.into_iter().map(|place| format!("{place}: {why}")).collect()
}

/// Places of the instances of upstream-mtls of which something is so.
fn instances(config: &Config, so: impl Fn(&UpstreamMtls) -> bool) -> Vec<String> {
    let is = |plugin: &Option<UpstreamMtls>| plugin.as_ref().is_some_and(&so);
    let services = config.services.iter().filter(|service| is(&service.upstream_mtls));
    let routes = config.routes.iter().filter(|route| is(&route.upstream_mtls));
    let places = services.map(|service| format!("service {}", service.label()));
    let places = places.chain(routes.map(|route| route.place.clone()));
    places.chain(is(&config.upstream_mtls).then(|| "upstream-mtls without a scope".to_owned())).collect()
}

/// Envoy 1.40.0 takes chains of any length. The default was asked for by nobody; another depth is meant.
fn bounded_chains(config: &Config) -> Vec<String> {
    let meant = |depth: u8| depth != Service::TLS_VERIFY_DEPTH;
    let services = config.services.iter().filter(|service| service.tls_verify_depth.is_some_and(meant));
    let services = services.map(|service| format!("service {}", service.label()));
    let plugins = instances(config, |plugin| meant(plugin.tls_verify_depth));
    let places: BTreeSet<_> = services.chain(plugins).collect();
    places
        .into_iter()
        .map(|place| format!("{place}: tls_verify_depth is not supported on Envoy, which takes chains of any length: leave it out"))
        .collect()
}

/// Headers, [`dashed`], that filters take away or set. Envoy looks up the route of a request once more after its
/// filters; it is the same route, as long as no route's conditions are about what they change.
fn changed_headers(config: &Config) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    for filter in filters(config) {
        changed.extend(IDENTITY.map(str::to_owned));
        let policy: Value = serde_json::from_slice(&filter.config).unwrap_or_default();
        match policy["key_names"].as_array() {
            Some(names) => changed.extend(names.iter().filter_map(Value::as_str).map(dashed)),
            None => drop(changed.insert("apikey".to_owned())),
        }
        for (field, header) in [("key_authorization", "authorization"), ("key_cookies", "cookie")] {
            changed.extend((!policy[field].is_null()).then(|| header.to_owned()));
        }
    }
    changed
}

fn filters(config: &Config) -> impl Iterator<Item = &Filter> {
    let services = config.services.iter().flat_map(|service| &service.filters);
    services.chain(config.routes.iter().flat_map(|route| &route.filters))
}

/// One spelling for all that upstreams may take for one name.
fn dashed(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

const IDENTITY: [&str; 5] = [
    "x-anonymous-consumer",
    "x-consumer-custom-id",
    "x-consumer-id",
    "x-consumer-username",
    "x-credential-identifier",
];
