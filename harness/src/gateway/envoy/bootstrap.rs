//! What an Envoy starts with.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::clusters::Sds;
use super::files::Files;
use super::listener::{self, Routes};
use super::plan::Plan;
use super::routes::route_configuration;
use kong_config::declarative::Config;

/// All of a config in one document, for an Envoy without this driver.
pub fn whole(config: &Config, plan: &Plan, filters: &Path, sds: &Sds, proxy: SocketAddr) -> Value {
    let clusters: Vec<_> =
        plan.clusters.iter().map(|(name, cluster)| untyped(cluster.resource(name, sds))).collect();
    let routes = untyped(route_configuration(config, plan, filters));
    let mut resources =
        json!({ "listeners": [listener::proxy(proxy, Routes::Fixed(routes))], "clusters": clusters });
    if matches!(sds, Sds::Bootstrap) {
        resources["secrets"] = plan.secrets().values().map(|secret| untyped(secret.resource())).collect();
    }
    json!({ "node": node(), "static_resources": resources })
}

/// Listeners that stay, and files that routes and clusters are read from; an admin interface on a socket in a
/// directory that nobody else can enter.
pub fn driven(proxy: SocketAddr, status: Option<SocketAddr>, files: &Files) -> Value {
    let admin = json!({ "pipe": { "path": files.admin() } });
    let proxy = listener::proxy(proxy, Routes::File(files.routes()));
    json!({
        "node": node(),
        "admin": { "address": admin },
        "static_resources": {
            "listeners": std::iter::once(proxy).chain(status.map(listener::status)).collect::<Vec<_>>(),
            "clusters": [{
                "name": listener::ADMIN,
                "load_assignment": {
                    "cluster_name": listener::ADMIN,
                    "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": admin } }] }],
                },
            }],
        },
        "dynamic_resources": { "cds_config": {
            "resource_api_version": "V3",
            "path_config_source": { "path": files.clusters() },
        } },
    })
}

fn node() -> Value {
    json!({ "id": "gateway", "cluster": "gateway" })
}

/// A resource where its type is known from its place.
fn untyped(mut resource: Value) -> Value {
    if let Some(fields) = resource.as_object_mut() {
        fields.remove("@type");
    }
    resource
}
