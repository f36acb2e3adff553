//! What documents hold: policies, and whatever around them says where they are in force.
//!
//! Unlike a gateway's reading, this one passes over what it does not know: a real Kong's config is full of other things.

use super::Document;
use super::members::{Entity, Kind, entities, is_resource};
use kong_config::document::{Node, Value, with_names};

/// All that the documents hold together.
pub struct Setup<'d> {
    pub services: Vec<Service<'d>>,
    pub routes: Vec<Route<'d>>,
    /// In the order in which they decide: those of services before those of routes.
    pub policies: Vec<Placed<'d>>,
    /// KongPlugins of mtls-policy whose config, or a part of it, is in a Secret.
    pub unread: Vec<(&'d Document, &'d Node)>,
    /// Instances of upstream-mtls.
    pub presenters: Vec<Placed<'d>>,
    /// All plugins, of whatever name, off ones too.
    pub plugins: Vec<Plugin<'d>>,
    /// All entities, in the order of the documents.
    pub entities: Vec<Entity<'d>>,
    /// Kong's own consumers' usernames and groups, for policies that leave authentication to it; `None`: nothing is
    /// said of them.
    pub established: Option<Established<'d>>,
}

/// Kong's own consumers.
#[derive(Default)]
pub struct Established<'d> {
    pub usernames: Vec<&'d str>,
    pub groups: Vec<&'d str>,
}

pub struct Service<'d> {
    pub document: &'d Document,
    pub node: &'d Node,
    pub name: &'d str,
    pub id: &'d str,
}

pub struct Route<'d> {
    pub document: &'d Document,
    pub node: &'d Node,
    pub name: &'d str,
    pub id: &'d str,
    /// Index into [`Setup::services`]; `None`: it has none here.
    pub service: Option<usize>,
}

/// A plugin of any name, and where it is in force.
pub struct Plugin<'d> {
    pub document: &'d Document,
    pub node: &'d Node,
    pub name: &'d str,
    pub scope: Scope,
    pub on: bool,
}

/// A plugin's config and where it is in force.
pub struct Placed<'d> {
    pub document: &'d Document,
    /// The plugin, or the filter in its chain.
    pub entity: &'d Node,
    pub config: &'d Node,
    pub scope: Scope,
    /// Whether it stands in a filter chain, so that only the filter reads it.
    pub chained: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A policy in a file of its own.
    Alone,
    Global,
    /// Index into [`Setup::services`].
    Service(usize),
    /// Index into [`Setup::routes`].
    Route(usize),
    /// Of what is in none of the documents, by its name or id.
    Elsewhere(String),
    /// A KongPlugin or KongClusterPlugin, by its kind, namespace and name. Annotations of other resources say where it is
    /// in force.
    Resource(String),
}

