//! All policies of all suites as the routes of one gateway, for bringing one up takes longer than asking it.

use serde_json::{Value, json};

use super::CERTIFICATES;
use crate::cases::{Case, Established, Suite};

/// A route for each policy.
#[derive(Default)]
pub(super) struct Routes {
    policies: Vec<(Value, Authentication)>,
    people: Vec<Established>,
}

/// Whether the gateway's own authentication comes before the policy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Authentication {
    KeyAuth,
    None,
}

impl Authentication {
    fn of(case: &Case) -> Self {
        if case.request.established.is_some() { Self::KeyAuth } else { Self::None }
    }
}

impl Routes {
    /// Routes for the cases that are going to be asked.
    pub(super) fn of(suites: &[Suite], asked: impl Fn(&Case) -> bool) -> Self {
        let mut routes = Self::default();
        for case in suites.iter().flat_map(|suite| &suite.cases).filter(|case| asked(case)) {
            let Some(policy) = &case.policy else { continue };
            if routes.prefix(case).is_none() {
                routes.policies.push((policy.clone(), Authentication::of(case)));
            }
            if let Some(who) = &case.request.established
                && !routes.people.contains(who)
            {
                routes.people.push(who.clone());
            }
        }
        routes
    }

    /// One route for one policy.
    pub(super) fn single(policy: &Value) -> Self {
        Self { policies: vec![(policy.clone(), Authentication::None)], people: Vec::new() }
    }

    /// What comes before the target of a case's request.
    pub(super) fn prefix(&self, case: &Case) -> Option<String> {
        let wanted = (case.policy.as_ref()?, Authentication::of(case));
        let number = self.policies.iter().position(|(policy, how)| (policy, *how) == wanted)?;
        Some(prefix(number))
    }

    /// Kong's declarative config; digests stand in it as `<ann>`, keys as `<key of ann>`. `decides` makes a policy
    /// into the plugins that decide, and `default` is what upstream-mtls presents by itself.
    pub(super) fn config(
        &self,
        default: Option<&str>,
        decides: impl Fn(&Value) -> Vec<Value>,
        consumers: Vec<Value>,
    ) -> String {
        let routes = self.policies.iter().enumerate().map(|(number, (policy, authentication))| {
            let mut plugins = decides(policy);
            if *authentication == Authentication::KeyAuth {
                plugins.push(json!({"name": "key-auth", "config":
                    {"key_names": [GATEWAY_KEY], "key_in_query": false, "hide_credentials": true}}));
            }
            json!({"name": format!("r{number}"), "paths": [prefix(number)], "plugins": plugins})
        });
        let service = service(default, routes.collect());
        let mut config = json!({"_format_version": "3.0", "services": [service]});
        let people = self.people.iter().map(person);
        let all: Vec<_> = consumers.into_iter().chain(people).collect();
        if !all.is_empty() {
            config["consumers"] = all.into();
        }
        config.to_string()
    }
}

fn service(default: Option<&str>, routes: Vec<Value>) -> Value {
    let certificates = CERTIFICATES.map(|name| {
        // The first one lies where the shipped config has it.
        let secret = if name == CERTIFICATES[0] { "kong-upstream-mtls" } else { name };
        json!({"name": name, "cert_file": format!("/etc/secrets/{secret}/tls.crt"),
               "key_file": format!("/etc/secrets/{secret}/tls.key")})
    });
    let mut config = json!({"client_certificates": certificates,
                            "ca_file": "/etc/secrets/kong-upstream-mtls/ca.crt"});
    if let Some(name) = default {
        config["client_certificate"] = name.into();
    }
    json!({"name": "dogcatcher", "url": "https://dogcatcher-api:5443", "routes": routes,
           "plugins": [{"name": "upstream-mtls", "config": config}]})
}

/// One of those whom the gateway itself knows, with a key for it.
fn person(who: &Established) -> Value {
    let Established { username, id, custom_id, credential, groups } = who;
    let mut consumer = json!({"username": username, "id": id,
        "keyauth_credentials": [{"id": credential, "key": format!("<key of {username}>")}]});
    if let Some(custom_id) = custom_id {
        consumer["custom_id"] = custom_id.as_str().into();
    }
    if !groups.is_empty() {
        consumer["acls"] = groups.iter().map(|group| json!({"group": group})).collect();
    }
    consumer
}

/// None is the beginning of another.
fn prefix(number: usize) -> String {
    format!("/r{number:04}")
}

/// Where the gateway's own authentication looks for its key.
pub(super) const GATEWAY_KEY: &str = "X-Gateway-Key";
