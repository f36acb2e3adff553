//! A declarative configuration as the entities that Kong's Admin API creates.
//!
//! Kong itself does the same for `POST /config` (kong/db/schema/others/declarative_config.lua): nested entities become
//! entities of their own with a foreign key, names become ids, and an entity without an id gets one that depends on
//! what names it.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use kong_config::declarative::derived_id;
use kong_config::document::{self, Report};

/// A kind of entity.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its list in a declarative configuration.
    pub name: &'static str,
    /// Its collection in the Admin API, below the parent's if it has one.
    collection: &'static str,
    /// The foreign key and the kind of the entity below which the Admin API has it.
    parent: Option<(&'static str, &'static str)>,
    /// Other foreign keys, and the kinds that they refer to.
    references: &'static [(&'static str, &'static str)],
    /// The fields of which one names it: the first that is present.
    named_by: &'static [&'static str],
    /// Whether entities of different parents may have the same name.
    is_scoped: bool,
    /// Whether the Admin API creates it by `POST` to the collection only.
    pub is_posted: bool,
}

const PLAIN: Kind = Kind {
    name: "",
    collection: "",
    parent: None,
    references: &[],
    named_by: &[],
    is_scoped: false,
    is_posted: false,
};

const PLUGIN: Kind = Kind {
    references: &[("service", "services"), ("route", "routes"), ("consumer", "consumers")],
    named_by: &["instance_name", "name"],
    is_scoped: true,
    ..PLAIN
};

const CREDENTIAL: Kind = Kind { parent: Some(("consumer", "consumers")), ..PLAIN };

/// All kinds, each after those that it refers to.
const KINDS: [Kind; 18] = [
    Kind { name: "vaults", collection: "vaults", named_by: &["prefix"], ..PLAIN },
    Kind { name: "ca_certificates", collection: "ca_certificates", named_by: &["cert"], ..PLAIN },
    Kind { name: "certificates", collection: "certificates", named_by: &["cert"], ..PLAIN },
    Kind {
        name: "snis",
        collection: "snis",
        references: &[("certificate", "certificates")],
        named_by: &["name"],
        ..PLAIN
    },
    Kind { name: "key_sets", collection: "key-sets", named_by: &["name"], ..PLAIN },
    Kind {
        name: "keys",
        collection: "keys",
        references: &[("set", "key_sets")],
        named_by: &["name", "kid"],
        is_scoped: true,
        ..PLAIN
    },
    Kind {
        name: "services",
        collection: "services",
        references: &[("client_certificate", "certificates")],
        named_by: &["name"],
        ..PLAIN
    },
    Kind {
        name: "upstreams",
        collection: "upstreams",
        references: &[("client_certificate", "certificates")],
        named_by: &["name"],
        ..PLAIN
    },
    Kind {
        name: "targets",
        collection: "targets",
        parent: Some(("upstream", "upstreams")),
        named_by: &["target"],
        is_scoped: true,
        is_posted: true,
        ..PLAIN
    },
    Kind { name: "consumers", collection: "consumers", named_by: &["username", "custom_id"], ..PLAIN },
    Kind { name: "keyauth_credentials", collection: "key-auth", named_by: &["key"], ..CREDENTIAL },
    Kind { name: "basicauth_credentials", collection: "basic-auth", named_by: &["username"], ..CREDENTIAL },
    Kind { name: "hmacauth_credentials", collection: "hmac-auth", named_by: &["username"], ..CREDENTIAL },
    Kind { name: "jwt_secrets", collection: "jwt", named_by: &["key"], ..CREDENTIAL },
    Kind { name: "acls", collection: "acls", named_by: &["group"], is_scoped: true, ..CREDENTIAL },
    Kind {
        name: "routes",
        collection: "routes",
        references: &[("service", "services")],
        named_by: &["name"],
        ..PLAIN
    },
    Kind { name: "plugins", collection: "plugins", ..PLUGIN },
    Kind { name: "filter_chains", collection: "filter-chains", ..PLUGIN },
];

impl Kind {
    fn foreign_keys(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.parent.into_iter().chain(self.references.iter().copied())
    }

