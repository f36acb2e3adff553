//! A user's config, made to run here: a mock for every upstream, certificates that are made up, and keys of which the
//! policy's own digests become the digests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::stack::Keys;
use kong_config::document::{self, Problems, Report};
use policy_tools::keys::digest;

/// A user's config, ready for a [`Stack`](crate::stack::Stack).
pub struct Own {
    /// Kong's declarative config, JSON.
    pub text: String,
    /// Names of the client certificates that it can present.
    pub clients: Vec<String>,
    /// By consumer, and by `consumer/id` for each key of it.
    pub keys: Keys,
}

impl Own {
    /// Reads a config as it is written for production.
    ///
    /// # Errors
    /// It is no YAML; or the system gives no random bytes for keys.
    pub fn read(text: &str, file: &str) -> anyhow::Result<Self> {
        let mut config = document(text, file)?;
        let mut changes = Changes::default();
        changes.walk(&mut config)?;
        for service in list(&mut config, "services") {
            mock(service);
        }
        let clients = changes.clients.into_iter().collect::<Vec<_>>();
        let mut own = Self { text: String::new(), clients, keys: changes.keys };
        own.give_certificates(&mut config);
        own.text = config.to_string();
        Ok(own)
    }

    /// Lets every upstream-mtls present what the stack has made up, instead of what production has.
    fn give_certificates(&self, value: &mut Value) {
        if let Some(config) = config_of(value, "upstream-mtls") {
            for client in list(config, "client_certificates") {
                let Some(name) = client["name"].as_str().map(str::to_owned) else { continue };
                let at = self.secret(&name);
                *client = json!({ "name": name, "cert_file": format!("{at}/tls.crt"), "key_file": format!("{at}/tls.key") });
            }
            let trusts = ["ca_file", "ca_certificates"].iter().any(|field| config.get(field).is_some());
            if trusts && let Some(fields) = config.as_object_mut() {
                fields.remove("ca_certificates");
                fields.insert("ca_file".to_owned(), format!("{FIRST}/ca.crt").into());
            }
        }
        children(value).for_each(|child| self.give_certificates(child));
    }

    /// Where the stack puts a client certificate.
    fn secret(&self, name: &str) -> String {
        match self.clients.first() {
            Some(first) if first == name => FIRST.to_owned(),
            _ => format!("/etc/secrets/{name}"),
        }
    }
}

#[derive(Default)]
struct Changes {
    keys: Keys,
    /// What each digest that was met is called.
    digests: BTreeMap<String, String>,
    clients: BTreeSet<String>,
}

impl Changes {
    fn walk(&mut self, value: &mut Value) -> anyhow::Result<()> {
        if let Some(config) = config_of(value, "mtls-policy") {
            self.policy(config)?;
        }
        if let Some(config) = config_of(value, "upstream-mtls") {
            let clients = list(config, "client_certificates");
            self.clients.extend(clients.filter_map(|client| client["name"].as_str().map(str::to_owned)));
        }
        children(value).try_for_each(|child| self.walk(child))
    }

    /// A filter chain may hold the policy as text.
    fn policy(&mut self, config: &mut Value) -> anyhow::Result<()> {
        if let Value::String(text) = config {
            let Ok(mut inside) = serde_json::from_str(text) else { return Ok(()) };
            self.consumers(&mut inside)?;
            *text = inside.to_string();
            return Ok(());
        }
        self.consumers(config)
    }

    /// Nobody here has the keys whose digests production holds; each becomes the digest of a new one.
    fn consumers(&mut self, policy: &mut Value) -> anyhow::Result<()> {
        for consumer in list(policy, "consumers") {
            let Some(username) = consumer["username"].as_str().map(str::to_owned) else { continue };
            for key in list(consumer, "keys") {
                let Some(stored) = key["sha256"].as_str().map(str::to_ascii_lowercase) else { continue };
                // What is no digest is the policy's mistake, and its to report.
                if !is_digest(&stored) {
                    continue;
                }
                let called = format!("{username}/{}", key["id"].as_str().unwrap_or_default());
                let known = self.digests.entry(stored).or_insert_with(|| called.clone()).clone();
                self.keys.also(&known, &called)?;
                self.keys.also(&known, &username)?;
                key["sha256"] = digest(self.keys.of(&known)?).into();
            }
        }
        Ok(())
    }
}

