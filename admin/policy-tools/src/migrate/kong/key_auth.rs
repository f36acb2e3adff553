//! What key-auth's config is in a policy (kong/plugins/key-auth/schema.lua of Kong 3.9.1, and 3.10's `identity_realms`).

use mtls_policy::policy::{Host, Policy as Compiled};

use super::people::People;
use crate::Engine;
use crate::migrate::policy::Policy;
use crate::migrate::report::{Notes, Outcome};
use crate::policy::Plugin;
use kong_config::document::{Node, Value};

/// `None`: it cannot be mapped, and it has been said why.
pub(super) fn policy(
    plugin: &Plugin<'_>,
    people: &People<'_>,
    engine: Option<Engine>,
    notes: &mut Notes<'_>,
) -> Option<Policy> {
    let mut reader = Reader { plugin, people, notes, policy: Policy::default(), wrong: false };
    reader.entity();
    if let Some(config) = plugin.node.get("config") {
        reader.config(config);
    }
    let Reader { policy, wrong, .. } = reader;
    (!wrong && compiles(&policy, plugin, engine, notes)).then_some(policy)
}

struct Reader<'r, 'd, 'n> {
    plugin: &'r Plugin<'d>,
    people: &'r People<'d>,
    notes: &'r mut Notes<'n>,
    policy: Policy,
    wrong: bool,
}

impl Reader<'_, '_, '_> {
    /// What stands beside the config.
    fn entity(&mut self) {
        let Value::Map(fields) = &self.plugin.node.value else { return };
        for (key, node) in fields {
            match key.name.as_str() {
                _ if matches!(node.value, Value::Null) => {}
                "protocols" => {
                    let has = |name| node.items().iter().any(|item| item.as_str() == Some(name));
                    if !(has("http") && has("https")) {
                        let message = "key-auth is for some protocols only, a policy for all";
                        self.refuse(node, message, "split the route by its own `protocols`");
                    }
                }
                "config" | "consumer" | "consumer_group" | "created_at" | "enabled" | "id"
                | "instance_name" | "name" | "route" | "service" | "tags" | "updated_at" => {}
                other => {
                    let message = format!("`{other}` has no counterpart");
                    self.refuse(node, &message, "take it out, or map this plugin by hand");
                }
            }
        }
    }

    fn config(&mut self, config: &Node) {
        let Value::Map(fields) = &config.value else {
            return self.refuse(config, "the config is no mapping", "correct it");
        };
        for (key, node) in fields {
            let switch = match node.value {
                Value::Null => continue,
                Value::Boolean(switch) => Some(switch),
                _ => None,
            };
            let text = node.as_str();
            match (key.name.as_str(), switch, text) {
                ("hide_credentials", Some(hides), _) => self.policy.hide_credentials = hides.then_some(true),
                ("key_in_body", Some(looks), _) => self.policy.key_in_body = looks.then_some(true),
                ("key_in_header", Some(looks), _) => self.policy.key_in_header = (!looks).then_some(false),
                ("key_in_query", Some(looks), _) => self.policy.key_in_query = (!looks).then_some(false),
                ("run_on_preflight", Some(runs), _) => {
                    self.policy.run_on_preflight = (!runs).then_some(false)
                }
                ("realm", _, Some(realm)) => self.policy.realm = Some(realm.to_owned()),
                ("anonymous", _, Some(name)) => self.anonymous(node, name),
                ("key_names", None, None) => self.key_names(node),
                ("identity_realms", None, None) => self.realms(node),
                (
                    "anonymous" | "hide_credentials" | "key_in_body" | "key_in_header" | "key_in_query"
                    | "key_names" | "identity_realms" | "realm" | "run_on_preflight",
                    ..,
                ) => {
                    self.refuse(node, "not of the type that key-auth takes", "correct it");
                }
                (other, ..) => {
                    let message = format!("key-auth's `{other}` has no counterpart");
                    self.refuse(node, &message, "take it out if it changes nothing for you");
                }
            }
        }
        if self.policy.hide_credentials == Some(true) {
            self.notes.add(
                Outcome::Differs,
                config,
                "a hidden key goes under all of key_names, where key-auth hides it under the one that it finds",
            );
        }
    }

    fn key_names(&mut self, list: &Node) {
        let mut names: Vec<String> = Vec::new();
        for item in list.items() {
            let Some(name) = item.as_str() else {
                return self.refuse(item, "not a name", "correct it");
            };
            if name.contains('_') {
                let message = format!(
                    "Kong finds the header {name:?} when it is spelled with -, too; a policy does not"
                );
                self.notes.add(Outcome::Differs, item, message);
            }
            match names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                true => {
                    let message =
                        format!("{name:?} is there in another case: in a query, the first spelling counts");
                    self.notes.add(Outcome::Differs, item, message);
                }
                false => names.push(name.to_owned()),
            }
        }
        self.policy.key_names = (names != ["apikey"]).then_some(names);
    }

    fn anonymous(&mut self, node: &Node, name: &str) {
        match self.people.find(name) {
            Some(person) => self.policy.anonymous = Some(person.consumer.username.clone()),
            None => {
                let message = format!("the anonymous consumer {name:?} is in none of the files");
                self.refuse(node, &message, "give the file that has it, or its name");
            }
        }
    }

    /// Consumers of this control plane alone are what a policy has.
    fn realms(&mut self, list: &Node) {
        let own = |realm: &Node| realm.get("scope").and_then(Node::as_str) == Some("cp");
        if !list.items().iter().all(own) {
            let help = "write the consumers of that realm into the config, and take identity_realms out";
            self.refuse(list, "consumers of a realm beyond this control plane are not known here", help);
        }
    }

    fn refuse(&mut self, at: &Node, message: &str, help: &str) {
        self.wrong = true;
        self.notes.cure(Outcome::Unmapped, at, message, help);
    }
}

/// What the policy's own compiler says.
fn compiles(policy: &Policy, plugin: &Plugin<'_>, engine: Option<Engine>, notes: &mut Notes<'_>) -> bool {
    let host = match engine {
        Some(Engine::Native) => Host::PLUGIN,
        Some(Engine::Wasm) | None => Host::FILTER,
    };
    let document = policy.config(&[]).to_json().to_string();
    let Err(problems) = Compiled::compile_for(&host, document.as_bytes()) else { return true };
    for problem in problems.iter() {
        let at =
            plugin.node.get("config").and_then(|config| config.get(&problem.path)).unwrap_or(plugin.node);
        let help = match problem.path.as_str() {
            "key_in_body" => "with --engine native, where the plugin is loaded and not the filter",
            _ => "change it in the old config first",
        };
        notes.cure(Outcome::Unmapped, at, format!("{}: {}", problem.path, problem.message), help);
    }
    false
}
