//! One route's conditions.

use http::HeaderMap;
use uuid::{Uuid, uuid};

use super::RouteRequest;
use super::priority::{Criteria, Hosts, Paths, priority};
use crate::declarative::{HeaderMatch, HostMatch, HostName, PathMatch, Route, Service, split_port};

/// A route, or the part of one whose paths have one kind and one length.
pub(super) struct Matcher {
    pub(super) priority: u64,
    pub(super) id: String,
    pub(super) route: usize,
    pub(super) service: usize,
    pub(super) strip_path: bool,
    /// The service's path.
    pub(super) base: Option<String>,
    methods: Vec<String>,
    hosts: Vec<HostMatch>,
    headers: Vec<(String, Vec<HeaderMatch>)>,
    pub(super) paths: Vec<PathMatch>,
}

impl Matcher {
    /// Kong splits a route with paths of several kinds or lengths, so that each gets its own priority
    /// (kong/router/transform.lua, split_routes_and_services_by_path).
    pub(super) fn of(index: usize, route: &Route, service: &Service) -> Vec<Self> {
        let mut groups: Vec<(Paths, Vec<PathMatch>)> = Vec::new();
        for path in &route.paths {
            let kind = match path {
                PathMatch::Prefix(prefix) => Paths::Prefix { length: prefix.len() },
                PathMatch::Regex(_) => Paths::Regex { priority: route.regex_priority },
            };
            match groups.iter_mut().find(|(other, _)| *other == kind) {
                Some((_, paths)) => paths.push(path.clone()),
                None => groups.push((kind, vec![path.clone()])),
            }
        }
        let whole = groups.len() < 2;
        if groups.is_empty() {
            groups.push((Paths::None, Vec::new()));
        }
        let part = |(nth, (kind, paths)): (usize, (Paths, Vec<PathMatch>))| Self {
            priority: priority(criteria(route, kind)),
            id: if whole { route.id.clone() } else { part_id(&route.id, nth + 1) },
            route: index,
            service: route.service,
            strip_path: route.strip_path,
            base: service.path.clone(),
            methods: route.methods.clone(),
            hosts: route.hosts.clone(),
            headers: route.headers.clone(),
            paths,
        };
        groups.into_iter().enumerate().map(part).collect()
    }

    /// What of the path the route matched, if the request is one for it; empty for a route without paths.
    pub(super) fn matches<'p>(&self, request: &RouteRequest<'_>, path: &'p str) -> Option<&'p str> {
        let method = self.methods.is_empty() || self.methods.iter().any(|method| method == request.method);
        let others = method && self.host_matches(request) && self.headers_match(request.headers);
        if !others {
            return None;
        }
        match self.paths.as_slice() {
            [] => Some(""),
            paths => paths.iter().find_map(|wanted| matched_part(wanted, path)),
        }
    }

    fn host_matches(&self, request: &RouteRequest<'_>) -> bool {
        if self.hosts.is_empty() {
            return true;
        }
        let Some(host) = request.host else { return false };
        let (host, port) = split_port(host);
        let port = port.unwrap_or(request.port);
        self.hosts.iter().any(|wanted| {
            let name = match &wanted.name {
                HostName::Plain(name) => name == host,
                HostName::StartsWith(start) => host.starts_with(start.as_str()),
                HostName::EndsWith(end) => host.ends_with(end.as_str()),
            };
            name && wanted.port.is_none_or(|wanted| wanted == port)
        })
    }

    fn headers_match(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|(name, wanted)| {
            let values = header_values(headers, name);
            values.iter().any(|value| {
                wanted.iter().any(|wanted| match wanted {
                    HeaderMatch::Value(wanted) => wanted == value,
                    HeaderMatch::Regex(wanted) => wanted.is_match(value),
                })
            })
        })
    }
}

fn criteria(route: &Route, paths: Paths) -> Criteria {
    let plain = |host: &HostMatch| matches!(host.name, HostName::Plain(_));
    let hosts = match route.hosts.as_slice() {
        [] => Hosts::None,
        hosts if hosts.iter().all(plain) => Hosts::Plain,
        _ => Hosts::Wildcard,
    };
    Criteria { methods: !route.methods.is_empty(), hosts, headers: route.headers.len(), paths }
}

fn matched_part<'p>(wanted: &PathMatch, path: &'p str) -> Option<&'p str> {
    match wanted {
        PathMatch::Prefix(prefix) => path.starts_with(prefix.as_str()).then(|| &path[..prefix.len()]),
        PathMatch::Regex(regex) => regex.find(path).map(|found| found.as_str()),
    }
}

/// A header's values in lower case. Kong asks for the name with underscores, which finds a header that is spelt so
/// and, where there is none, the one with dashes (kong/router/fields.lua; lua-resty-core, ngx.req.get_headers).
fn header_values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = |name: String| -> Vec<String> {
        let text =
            |value: &http::HeaderValue| std::str::from_utf8(value.as_bytes()).ok().map(str::to_lowercase);
        headers.get_all(name).iter().filter_map(text).collect()
    };
    match values(name.replace('-', "_")) {
        found if found.is_empty() => values(name.replace('_', "-")),
        found => found,
    }
}

/// The id under which Kong files a part of a route, which decides between equal priorities.
fn part_id(route: &str, nth: usize) -> String {
    Uuid::new_v5(&PARTS, format!("{route}#{nth}").as_bytes()).to_string()
}

/// kong/router/transform.lua, uuid_generator.
const PARTS: Uuid = uuid!("7f145bf9-0dce-4f91-98eb-debbce4b9f6b");
