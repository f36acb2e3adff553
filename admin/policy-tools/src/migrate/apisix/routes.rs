//! What APISIX's routes are as Kong's.

use super::upstreams::Upstreams;
use super::{by_id, fields, list, plain, plugins, text, texts};
use crate::migrate::Refused;
use crate::migrate::declarative::{Access, Route, entity_name};
use crate::migrate::policy::Consumer;
use crate::migrate::report::{Notes, Outcome};
use kong_config::document::{Node, Value};

/// Each with the index of its service.
pub(super) fn read(
    root: &Node,
    people: &[Consumer],
    upstreams: &mut Upstreams<'_>,
    notes: &mut Notes<'_>,
) -> Result<Vec<(usize, Route)>, Refused> {
    let mut routes = Vec::new();
    for (number, node) in list(root, "routes").iter().enumerate() {
        if node.get("status").is_some_and(|status| matches!(status.value, Value::Integer(0))) {
            notes.add(Outcome::Stays, node, "a route that is off: it is not in the new config");
            continue;
        }
        let service = node.get("service_id").and_then(|id| by_id(root, "services", id));
        let shared = node.get("plugin_config_id").and_then(|id| by_id(root, "plugin_configs", id));
        let mut reader = Reader { notes, closed: false };
        let mut route = reader.conditions(node);
        let id = node.get("id").and_then(plain).unwrap_or_else(|| (number + 1).to_string());
        let name = text(node, "name");
        route.name = entity_name(if name.is_empty() { &id } else { name });
        if route.hosts.is_empty() {
            route.hosts = service.map(|service| texts(service, "host", "hosts")).unwrap_or_default();
        }
        reader.known(node, &ROUTE);
        service.into_iter().for_each(|service| reader.known(service, &SERVICE));
        for (field, list) in [("service_id", service), ("plugin_config_id", shared)] {
            if let (Some(at), None) = (node.get(field), list) {
                reader.close(at, "it is not in this file");
            }
        }
        let upstream = reader.upstream(root, node, service);
        let closed = reader.closed;
        let index = match upstream {
            Some(upstream) => upstreams.service(upstream, &route.name, notes)?,
            None => None,
        };
        route.preserve_host =
            upstream.is_some_and(|upstream| !matches!(text(upstream, "pass_host"), "node" | "rewrite"));
        let nearest = [Some(node), shared, service];
        let mut all: Vec<(&str, &Node)> = Vec::new();
        for (name, plugin) in nearest.into_iter().flatten().flat_map(|of| fields(of.get("plugins"))) {
            if !all.iter().any(|(known, _)| *known == name) {
                all.push((name, plugin));
            }
        }
        route.access = plugins::access(&all, people, notes);
        let mapped = index.is_some() && !closed && !matches!(route.access, Access::Closed);
        if mapped {
            let access = if route.is_guarded() { "mtls-policy on it" } else { "open, as it was" };
            notes.add(Outcome::Mapped, node, format!("route {:?}, {access}", route.name));
        } else {
            route.access = Access::Closed;
            let message = format!("route {:?} is closed to everybody", route.name);
            notes.cure(Outcome::Unmapped, node, message, "put a policy there by hand");
        }
        routes.push((index.unwrap_or_else(|| upstreams.nowhere()), route));
    }
    Ok(routes)
}

struct Reader<'n, 'd> {
    notes: &'n mut Notes<'d>,
    closed: bool,
}

impl Reader<'_, '_> {
    fn close(&mut self, at: &Node, message: &str) {
        self.closed = true;
        self.notes.cure(Outcome::Unmapped, at, message, "map it by hand");
    }

    fn known(&mut self, node: &Node, known: &[&str]) {
        for (field, value) in fields(Some(node)) {
            if !known.contains(&field) {
                self.close(value, &format!("`{field}` has no counterpart"));
            }
        }
    }

    fn conditions(&mut self, node: &Node) -> Route {
        let mut paths = Vec::new();
        for uri in texts(node, "uri", "uris") {
            match uri.strip_suffix('*') {
                Some(prefix) if !prefix.contains(['*', ':']) => paths.push(prefix.to_owned()),
                None if !uri.contains(':') => paths.push(format!("~{}$", regex::escape(&uri))),
                _ => {
                    self.close(node, "a path with parameters");
                    paths.push(uri.split([':', '*']).next().unwrap_or("/").to_owned());
                }
            }
        }
        let methods = list(node, "methods").iter().filter_map(Node::as_str).map(str::to_owned).collect();
        Route { paths, methods, hosts: texts(node, "host", "hosts"), ..Route::default() }
    }

    fn upstream<'u>(
        &mut self,
        root: &'u Node,
        node: &'u Node,
        service: Option<&'u Node>,
    ) -> Option<&'u Node> {
        let of = |entity: &'u Node| {
            let named = || entity.get("upstream_id").and_then(|id| by_id(root, "upstreams", id));
            entity.get("upstream").or_else(named)
        };
        let found = of(node).or_else(|| service.and_then(of));
        if found.is_none() {
            self.close(node, "its upstream is not in this file");
        }
        found
    }
}

/// Fields of a route that are read here, or change nothing.
const ROUTE: [&str; 17] = [
    "create_time",
    "desc",
    "host",
    "hosts",
    "id",
    "labels",
    "methods",
    "name",
    "plugin_config_id",
    "plugins",
    "service_id",
    "status",
    "update_time",
    "upstream",
    "upstream_id",
    "uri",
    "uris",
];

const SERVICE: [&str; 10] =
    ["create_time", "desc", "host", "hosts", "id", "labels", "name", "plugins", "upstream", "upstream_id"];
