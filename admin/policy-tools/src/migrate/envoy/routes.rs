//! What an Envoy's routes are as Kong's.

use super::clusters::Cluster;
use super::{credentials, fields, is_true, sources, text};
use crate::migrate::declarative::{Access, Route, entity_name};
use crate::migrate::policy::Policy;
use crate::migrate::report::{Notes, Outcome};
use kong_config::document::Node;

/// A route and where it leads.
pub(super) struct Mapped<'d> {
    pub(super) node: &'d Node,
    /// Index into the clusters.
    pub(super) cluster: usize,
    pub(super) route: Route,
    /// Which virtual host it is of.
    pub(super) host: usize,
}

pub(super) fn read<'d>(
    manager: &'d Node,
    filter: &'d Node,
    clusters: &[Cluster<'d>],
    notes: &mut Notes<'d>,
) -> Vec<Mapped<'d>> {
    let Some(config) = manager.get("route_config") else {
        notes.cure(Outcome::Unmapped, manager, "routes that are not in this file", "put them into it");
        return Vec::new();
    };
    let mut mapped = Vec::new();
    for (index, host) in config.get("virtual_hosts").map(Node::items).unwrap_or_default().iter().enumerate() {
        for (number, node) in host.get("routes").map(Node::items).unwrap_or_default().iter().enumerate() {
            let mut reader = Reader { notes, closed: false };
            let mut route = reader.matching(node);
            route.hosts = domains(host);
            let called = if text(node, "name").is_empty() {
                format!("{}-{number}", text(host, "name"))
            } else {
                text(node, "name").to_owned()
            };
            route.name = entity_name(&called);
            let cluster = reader.cluster(node, clusters);
            route.access = reader.access(filter, host, node, &mut route.forbidden_header);
            reader.around(config, &["@type", "name", "virtual_hosts"]);
            reader.around(host, &["domains", "name", "routes", "typed_per_filter_config"]);
            if reader.closed {
                route.access = Access::Closed;
                notes.cure(
                    Outcome::Unmapped,
                    node,
                    format!("route {:?} is closed to everybody", route.name),
                    "put a policy there by hand",
                );
            } else {
                let access = if matches!(route.access, Access::Open) {
                    "open, as it was"
                } else {
                    "mtls-policy on it"
                };
                notes.add(Outcome::Mapped, node, format!("route {:?}, {access}", route.name));
            }
            mapped.push(Mapped { node, cluster, route, host: index });
        }
    }
    mapped
}

/// None for those of everybody.
fn domains(host: &Node) -> Vec<String> {
    let domains = host.get("domains").map(Node::items).unwrap_or_default().iter().filter_map(Node::as_str);
    let domains: Vec<_> = domains.map(str::to_owned).collect();
    if domains.iter().any(|domain| domain == "*") { Vec::new() } else { domains }
}

struct Reader<'n, 'd> {
    notes: &'n mut Notes<'d>,
    closed: bool,
}