/// A service, with the mock as its upstream.
fn mock(service: &mut Value) {
    let Some(fields) = service.as_object_mut() else { return };
    let url = fields.get("url").and_then(Value::as_str).unwrap_or_default();
    let path = match fields.get("path").and_then(Value::as_str) {
        Some(path) => path.to_owned(),
        None => url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default(),
    };
    for field in ["host", "port", "protocol", "path"] {
        fields.remove(field);
    }
    fields.insert("url".to_owned(), format!("https://dogcatcher-api:5443{path}").into());
}

fn document(text: &str, file: &str) -> Result<Value, Problems> {
    let report = Report::new(Some(file));
    let node = document::parse(text, &report);
    Ok(report.conclude(node)?.to_json())
}

/// The config of a plugin or filter, if the value is one of that name.
fn config_of<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    if value.get("name")?.as_str()? == name { value.get_mut("config") } else { None }
}

fn list<'v>(value: &'v mut Value, field: &str) -> impl Iterator<Item = &'v mut Value> + use<'v> {
    value.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(fields) => Box::new(fields.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Where a stack puts its first client certificate, and the CA.
const FIRST: &str = "/etc/secrets/kong-upstream-mtls";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_production_has_is_replaced_and_what_it_decides_by_is_not() {
        let stored = ["1".repeat(64), "2".repeat(64)];
        let text = format!(
            "services:
- name: api
  url: https://api.corp.example:8443/v1
  plugins:
  - name: upstream-mtls
    config:
      client_certificates:
      - {{name: one, cert: '{{vault://env/c}}', key: '{{vault://env/k}}'}}
      - {{name: two, certificate: {{id: x}}}}
      ca_certificates: [y]
  routes:
  - name: r
    plugins:
    - name: mtls-policy
      config: &policy
        consumers:
        - username: ann
          keys: [{{id: '1', sha256: '{}'}}, {{id: '2', sha256: '{}'}}]
        client_certificate: one
- {{name: other, host: other.example, port: 80, path: /p, routes: [{{name: q, plugins: [{{name: mtls-policy, config: *policy}}]}}]}}
",
            stored[0], stored[1]
        );
        let own = Own::read(&text, "kong.yml").unwrap();
        let config: Value = serde_json::from_str(&own.text).unwrap();
        let api = &config["services"][0];
        assert_eq!(api["url"], "https://dogcatcher-api:5443/v1");
        assert_eq!(config["services"][1]["url"], "https://dogcatcher-api:5443/p");
        assert_eq!(own.clients, ["one", "two"]);
        let mtls = &api["plugins"][0]["config"];
        assert_eq!(mtls["ca_file"], "/etc/secrets/kong-upstream-mtls/ca.crt");
        assert_eq!(mtls["client_certificates"][0]["cert_file"], "/etc/secrets/kong-upstream-mtls/tls.crt");
        assert_eq!(mtls["client_certificates"][1]["key_file"], "/etc/secrets/two/tls.key");
        assert!(!own.text.contains("vault") && stored.iter().all(|stored| !own.text.contains(stored)));
        let policy = &api["routes"][0]["plugins"][0]["config"];
        let digest_of = |name| digest(own.keys.of(name).unwrap());
        assert_eq!(policy["consumers"][0]["keys"][0]["sha256"], digest_of("ann"));
        assert_eq!(policy["consumers"][0]["keys"][1]["sha256"], digest_of("ann/2"));
        assert_eq!(
            (policy, &policy["client_certificate"]),
            (&config["services"][1]["routes"][0]["plugins"][0]["config"], &json!("one"))
        );
        assert_eq!(own.keys.names(), ["ann", "ann/1", "ann/2"]);
        assert_ne!(digest_of("ann"), digest_of("ann/2"));
    }
}
