//! While Kong's database cannot be reached, what is not known is rejected, and what is known is served.

use std::collections::BTreeSet;
use std::process::Command;

use harness::gateway::Ability;
use serde_json::Value;
use tests::config::upstream_mtls;
use tests::{Setting, digest, is_native, needs, raw, tests};

tests![
    known_routes_and_consumers_are_served_during_an_outage,
    unknown_consumer_is_rejected_during_an_outage,
    unknown_route_admits_no_request_without_a_key_during_an_outage,
    worker_that_starts_during_an_outage_serves_nothing,
];

fn known_routes_and_consumers_are_served_during_an_outage() {
    let kong = Kong::start();
    kong.expect("/known", Some(ANN), &[200]);
    kong.expect("/known", None, &[401]);
    kong.setting.set_database_available(false);
    kong.expect("/known", Some(ANN), &[200]);
    kong.expect("/known", None, &[401]);
}

/// The plugin reads the consumer of a key from the database, since Kong may have an entity for it; the filter does not.
fn unknown_consumer_is_rejected_during_an_outage() {
    let kong = Kong::start();
    if !is_native() {
        tests::skip("the filter reads no consumers from Kong's database");
    }
    // Every worker knows the route, none the consumer bob.
    kong.expect("/known", Some(ANN), &[200]);
    kong.setting.set_database_available(false);
    let answer = kong.get("/known", Some(BOB));
    assert_eq!(answer.status, 503, "{}", answer.body);
    let message = &serde_json::from_str::<Value>(&answer.body).unwrap()["message"];
    assert_eq!(message, "Consumer cannot be read");
    let log = kong.setting.log();
    assert!(log.contains("the consumer cannot be read from Kong's database"), "{log}");

    kong.setting.set_database_available(true);
    kong.setting.wait_until("the consumer is read", || kong.get("/known", Some(BOB)).status == 200);
}

/// Whether a policy applies to a route is read at its first request on each worker.
fn unknown_route_admits_no_request_without_a_key_during_an_outage() {
    let kong = Kong::start();
    kong.setting.set_database_available(false);
    kong.expect("/known", None, &[401, 503]);
    // A policy might apply to it.
    kong.expect("/free", None, &[503]);
    assert_eq!(kong.setting.requests_upstream(), 0);

    kong.setting.set_database_available(true);
    kong.setting.wait_until("free is known", || kong.get("/free", None).status == 200);
    kong.expect("/known", None, &[401]);
    kong.setting.wait_until("ann is known", || kong.get("/known", Some(ANN)).status == 200);
}

/// Kong serves with the configuration that its master process has read, and starts no plugin: a revoked key would pass,
/// and connections of different identities would be one.
fn worker_that_starts_during_an_outage_serves_nothing() {
    let kong = Kong::start();
    kong.expect("/known", Some(ANN), &[200]);
    kong.setting.set_database_available(false);
    let workers = kong.setting.processes();
    for worker in &workers {
        assert!(Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap().success());
    }
    kong.setting.wait_until("there are other workers", || {
        let now = kong.setting.processes();
        !now.is_empty() && now.iter().all(|worker| !workers.contains(worker))
    });
    kong.setting.wait_until("they answer", || kong.setting.get("/known/anything").try_send().is_some());
    let before = kong.setting.requests_upstream();
    for path in ["/known", "/free"] {
        for key in [None, Some(ANN)] {
            kong.expect(path, key, &[503]);
        }
    }
    assert_eq!(kong.setting.requests_upstream(), before);
}

const ANN: &str = "key-of-ann";
const BOB: &str = "key-of-bob";

struct Kong {
    setting: Setting,
}

impl Kong {
    fn start() -> Self {
        needs(Ability::SharesDatabase);
        let config = format!(
            r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: free
    paths: [/free]
  - name: known
    paths: [/known]
    plugins:
    - name: mtls-policy
      config:
        key_names: [X-API-Key]
        consumers:
        - {{username: ann, keys: [{{id: one, sha256: {}}}]}}
        - {{username: bob, keys: [{{id: one, sha256: {}}}]}}
        client_certificate: kong-client
"#,
            upstream_mtls("client_certificate: kong-client"),
            digest(ANN),
            digest(BOB),
        );
        Self { setting: Setting::on_nodes(1, &config) }
    }

    fn get(&self, path: &str, key: Option<&str>) -> harness::cases::Answer {
        let headers: Vec<_> = key.iter().map(|key| ("X-API-Key", *key)).collect();
        raw::get(self.setting.proxy(), &format!("{path}/anything"), &headers)
    }

    /// Of a number of requests on connections of their own, so that every worker answers some.
    fn expect(&self, path: &str, key: Option<&str>, expected: &[u16]) {
        let seen: BTreeSet<u16> = (0..30).map(|_| self.get(path, key).status).collect();
        assert!(
            seen.iter().all(|status| expected.contains(status)),
            "{path} {key:?}: {expected:?}, got {seen:?}"
        );
    }
}