impl<'d> Reader<'_, 'd> {
    fn close(&mut self, at: &Node, message: &str) {
        self.closed = true;
        self.notes.cure(Outcome::Unmapped, at, message, "map it by hand");
    }

    /// What holds for this route, among others.
    fn around(&mut self, node: &Node, known: &[&str]) {
        for (field, value) in fields(node).filter(|(field, _)| !known.contains(field)) {
            self.close(value, &format!("`{field}` has no counterpart"));
        }
    }

    fn matching(&mut self, node: &Node) -> Route {
        let mut route = Route::default();
        let Some(matching) = node.get("match") else {
            self.close(node, "no match");
            route.paths = vec!["/".to_owned()];
            return route;
        };
        for (field, value) in fields(matching) {
            match (field, value.as_str()) {
                ("prefix", Some(prefix)) => route.paths = vec![prefix.to_owned()],
                ("path", Some(path)) => route.paths = vec![format!("~{}$", regex::escape(path))],
                ("path_separated_prefix", Some(path)) => {
                    route.paths = vec![format!("~{}(?:/|$)", regex::escape(path))]
                }
                ("safe_regex", None) => match text(value, "regex") {
                    regex if regex.starts_with('/') && !regex.contains('|') => {
                        route.paths = vec![format!("~{regex}$")]
                    }
                    _ => self.close(value, "not a regular expression that begins with / and has no |"),
                },
                ("headers", None) => value.items().iter().for_each(|header| self.header(header, &mut route)),
                (other, _) => self.close(value, &format!("a condition that has no counterpart: {other}")),
            }
        }
        if route.paths.is_empty() {
            route.paths = vec!["/".to_owned()];
        }
        route
    }

    fn header(&mut self, header: &Node, route: &mut Route) {
        let exact = header.get("string_match").map(|matcher| text(matcher, "exact")).unwrap_or_default();
        let known = fields(header).all(|(field, _)| ["name", "string_match"].contains(&field));
        match text(header, "name") {
            _ if !known || exact.is_empty() => self.close(header, "not a header that has to be one text"),
            ":method" => route.methods.push(exact.to_owned()),
            name if name.starts_with(':') => self.close(header, "a condition on what is no header for Kong"),
            name => route.headers.push((name.to_owned(), exact.to_owned())),
        }
    }

    fn cluster(&mut self, node: &Node, clusters: &[Cluster<'_>]) -> usize {
        let action = node.get("route");
        for (field, value) in fields(node) {
            if !["match", "name", "route", "typed_per_filter_config", "metadata"].contains(&field) {
                self.close(value, &format!("`{field}` has no counterpart"));
            }
        }
        for (field, value) in action.map(|action| fields(action).collect::<Vec<_>>()).unwrap_or_default() {
            if !["cluster", "timeout"].contains(&field) {
                self.close(value, &format!("`{field}` has no counterpart"));
            }
        }
        let name = action.map(|action| text(action, "cluster")).unwrap_or_default();
        match clusters.iter().position(|cluster| cluster.name == name) {
            Some(index) => {
                self.closed = self.closed || !clusters[index].mapped;
                index
            }
            None => {
                self.close(node, "leads to no cluster of this file");
                0
            }
        }
    }

    /// The most specific override counts, field by field.
    fn access(
        &mut self,
        filter: &'d Node,
        host: &'d Node,
        node: &'d Node,
        forbidden: &mut Option<String>,
    ) -> Access {
        let name = text(filter, "name");
        let own = |entity: &'d Node| entity.get("typed_per_filter_config").and_then(|all| all.get(name));
        let overriding = own(node).or_else(|| own(host));
        if overriding.is_some_and(|own| is_true(own.get("disabled"))) {
            return Access::Open;
        }
        let base = filter.get("typed_config");
        let take = |field: &str| {
            let own = overriding.and_then(|config| config.get(field));
            own.or_else(|| base.and_then(|config| config.get(field)))
        };
        let mut policy = Policy::default();
        if !sources::into(&mut policy, take("key_sources"), self.notes) {
            self.closed = true;
        }
        let mut consumers = credentials::read(take("credentials"), self.notes);
        if take("key_sources").is_none_or(|sources| sources.items().is_empty()) {
            consumers.clear();
        }
        if let Some(overriding) =
            overriding.filter(|own| own.get("forwarding").is_none() && take("forwarding").is_some())
        {
            let message =
                "forwarding holds here too, which Envoy forgets where a route has settings of its own";
            self.notes.add(Outcome::Differs, overriding, message);
        }
        if let Some(forwarding) = take("forwarding") {
            policy.hide_credentials = is_true(forwarding.get("hide_credentials")).then_some(true);
            let is_in_one_place = policy.key_in_header.is_some() != policy.key_in_query.is_some();
            if policy.hide_credentials.is_some() && is_in_one_place {
                let message = "headers and arguments of a key's name go, whichever of the two holds keys";
                self.notes.add(Outcome::Differs, forwarding, message);
            }
            let header = text(forwarding, "header");
            if !header.is_empty() && !header.eq_ignore_ascii_case("x-consumer-username") {
                *forbidden = Some(header.to_owned());
                let message =
                    format!("the upstream hears X-Consumer-Username, and no {header} any more, from nobody");
                self.notes.cure(Outcome::Unmapped, forwarding, message, "let the upstream read that header");
            }
        }
        let allowed =
            overriding.and_then(|config| config.get("allowed_clients")).map(Node::items).unwrap_or_default();
        let allowed: Vec<_> = allowed.iter().filter_map(Node::as_str).collect();
        if !allowed.is_empty() {
            let refused = consumers
                .iter()
                .map(|one| one.username.clone())
                .filter(|one| !allowed.contains(&one.as_str()));
            policy.refuse(refused.collect(), 403, "Client is forbidden.");
        }
        Access::Policy(Box::new(policy), consumers)
    }
}