impl<'d> Setup<'d> {
    /// What the documents hold together.
    pub fn of(documents: &'d [Document]) -> Self {
        let mut found = Vec::new();
        for document in documents {
            entities(document, &mut found);
        }
        let of_kind = |kind| found.iter().filter(move |entity: &&Entity<'d>| entity.kind == kind);
        let services: Vec<_> = of_kind(Kind::Service).map(Service::of).collect();
        let routes: Vec<_> = of_kind(Kind::Route).map(|entity| Route::of(entity, &services)).collect();
        let mut setup = Self {
            services,
            routes,
            policies: Vec::new(),
            unread: Vec::new(),
            presenters: Vec::new(),
            plugins: Vec::new(),
            entities: Vec::new(),
            established: None,
        };
        for entity in &found {
            setup.add(entity);
        }
        setup.entities = found;
        // A service's filters run before a route's.
        setup.policies.sort_by_key(|policy| matches!(policy.scope, Scope::Route(_)));
        setup
    }

    fn add(&mut self, entity: &Entity<'d>) {
        let Entity { kind, document, node, .. } = *entity;
        match kind {
            Kind::Policy => self.policies.push(Placed {
                document,
                entity: node,
                config: node,
                scope: Scope::Alone,
                chained: false,
            }),
            Kind::Plugin => {
                let is_resource = is_resource(node);
                let name = if is_resource { "plugin" } else { "name" };
                let (name, scope, on) = (text(node, name), self.scope(entity), !is_off(node));
                let in_secret =
                    ["configFrom", "configPatches"].into_iter().any(|field| node.get(field).is_some());
                if is_resource && in_secret && on && name == "mtls-policy" {
                    self.unread.push((document, node));
                }
                // A config that is not there is an empty one; the plugin stands for it.
                let config = node.get("config").filter(|config| !matches!(config.value, Value::Null));
                if let Some(config) = config.filter(|_| on) {
                    let placed =
                        Placed { document, entity: node, config, scope: scope.clone(), chained: false };
                    match name {
                        "mtls-policy" => self.policies.push(placed),
                        "upstream-mtls" => self.presenters.push(placed),
                        _ => {}
                    }
                }
                self.plugins.push(Plugin { document, node, name, scope, on });
            }
            Kind::FilterChain if is_off(node) => {}
            Kind::FilterChain => {
                let scope = self.scope(entity);
                let filters = node.get("filters").map(Node::items).unwrap_or_default();
                let ours = filters.iter().filter(|filter| {
                    filter.get("name").and_then(Node::as_str) == Some("mtls-policy") && !is_off(filter)
                });
                for filter in ours {
                    let Some(config) = filter.get("config") else { continue };
                    self.policies.push(Placed {
                        document,
                        entity: filter,
                        config,
                        scope: scope.clone(),
                        chained: true,
                    });
                }
            }
            Kind::Consumer => {
                let known = self.established.get_or_insert_default();
                known.usernames.extend(node.get("username").and_then(Node::as_str));
                let lists = [node.get("acls"), node.get("groups")].into_iter().flatten();
                known.groups.extend(lists.flat_map(Node::items).filter_map(group));
            }
            Kind::Acl => self.established.get_or_insert_default().groups.extend(group(node)),
            Kind::CaCertificate
            | Kind::Certificate
            | Kind::ConsumerGroup
            | Kind::Credential
            | Kind::Route
            | Kind::Service
            | Kind::Unknown
            | Kind::Upstream => {}
        }
    }

    fn scope(&self, entity: &Entity<'d>) -> Scope {
        let index = |kind: &str, reference: &str| match kind {
            "route" => self
                .routes
                .iter()
                .position(|route| [route.name, route.id].contains(&reference))
                .map(Scope::Route),
            _ => self
                .services
                .iter()
                .position(|service| [service.name, service.id].contains(&reference))
                .map(Scope::Service),
        };
        if is_resource(entity.node) {
            return Scope::Resource(resource_name(entity.node));
        }
        if let Some(around) = entity.around {
            // What it is nested in may have neither name nor id.
            let route = self.routes.iter().position(|route| std::ptr::eq(route.node, around));
            let service = self.services.iter().position(|service| std::ptr::eq(service.node, around));
            let here = route.map(Scope::Route).or(service.map(Scope::Service));
            return here
                .unwrap_or_else(|| Scope::Elsewhere(format!("consumer {}", text(around, "username"))));
        }
        for kind in ["consumer", "consumer_group", "route", "service"] {
            if let Some(reference) = entity.node.get(kind).and_then(reference) {
                return index(kind, reference)
                    .filter(|_| !kind.starts_with("consumer"))
                    .unwrap_or_else(|| Scope::Elsewhere(format!("{kind} {reference}")));
            }
        }
        Scope::Global
    }

    /// The policies that decide on a route, in their order.
    pub fn deciding(&self, route: usize) -> impl Iterator<Item = &Placed<'d>> {
        self.policies.iter().filter(move |policy| self.covers(&policy.scope, route))
    }

    /// The instance of upstream-mtls that serves a route, as Kong chooses it: the most specific.
    pub fn presenter(&self, route: usize) -> Option<&Placed<'d>> {
        let scopes = [
            Some(Scope::Route(route)),
            self.routes.get(route).and_then(|route| route.service).map(Scope::Service),
            Some(Scope::Global),
        ];
        let mut scopes = scopes.into_iter().flatten();
        scopes.find_map(|scope| self.presenters.iter().find(|presenter| presenter.scope == scope))
    }

    fn covers(&self, scope: &Scope, route: usize) -> bool {
        match scope {
            Scope::Alone | Scope::Elsewhere(_) | Scope::Resource(_) => false,
            Scope::Global => true,
            Scope::Service(index) => self.routes[route].service == Some(*index),
            Scope::Route(index) => *index == route,
        }
    }

    /// The routes that a policy decides on.
    pub fn routes_of(&self, scope: &Scope) -> impl Iterator<Item = usize> {
        (0..self.routes.len()).filter(move |route| self.covers(scope, *route))
    }

    /// The route of a name or an id.
    pub fn route(&self, name: &str) -> Option<usize> {
        self.routes.iter().position(|route| [route.name, route.id].contains(&name))
    }
}

