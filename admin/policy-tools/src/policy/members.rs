//! Kong's entities in a document of any of the kinds that are known, by its content.

use super::Document;
use kong_config::document::{Node, Value};

/// An entity, and which one it is nested in.
#[derive(Clone, Copy)]
pub struct Entity<'d> {
    pub kind: Kind,
    pub document: &'d Document,
    pub node: &'d Node,
    pub around: Option<&'d Node>,
}

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Acl,
    CaCertificate,
    Certificate,
    Consumer,
    ConsumerGroup,
    /// An API key of Kong's key-auth.
    Credential,
    FilterChain,
    Plugin,
    /// A whole document that is a policy and nothing else.
    Policy,
    Route,
    Service,
    /// What an Admin API lists and is nothing of the above.
    Unknown,
    Upstream,
}

impl Kind {
    /// The list of a declarative config that holds such entities.
    pub fn list(self) -> Option<&'static str> {
        LISTS.iter().find(|(_, kind)| *kind == self).map(|(name, _)| *name)
    }
}

/// Adds the entities of a document: declarative config (Kong's or decK's), what an Admin API lists, several such lists by
/// their names, one plugin of either, or Kubernetes manifests; all else is a policy.
pub fn entities<'d>(document: &'d Document, found: &mut Vec<Entity<'d>>) {
    for root in document.roots() {
        entities_of(document, root, found);
    }
}

/// Whether a document is a Kubernetes manifest.
pub(super) fn is_resource(node: &Node) -> bool {
    ["apiVersion", "kind"].into_iter().all(|field| node.get(field).and_then(Node::as_str).is_some())
}

fn entities_of<'d>(document: &'d Document, root: &'d Node, found: &mut Vec<Entity<'d>>) {
    let mut reader = Reader { document, found };
    if is_resource(root) {
        return reader.resource(root);
    }
    if let Some(data) = root.get("data").filter(|data| matches!(data.value, Value::List(_))) {
        return data.items().iter().for_each(|item| reader.listed(item));
    }
    let lists = LISTS.iter().filter(|(name, kind)| {
        // A policy has consumers too.
        *kind != Kind::Consumer && root.get(name).is_some()
    });
    if root.get("_format_version").is_some() || lists.count() > 0 {
        return reader.lists(root, None);
    }
    let plugin = root.get("config").is_some() && (root.get("name").or(root.get("plugin"))).is_some();
    let kind = if plugin { Kind::Plugin } else { Kind::Policy };
    reader.add(kind, root, None);
}

struct Reader<'d, 'f> {
    document: &'d Document,
    found: &'f mut Vec<Entity<'d>>,
}

impl<'d> Reader<'d, '_> {
    fn lists(&mut self, node: &'d Node, around: Option<&'d Node>) {
        for (name, kind) in LISTS {
            let Some(list) = node.get(name) else { continue };
            // By their names, as the Admin API lists them.
            for item in list.get("data").unwrap_or(list).items() {
                self.add(kind, item, around);
                if matches!(kind, Kind::Consumer | Kind::ConsumerGroup | Kind::Route | Kind::Service) {
                    self.lists(item, Some(item));
                }
            }
        }
    }

    /// KongPlugins, in lists too: `kubectl get` writes one of kind `List`.
    fn resource(&mut self, node: &'d Node) {
        match node.get("kind").and_then(Node::as_str).unwrap_or_default() {
            "KongPlugin" | "KongClusterPlugin" => self.add(Kind::Plugin, node, None),
            list if list.ends_with("List") => {
                node.get("items")
                    .map(Node::items)
                    .unwrap_or_default()
                    .iter()
                    .for_each(|item| self.resource(item));
            }
            _ => {}
        }
    }

    /// What an Admin API lists says of itself what it is by its fields.
    fn listed(&mut self, item: &'d Node) {
        let has = |fields: &[&str]| fields.iter().all(|field| item.get(field).is_some());
        let kind = match () {
            () if has(&["name", "config"]) && !has(&["prefix"]) => Kind::Plugin,
            () if has(&["filters"]) => Kind::FilterChain,
            () if has(&["host", "port"]) => Kind::Service,
            () if has(&["group", "consumer"]) => Kind::Acl,
            () if has(&["key", "consumer"]) => Kind::Credential,
            () if has(&["username", "custom_id"]) => Kind::Consumer,
            () if has(&["cert", "key"]) => Kind::Certificate,
            () if has(&["cert", "cert_digest"]) => Kind::CaCertificate,
            () if has(&["algorithm", "hash_on"]) => Kind::Upstream,
            () if has(&["service"]) => Kind::Route,
            () if has(&["username"]) && !has(&["consumer"]) => Kind::Consumer,
            () => Kind::Unknown,
        };
        self.add(kind, item, None);
    }

    fn add(&mut self, kind: Kind, node: &'d Node, around: Option<&'d Node>) {
        self.found.push(Entity { kind, document: self.document, node, around });
    }
}

const LISTS: [(&str, Kind); 11] = [
    ("services", Kind::Service),
    ("routes", Kind::Route),
    ("plugins", Kind::Plugin),
    ("filter_chains", Kind::FilterChain),
    ("consumers", Kind::Consumer),
    ("consumer_groups", Kind::ConsumerGroup),
    ("keyauth_credentials", Kind::Credential),
    ("acls", Kind::Acl),
    ("certificates", Kind::Certificate),
    ("ca_certificates", Kind::CaCertificate),
    ("upstreams", Kind::Upstream),
];