    /// The foreign key by which it belongs to an entity in which it is nested.
    fn foreign_key_to(&self, kind: &str) -> Option<&'static str> {
        self.foreign_keys().find(|(_, target)| *target == kind).map(|(field, _)| field)
    }
}

/// One entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    pub kind: &'static Kind,
    pub id: String,
    /// The collection of the Admin API that it belongs to: `/consumers/ID/key-auth`.
    pub collection: String,
    /// Its fields without `id`.
    pub fields: Map<String, Value>,
}

impl Entity {
    /// Its address in the Admin API.
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection, self.id)
    }
}

/// The entities of a configuration by their addresses in the Admin API, each behind those that it refers to.
#[derive(Clone, Debug, Default)]
pub struct Entities(Vec<Entity>);

impl Entities {
    /// Reads a declarative configuration (YAML or JSON).
    ///
    /// # Errors
    /// It is no YAML, or has a list of a kind that is unknown, a reference to an unknown entity, or an entity twice.
    pub fn read(config: &str) -> anyhow::Result<Self> {
        let report = Report::new(None);
        let document = document::parse(config, &report);
        let document = report.conclude(document).context("error parsing declarative config")?.to_json();
        let Value::Object(lists) = document else { bail!("expected a mapping as declarative config") };
        let mut reader = Reader::default();
        for (name, value) in lists {
            if name.starts_with('_') || value.is_null() {
                continue;
            }
            let (rank, _) = kind(&name).with_context(|| format!("in '{name}': unknown field"))?;
            reader.list(rank, value, None, &name)?;
        }
        reader.finish()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entity> {
        self.0.iter()
    }

    pub fn get(&self, path: &str) -> Option<&Entity> {
        self.0.iter().find(|entity| entity.path() == path)
    }

    /// Puts one in, or in the place of the one with its address.
    pub fn put(&mut self, entity: Entity) {
        let path = entity.path();
        match self.0.iter_mut().find(|other| other.path() == path) {
            Some(other) => *other = entity,
            None => {
                let rank = rank(entity.kind);
                let behind = self.0.partition_point(|other| self::rank(other.kind) <= rank);
                self.0.insert(behind, entity);
            }
        }
    }

    pub fn remove(&mut self, path: &str) {
        self.0.retain(|entity| entity.path() != path);
    }
}

fn kind(name: &str) -> Option<(usize, &'static Kind)> {
    KINDS.iter().enumerate().find(|(_, kind)| kind.name == name)
}

fn rank(of: &'static Kind) -> usize {
    kind(of.name).map_or(KINDS.len(), |(rank, _)| rank)
}

#[derive(Default)]
struct Reader {
    found: Vec<Found>,
}

/// An entity whose references are still as written.
struct Found {
    rank: usize,
    id: String,
    fields: Map<String, Value>,
    /// Where it stands in the document, for messages.
    written_at: String,
}

impl Reader {
    /// Reads a list of entities that belong to a parent, or to none.
    fn list(
        &mut self,
        rank: usize,
        list: Value,
        parent: Option<(&str, &str)>,
        written_at: &str,
    ) -> anyhow::Result<()> {
        let Value::Array(list) = list else { bail!("in '{written_at}': expected an array") };
        for (number, value) in list.into_iter().enumerate() {
            let written_at = format!("{written_at}[{}]", number + 1);
            self.entity(rank, value, parent, number, written_at)?;
        }
        Ok(())
    }

    fn entity(
        &mut self,
        rank: usize,
        value: Value,
        parent: Option<(&str, &str)>,
        number: usize,
        written_at: String,
    ) -> anyhow::Result<()> {
        let kind = &KINDS[rank];
        let Value::Object(mut fields) = value else { bail!("in '{written_at}': expected a record") };
        fields.retain(|name, _| !matches!(name.as_str(), "_comment" | "_ignore"));
        if let Some((field, id)) = parent {
            ensure!(!fields.contains_key(field), "in '{written_at}.{field}': value must be null");
            fields.insert(field.to_owned(), json!({ "id": id }));
        }
        let id = match fields.remove("id") {
            Some(Value::String(id)) => id,
            Some(_) => bail!("in '{written_at}.id': expected a string"),
            None => generated_id(kind, &fields, number),
        };
        for (rank, child) in KINDS.iter().enumerate() {
            let Some(field) = child.foreign_key_to(kind.name) else { continue };
            if let Some(list) = fields.remove(child.name) {
                let written_at = format!("{written_at}.{}", child.name);
                self.list(rank, list, Some((field, &id)), &written_at)?;
            }
        }
        self.found.push(Found { rank, id, fields, written_at });
        Ok(())
    }

