//! The old config with what changes in it: all else is as it was, but for comments and how it was written.

use std::collections::{HashMap, HashSet};

use crate::migrate::Refused;
use crate::migrate::report::{Notes, Outcome};
use crate::policy::{Document, Kind, Setup};
use kong_config::document::{Key, Node, Value};

/// Changes, by the values that they are made to.
#[derive(Default)]
pub(super) struct Rewrite {
    dropped: HashSet<*const Node>,
    fields: HashMap<*const Node, Vec<&'static str>>,
    plugins: HashMap<*const Node, Vec<Node>>,
}

impl Rewrite {
    pub(super) fn drop(&mut self, node: &Node) {
        self.dropped.insert(std::ptr::from_ref(node));
    }

    pub(super) fn drop_field(&mut self, entity: &Node, field: &'static str) {
        self.fields.entry(std::ptr::from_ref(entity)).or_default().push(field);
    }

    /// Adds an entry to the `plugins` of an entity.
    pub(super) fn add_plugin(&mut self, entity: &Node, plugin: Node) {
        self.plugins.entry(std::ptr::from_ref(entity)).or_default().push(plugin);
    }

    /// One declarative config, also of what an Admin API has listed.
    pub(super) fn document(&self, documents: &[Document], setup: &Setup<'_>) -> Node {
        if let [document] = documents
            && !is_listed(document)
        {
            return self.copy(&document.root);
        }
        let mut fields = vec![("_format_version", Node::from("3.0"))];
        let mut kinds: Vec<_> = setup.entities.iter().map(|entity| entity.kind).collect();
        let mut seen = Vec::new();
        kinds.retain(|kind| {
            !seen.contains(kind) && {
                seen.push(*kind);
                true
            }
        });
        for kind in kinds {
            let Some(list) = kind.list() else { continue };
            let there = setup.entities.iter().filter(|entity| entity.kind == kind && entity.around.is_none());
            let there: Vec<_> = there.filter(|entity| !self.is_dropped(entity.node)).collect();
            if !there.is_empty() {
                fields.push((
                    list,
                    there.into_iter().map(|entity| without_nulls(self.copy(entity.node))).collect(),
                ));
            }
        }
        fields.into_iter().collect()
    }

    fn is_dropped(&self, node: &Node) -> bool {
        self.dropped.contains(&std::ptr::from_ref(node))
    }

    fn copy(&self, node: &Node) -> Node {
        let here = std::ptr::from_ref(node);
        let value = match &node.value {
            Value::List(items) => Value::List(
                items.iter().filter(|item| !self.is_dropped(item)).map(|item| self.copy(item)).collect(),
            ),
            Value::Map(entries) => {
                let gone = self.fields.get(&here).map(Vec::as_slice).unwrap_or_default();
                let stays = |(key, value): &&(Key, Node)| {
                    let emptied =
                        !value.items().is_empty() && value.items().iter().all(|item| self.is_dropped(item));
                    !gone.contains(&key.name.as_str()) && !emptied
                };
                let mut entries: Vec<_> = entries
                    .iter()
                    .filter(stays)
                    .map(|(key, value)| (key.clone(), self.copy(value)))
                    .collect();
                if let Some(plugins) = self.plugins.get(&here) {
                    add(&mut entries, plugins);
                }
                Value::Map(entries)
            }
            other => other.clone(),
        };
        value.into()
    }
}

fn add(entries: &mut Vec<(Key, Node)>, plugins: &[Node]) {
    for (key, value) in entries.iter_mut() {
        if let (Value::List(items), "plugins") = (&mut value.value, key.name.as_str()) {
            return items.extend_from_slice(plugins);
        }
    }
    let fresh: Node = [("plugins", plugins.iter().cloned().collect())].into_iter().collect();
    if let Value::Map(fresh) = fresh.value {
        entries.retain(|(key, _)| key.name != "plugins");
        entries.extend(fresh);
    }
}

/// An Admin API tells every field.
fn without_nulls(node: Node) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(without_nulls).collect()),
        Value::Map(entries) => {
            let there = entries.into_iter().filter(|(_, value)| !matches!(value.value, Value::Null));
            Value::Map(there.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    };
    value.into()
}

/// Whether a document is what an Admin API has listed, and not a declarative config.
pub(super) fn is_listed(document: &Document) -> bool {
    let list = |node: &Node| node.get("data").is_some_and(|data| matches!(data.value, Value::List(_)));
    let fields = match &document.root.value {
        Value::Map(fields) => fields.as_slice(),
        _ => &[],
    };
    list(&document.root) || fields.iter().any(|(_, value)| list(value))
}

/// # Errors
/// Several configs, or lists of which there is more.
pub(super) fn check_one_setup(documents: &[Document]) -> Result<(), Refused> {
    let unusable =
        |document: &Document, what: &str| Err(Refused::Unusable(format!("{}: {what}", document.name)));
    for document in documents {
        if document.is_manifest() {
            let message = "Kubernetes manifests cannot be migrated; give the config of the Kong that they configure, as GET \
                           /config of its Admin API has it";
            return unusable(document, message);
        }
        if documents.len() > 1 && !is_listed(document) {
            return unusable(document, "one config at a time; several files are for what an Admin API lists");
        }
        let more =
            |node: &Node| node.get("next").or(node.get("offset")).is_some_and(|next| next.as_str().is_some());
        let fields = match &document.root.value {
            Value::Map(fields) => fields.as_slice(),
            _ => &[],
        };
        if is_listed(document) && (more(&document.root) || fields.iter().any(|(_, list)| more(list))) {
            return unusable(
                document,
                "only the first page of a list: ask the Admin API with ?size=1000, or use decK",
            );
        }
    }
    let setup = Setup::of(documents);
    let strange = setup.entities.iter().find(|entity| {
        entity.kind == Kind::Policy || entity.kind == Kind::Plugin && entity.node.get("apiVersion").is_some()
    });
    match strange {
        Some(entity) => unusable(entity.document, "no config of Kong's, but something else"),
        None => Ok(()),
    }
}

/// What the new config does not have.
pub(super) fn say_what_is_lost<'d>(documents: &'d [Document], setup: &Setup<'d>, notes: &mut Notes<'d>) {
    for entity in setup.entities.iter().filter(|entity| entity.kind == Kind::Unknown) {
        let message = "what this is is not known here: the new config is without it";
        notes.cure(
            Outcome::Unmapped,
            entity.node,
            message,
            "add it by hand, or migrate what decK or /config tells",
        );
    }
    let [document] = documents else { return };
    if document.has_comments() {
        notes.add(Outcome::Differs, &document.root, "comments are not kept, nor how it was written");
    }
}
