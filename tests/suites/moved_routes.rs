//! A route that the Admin API moves to another service keeps its own policy.

use std::collections::BTreeSet;

use harness::gateway::Ability;
use serde_json::json;
use tests::config::upstream_mtls;
use tests::{Setting, digest, needs, raw, tests};

tests![route_moved_to_a_service_with_a_policy_keeps_its_own];

/// The policy of the service lets everybody in, that of the route only ann.
fn route_moved_to_a_service_with_a_policy_keeps_its_own() {
    needs(Ability::SharesDatabase);
    let setting = Setting::on_nodes(2, &config());
    let seen = |path: &str, key: Option<&str>| {
        let headers: Vec<_> = key.iter().map(|key| ("X-API-Key", *key)).collect();
        let mut statuses = BTreeSet::new();
        for proxy in setting.proxies() {
            statuses.extend((0..20).map(|_| raw::get(proxy, path, &headers).status));
        }
        statuses
    };
    assert_eq!(seen("/guarded/anything", None), BTreeSet::from([401]));
    assert_eq!(seen("/open/anything", None), BTreeSet::from([200]));

    let body = json!({ "service": { "name": "open" } });
    assert_eq!(setting.admin("PATCH", "/routes/guarded", Some(&body)).0, 200);
    let before = setting.requests_upstream();
    for _ in 0..20 {
        let keyless = seen("/guarded/anything", None);
        assert!(!keyless.contains(&200), "a request without a key passed: {keyless:?}");
    }
    assert_eq!(setting.requests_upstream(), before);
    // As a plugin, the route's policy replaces the service's; as filters both decide.
    setting.wait_until("the route is served again", || {
        seen("/guarded/anything", Some(KEY)) == BTreeSet::from([200])
    });
    assert_eq!(seen("/guarded/anything", None), BTreeSet::from([401]));
    assert_eq!(seen("/guarded/anything", Some("wrong")), BTreeSet::from([401]));
}

const KEY: &str = "key-of-ann";

fn config() -> String {
    let policy = |consumers: &str| {
        format!(
            "{{name: mtls-policy, config: {{key_names: [X-API-Key], client_certificate: kong-client, {consumers}}}}}"
        )
    };
    format!(
        r#"_format_version: "3.0"
services:
- name: plain
  url: https://dogcatcher-api:5443
  plugins: [{upstream_mtls}]
  routes: [{{name: guarded, paths: [/guarded], plugins: [{guarded}]}}]
- name: open
  url: https://dogcatcher-api:5443
  plugins: [{upstream_mtls}, {open}]
  routes: [{{name: open, paths: [/open]}}]
"#,
        upstream_mtls = upstream_mtls(""),
        guarded =
            policy(&format!("consumers: [{{username: ann, keys: [{{id: one, sha256: {}}}]}}]", digest(KEY))),
        open = policy("anonymous: guest, consumers: [{username: guest}]"),
    )
}