    /// Resolves references.
    fn finish(self) -> anyhow::Result<Entities> {
        let mut named = BTreeMap::new();
        for found in &self.found {
            let kind = &KINDS[found.rank];
            named.insert((kind.name, found.id.clone()), found.id.clone());
            if let Some(name) = kind.named_by.iter().find_map(|field| found.fields.get(*field)?.as_str()) {
                named.entry((kind.name, name.to_owned())).or_insert_with(|| found.id.clone());
            }
        }
        let mut entities = Entities::default();
        for mut found in self.found {
            let kind = &KINDS[found.rank];
            let mut parent_path = String::new();
            for (field, target) in kind.foreign_keys() {
                let Some(reference) = found.fields.get_mut(field).filter(|value| !value.is_null()) else {
                    continue;
                };
                let name = reference
                    .as_str()
                    .or_else(|| reference["id"].as_str())
                    .or_else(|| reference["name"].as_str())
                    .or_else(|| reference["username"].as_str())
                    .with_context(|| format!("in '{}.{field}': expected a reference", found.written_at))?;
                // An id that is not in this configuration is Kong's to reject.
                let id = match named.get(&(target, name.to_owned())) {
                    Some(id) => id.clone(),
                    None if Uuid::parse_str(name).is_ok() => name.to_owned(),
                    None => bail!("in '{}.{field}': unknown entity {name:?}", found.written_at),
                };
                if kind.parent == Some((field, target)) {
                    let collection = self::kind(target).map_or("", |(_, parent)| parent.collection);
                    parent_path = format!("/{collection}/{id}");
                }
                *reference = json!({ "id": id });
            }
            let collection = format!("{parent_path}/{}", kind.collection);
            if let Some((field, _)) = kind.parent {
                ensure!(
                    found.fields.remove(field).is_some(),
                    "in '{}.{field}': required field missing",
                    found.written_at
                );
            }
            let entity = Entity { kind, id: found.id, collection, fields: found.fields };
            ensure!(
                entities.get(&entity.path()).is_none(),
                "in '{}': uniqueness violation: '{}' entity with the same id or name already declared",
                found.written_at,
                kind.name
            );
            entities.put(entity);
        }
        Ok(entities)
    }
}

/// The id of an entity that has none: always the same for what names it and its parents. Where Kong has unique names, it
/// is the one that Kong gives the entity without a database.
fn generated_id(kind: &Kind, fields: &Map<String, Value>, number: usize) -> String {
    let name = kind.named_by.iter().find_map(|field| fields.get(*field)?.as_str());
    if let Some(name) = name.filter(|_| !kind.is_scoped) {
        return derived_id(kind.name, name);
    }
    let parents: Vec<_> = kind.foreign_keys().map(|(field, _)| fields.get(field)).collect();
    let name = name.map_or_else(|| format!("number {number}"), str::to_owned);
    let text = json!([kind.name, parents, name]).to_string();
    Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
}

/// Of generated ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f2f_4d0e_9a53_4c55_8f8e_6a1f_5b0e_7a11);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> Vec<(String, Value)> {
        let entities = Entities::read(config).unwrap();
        entities.iter().map(|entity| (entity.path(), Value::Object(entity.fields.clone()))).collect()
    }

    #[test]
    fn nested_entities_refer_to_their_parents() {
        let read = read(
            r#"_format_version: "3.0"
plugins: [{id: 00000000-0000-4000-8000-000000000005, name: acl, route: dogs, config: {allow: []}}]
services:
- id: 00000000-0000-4000-8000-000000000001
  name: dogcatcher
  url: https://localhost:1
  plugins: [{id: 00000000-0000-4000-8000-000000000002, name: upstream-mtls}]
  routes:
  - id: 00000000-0000-4000-8000-000000000003
    name: dogs
    paths: [/dogs]
    plugins: [{id: 00000000-0000-4000-8000-000000000004, name: mtls-policy, config: {rules: []}}]
consumers:
- id: 00000000-0000-4000-8000-000000000006
  username: ann
  keyauth_credentials: [{id: 00000000-0000-4000-8000-000000000007, key: k}]
"#,
        );
        let id = |number: u8| format!("00000000-0000-4000-8000-00000000000{number}");
        let reference = |number: u8| json!({ "id": id(number) });
        let expected = [
            (format!("/services/{}", id(1)), json!({"name": "dogcatcher", "url": "https://localhost:1"})),
            (format!("/consumers/{}", id(6)), json!({"username": "ann"})),
            (format!("/consumers/{}/key-auth/{}", id(6), id(7)), json!({"key": "k"})),
            (
                format!("/routes/{}", id(3)),
                json!({"name": "dogs", "paths": ["/dogs"], "service": reference(1)}),
            ),
            (
                format!("/plugins/{}", id(5)),
                json!({"name": "acl", "route": reference(3), "config": {"allow": []}}),
            ),
            (format!("/plugins/{}", id(2)), json!({"name": "upstream-mtls", "service": reference(1)})),
            (
                format!("/plugins/{}", id(4)),
                json!({"name": "mtls-policy", "route": reference(3), "config": {"rules": []}}),
            ),
        ];
        let mut read_sorted = read.clone();
        let mut expected_sorted = expected.to_vec();
        read_sorted.sort_by(|a, b| a.0.cmp(&b.0));
        expected_sorted.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(read_sorted, expected_sorted);
        let kinds: Vec<_> = read.iter().map(|(path, _)| path.split('/').nth(1).unwrap()).collect();
        assert_eq!(kinds, ["services", "consumers", "consumers", "routes", "plugins", "plugins", "plugins"]);
    }

    #[test]
    fn generated_ids_stay_the_same() {
        let config = |path: &str| {
            format!(
                "services: [{{name: s, url: 'http://localhost', routes: [{{name: r, paths: [{path}], plugins: [{{name: key-auth}}]}}]}}]"
            )
        };
        let paths = |config: &str| read(config).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(paths(&config("/a")), paths(&config("/b")));
        let others = paths("routes: [{name: r, paths: [/a], plugins: [{name: acl}]}]");
        assert_eq!(others[0], paths(&config("/a"))[1], "a route's name names it");
        assert_ne!(others[1], paths(&config("/a"))[2]);
    }

    #[test]
    fn plugins_of_two_routes_have_two_ids() {
        let read = read(
            "routes: [{paths: [/a], plugins: [{name: key-auth}]}, {paths: [/b], plugins: [{name: key-auth}]}]",
        );
        let paths: std::collections::BTreeSet<_> = read.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), 4);
    }

    #[test]
    fn targets_and_names_of_certificates_are_nested() {
        let read = read(
            "upstreams: [{name: u, targets: [{target: 'localhost:1'}]}]\ncertificates: [{cert: c, key: k, snis: [{name: a.example}]}]",
        );
        let target = read.iter().find(|(path, _)| path.contains("/targets/")).unwrap();
        assert!(target.0.starts_with("/upstreams/"));
        assert_eq!(target.1, json!({"target": "localhost:1"}));
        let sni = read.iter().find(|(path, _)| path.starts_with("/snis/")).unwrap();
        assert!(sni.1["certificate"]["id"].is_string());
    }

    #[test]
    fn mistakes_are_named() {
        let rows = [
            ("nonsense: 1", "in 'nonsense': unknown field"),
            ("routes: 1", "in 'routes': expected an array"),
            ("routes: [{name: r, service: s}]", "in 'routes[1].service': unknown entity \"s\""),
            ("plugins: [{name: acl}, {name: acl}]", "in 'plugins[2]': uniqueness violation"),
            ("acls: [{group: a}]", "in 'acls[1].consumer': required field missing"),
        ];
        for (config, expected) in rows {
            let error = format!("{:#}", Entities::read(config).unwrap_err());
            assert!(error.contains(expected), "{config}: {error}");
        }
    }
}