impl<'d> Service<'d> {
    fn of(entity: &Entity<'d>) -> Self {
        let Entity { document, node, .. } = *entity;
        Self { document, node, name: text(node, "name"), id: text(node, "id") }
    }

    /// Whether the upstream is reached by TLS.
    pub fn is_tls(&self) -> bool {
        let url = text(self.node, "url");
        url.starts_with("https:") || ["https", "grpcs", "tls", "wss"].contains(&text(self.node, "protocol"))
    }

    /// Whether Kong itself presents a client certificate there.
    pub fn presents(&self) -> bool {
        self.node.get("client_certificate").is_some_and(|node| !matches!(node.value, Value::Null))
    }
}

impl<'d> Route<'d> {
    fn of(entity: &Entity<'d>, services: &[Service<'d>]) -> Self {
        let Entity { document, node, .. } = *entity;
        let named =
            |reference| services.iter().position(|service| [service.name, service.id].contains(&reference));
        let service = match entity.around {
            Some(around) => services.iter().position(|service| std::ptr::eq(service.node, around)),
            None => node.get("service").and_then(reference).and_then(named),
        };
        Self { document, node, name: text(node, "name"), id: text(node, "id"), service }
    }

    /// Its name, else its id, else its first path.
    pub fn label(&self) -> &'d str {
        let path = || self.node.get("paths")?.items().first()?.as_str();
        [self.name, self.id]
            .into_iter()
            .find(|label| !label.is_empty())
            .or_else(path)
            .unwrap_or("(without a name)")
    }
}

impl Placed<'_> {
    /// The KongPlugin that it is, as messages name it: `KongPlugin NAMESPACE/NAME`.
    pub fn resource(&self) -> Option<&str> {
        match &self.scope {
            Scope::Resource(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the policy as its compiler takes it: a filter chain may hold it as text. The names of variables stand in the
    /// place of decK's templates.
    pub fn json(&self) -> Vec<u8> {
        if let Some(text) = self.config.as_str() {
            return text.as_bytes().to_vec();
        }
        let mut config = self.config.to_json();
        if self.document.text.contains("${{") {
            name_variables(&mut config);
        }
        config.to_string().into_bytes()
    }
}

fn name_variables(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = with_names(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(name_variables),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(name_variables),
        _ => {}
    }
}

fn is_off(node: &Node) -> bool {
    // Kong's field, and a KongPlugin's.
    let is = |field: &str, value| {
        node.get(field).is_some_and(|node| matches!(node.value, Value::Boolean(found) if found == value))
    };
    is("enabled", false) || is_resource(node) && is("disabled", true)
}

/// `KongPlugin NAMESPACE/NAME`, or without a namespace where the manifest names none.
fn resource_name(node: &Node) -> String {
    let metadata =
        |field: &str| node.get("metadata").map(|metadata| text(metadata, field)).unwrap_or_default();
    let (kind, namespace, name) = (text(node, "kind"), metadata("namespace"), metadata("name"));
    match namespace {
        "" => format!("{kind} {name}"),
        namespace => format!("{kind} {namespace}/{name}"),
    }
}

/// A consumer's group, written alone or as Kong's entity.
fn group(node: &Node) -> Option<&str> {
    node.as_str().or_else(|| node.get("group")?.as_str())
}

/// `name`, `{name: …}` or `{id: …}`.
fn reference(node: &Node) -> Option<&str> {
    node.as_str().or_else(|| node.get("name").or(node.get("id"))?.as_str())
}

fn text<'d>(node: &'d Node, field: &str) -> &'d str {
    node.get(field).and_then(Node::as_str).unwrap_or_default()
}
