//! A document to a [`Config`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::certificate::{Environment, ca_certificates, certificates};
use super::names::Names;
use super::plugin::{Plugin, Scope, filter, filter_chain, plugin, unknown};
use super::route::route;
use super::service::service;
use super::upstream_mtls::{Entities, upstream_mtls};
use super::{Config, Filter, UpstreamMtls};
use crate::document::{self, Fields, Place, Problem, Problems, Report};

/// Reads a declarative config (YAML or JSON) from a file. `filters` are the names of the filters that are loaded.
///
/// # Errors
/// The file cannot be read, or all that is wrong with it.
pub fn load(path: &Path, filters: &BTreeSet<String>) -> Result<Config, Problems> {
    parse(&text(path)?, &path.display().to_string(), filters)
}

/// What a file holds.
///
/// # Errors
/// It cannot be read.
pub fn text(path: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| {
        Problem {
            file: Some(path.display().to_string()),
            line: None,
            span: None,
            path: String::new(),
            message: format!("cannot be read: {error}"),
        }
        .into()
    })
}

/// Reads a declarative config (YAML or JSON); `name` stands in messages. `filters` are the names of the filters
/// that are loaded. `{vault://env/NAME}` is looked up in this process's environment.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(text: &str, name: &str, filters: &BTreeSet<String>) -> Result<Config, Problems> {
    parse_in(text, name, filters, &|name| std::env::var(name).ok())
}

pub(super) fn parse_in(
    text: &str,
    name: &str,
    filters: &BTreeSet<String>,
    env: Environment<'_>,
) -> Result<Config, Problems> {
    let report = Report::new(Some(name));
    let config = document::parse(text, &report).and_then(|document| {
        let fields = Place::root(&document, &report).fields()?;
        Some(Reader::new(filters, env).read(fields))
    });
    report.conclude(config)
}

struct Reader<'r, 'd> {
    filters: &'r BTreeSet<String>,
    env: Environment<'r>,
    config: Config,
    services: Names,
    routes: Names,
    certificates: Names,
    ca_certificates: Names,
    /// Read last, since they may refer to any service and route.
    plugins: Vec<(Place<'d>, Scope)>,
    filter_chains: Vec<(Place<'d>, Scope)>,
}

impl<'r, 'd> Reader<'r, 'd> {
    fn new(filters: &'r BTreeSet<String>, env: Environment<'r>) -> Self {
        Self {
            filters,
            env,
            config: Config::default(),
            services: Names::new("service"),
            routes: Names::new("route"),
            certificates: Names::new("certificate"),
            ca_certificates: Names::new("CA certificate"),
            plugins: Vec::new(),
            filter_chains: Vec::new(),
        }
    }

    fn read(mut self, mut fields: Fields<'d>) -> Config {
        check_format(&mut fields);
        self.config.certificates = certificates(fields.get("certificates"), &mut self.certificates, self.env);
        self.config.ca_certificates =
            ca_certificates(fields.get("ca_certificates"), &mut self.ca_certificates);
        for place in fields.get("services").iter().flat_map(Place::items) {
            self.service(&place);
        }
        for place in fields.get("routes").iter().flat_map(Place::items) {
            self.top_level_route(&place);
        }
        self.nested(&mut fields, Scope::Global);
        for (field, why) in UNSUPPORTED {
            fields.refuse(field, why);
        }
        fields.skip("_comment");
        fields.skip("_ignore");
        fields.finish();
        self.attach_filter_chains();
        self.attach_plugins();
        self.config
    }

    fn service(&mut self, place: &Place<'d>) {
        let Some(mut fields) = place.fields() else { return };
        let index = self.config.services.len();
        let (certificates, cas) = (&self.certificates, &self.ca_certificates);
        let service = service(&mut fields, index, &mut self.services, certificates, cas);
        self.config.services.push(service);
        self.nested(&mut fields, Scope::Service(index));
        let routes = fields.get("routes");
        fields.finish();
        for place in routes.iter().flat_map(Place::items) {
            let Some(mut fields) = place.fields() else { continue };
            fields
                .refuse("service", "not needed here: the route belongs to the service that it is nested in");
            self.route(fields, index);
        }
    }

    fn top_level_route(&mut self, place: &Place<'d>) {
        let Some(mut fields) = place.fields() else { return };
        let service = fields.need("service").and_then(|reference| self.services.find(&reference));
        // Without a service the config is refused; the rest of the route is checked all the same.
        self.route(fields, service.unwrap_or(0));
    }

    fn route(&mut self, mut fields: Fields<'d>, service: usize) {
        let index = self.config.routes.len();
        let route = route(&mut fields, service, index, &mut self.routes);
        self.config.routes.push(route);
        self.nested(&mut fields, Scope::Route(index));
        fields.finish();
    }

    fn nested(&mut self, fields: &mut Fields<'d>, scope: Scope) {
        let chains = fields.get("filter_chains");
        self.filter_chains.extend(chains.iter().flat_map(Place::items).map(|place| (place, scope)));
        let plugins = fields.get("plugins");
        self.plugins.extend(plugins.iter().flat_map(Place::items).map(|place| (place, scope)));
    }

    /// A service or route has one filter chain at most; filters given as plugins are added to it
    /// (kong/runloop/wasm.lua, rebuild_state).
    fn attach_filter_chains(&mut self) {
        let mut seen = BTreeMap::new();
        for (place, around) in std::mem::take(&mut self.filter_chains) {
            let chain = filter_chain(&place, around, &self.services, &self.routes, self.filters);
            let Some((scope, filters)) = chain else { continue };
            match seen.insert(scope, place.line()) {
                Some(line) => {
                    place.problem(format_args!("a second filter chain, the first is on line {line}"))
                }
                None => filters.into_iter().for_each(|filter| self.add_filter(scope, filter)),
            }
        }
    }

    fn attach_plugins(&mut self) {
        let mut seen = BTreeMap::new();
        for (place, around) in std::mem::take(&mut self.plugins) {
            let Some(plugin) = plugin(place, around, &self.services, &self.routes) else { continue };
            if let Some(line) = seen.insert((plugin.scope, plugin.name), plugin.place.line()) {
                let name = plugin.name;
                plugin.place.problem(format_args!("a second plugin {name:?}, the first is on line {line}"));
            }
            if plugin.name == UPSTREAM_MTLS {
                self.attach_upstream_mtls(&plugin);
            } else if self.filters.contains(plugin.name) {
                self.attach_filter(&plugin);
            } else {
                let known = self.filters.iter().map(String::as_str).chain([UPSTREAM_MTLS]);
                plugin.place.problem(unknown(plugin.name, "plugin", known));
            }
        }
    }

    fn attach_filter(&mut self, plugin: &Plugin<'_>) {
        if plugin.scope == Scope::Global {
            plugin.place.problem("a filter belongs to a service or a route: name one, or nest it there");
        }
        if plugin.enabled {
            self.add_filter(plugin.scope, filter(&plugin.place, plugin.name, plugin.config.as_ref()));
        }
    }

    fn attach_upstream_mtls(&mut self, plugin: &Plugin<'_>) {
        let Some(config) = &plugin.config else {
            plugin.place.problem("config is missing");
            return;
        };
        let (certificates, ca_certificates) = (&self.certificates, &self.ca_certificates);
        let entities = Entities { certificates, ca_certificates, env: self.env };
        let Some(fields) = config.fields() else { return };
        let read = upstream_mtls(fields, &entities);
        if plugin.enabled {
            *self.upstream_mtls_of(plugin.scope) = Some(read);
        }
    }

    fn add_filter(&mut self, scope: Scope, filter: Filter) {
        match scope {
            Scope::Global => {}
            Scope::Service(index) => self.config.services[index].filters.push(filter),
            Scope::Route(index) => self.config.routes[index].filters.push(filter),
        }
    }

    fn upstream_mtls_of(&mut self, scope: Scope) -> &mut Option<UpstreamMtls> {
        match scope {
            Scope::Global => &mut self.config.upstream_mtls,
            Scope::Service(index) => &mut self.config.services[index].upstream_mtls,
            Scope::Route(index) => &mut self.config.routes[index].upstream_mtls,
        }
    }
}

fn check_format(fields: &mut Fields<'_>) {
    if let Some(version) = fields.need("_format_version")
        && let Some(text) = version.string()
        && text != "3.0"
    {
        version.problem(format_args!("{text:?} is not supported: only \"3.0\" is"));
    }
    if let Some(transform) = fields.get("_transform")
        && transform.boolean() == Some(false)
    {
        transform.problem("only true is supported");
    }
}

const UPSTREAM_MTLS: &str = "upstream-mtls";

/// Kong's other entities, so that a message can say more than that the field is unknown.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("consumer_groups", NO_CONSUMERS),
    ("consumers", NO_CONSUMERS),
    ("key_sets", "not supported here"),
    ("keys", "not supported here"),
    ("snis", "not supported: clients are not served by TLS here"),
    ("targets", NO_UPSTREAMS),
    ("upstreams", NO_UPSTREAMS),
    ("vaults", "not supported: {vault://env/NAME} works without an entity"),
];

const NO_CONSUMERS: &str = "not supported here: consumers and their keys belong into the filter's config";
const NO_UPSTREAMS: &str = "not supported here: name the host in the service";
