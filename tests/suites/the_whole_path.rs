//! An API key in, the right client certificate out.

use harness::gateway::Ability;
use tests::config::{self, upstream_mtls};
use tests::{Setting, needs, raw, tests};

tests![
    a_policy_without_a_certificate_keeps_that_of_upstream_mtls,
    a_key_in_the_header_becomes_the_client_certificate,
    a_key_in_the_query_becomes_the_client_certificate,
    a_filter_in_a_chain_decides_as_one_among_the_plugins,
    the_consumers_group_and_the_method_and_the_path_select_the_certificate,
    no_spelling_of_a_path_slips_past_a_rule,
    a_key_counts_only_within_its_window,
    a_stored_digest_is_not_a_key,
];

fn a_policy_without_a_certificate_keeps_that_of_upstream_mtls() {
    for hide in [false, true] {
        let config = config::with_policy(&format!("hide_credentials: {hide}"), "")
            .replace("reload_interval: 0.1, ", "reload_interval: 0.1, client_certificate: kong-client");
        let setting = Setting::of(&config);
        assert_eq!(setting.get("/dogs/anything").send().status, 401);
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        assert_eq!(seen.status, 200, "hide_credentials: {hide}");
        assert_eq!(seen.fingerprint(), Some(setting.fingerprint("kong-client")));
    }
}

fn a_key_in_the_header_becomes_the_client_certificate() {
    let setting = Setting::new("client_certificate: kong-client");
    let seen = setting.get("/dogs/anything/x").key("model-citizen").send();
    assert_eq!((seen.status, seen.common_name()), (200, Some("kong-client")));
    assert_eq!(seen.header("x-consumer-username"), ["model-citizen"]);
}

fn a_key_in_the_query_becomes_the_client_certificate() {
    let setting = Setting::new("client_certificate: kong-client");
    let key = setting.key("model-citizen");
    let seen = setting.get(&format!("/dogs/anything/x?a=1&X-API-Key={key}&b=2")).send();
    assert_eq!((seen.status, seen.common_name()), (200, Some("kong-client")));
}

/// The only way to configure a filter on Kong 3.6 to 3.8.
fn a_filter_in_a_chain_decides_as_one_among_the_plugins() {
    needs(Ability::RunsFilters);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    filter_chains:
    - filters:
      - name: mtls-policy
        config:
          key_names: [X-API-Key]
          client_certificate: kong-client
          consumers:
          - {{username: intern, keys: [{{id: "1", sha256: <intern>}}]}}
          - {{username: vet, keys: [{{id: "1", sha256: <vet>}}]}}
          rules: [{{match: {{consumers: [vet]}}, client_certificate: kong-vet}}]
"#,
        upstream_mtls("")
    ));
    for (who, owed) in [("intern", Some("kong-client")), ("vet", Some("kong-vet")), ("nobody", None)] {
        let seen = setting.get("/dogs/anything").key(who).send();
        assert_eq!((seen.status == 200, seen.common_name()), (owed.is_some(), owed), "{who}: {}", seen.text);
    }
    assert_eq!(setting.requests_upstream(), 2);
}

fn the_consumers_group_and_the_method_and_the_path_select_the_certificate() {
    let setting = Setting::new(
        "client_certificate: kong-client
rules:
- match: {groups: [vets], methods: [POST, PUT], path_prefix: /anything/dogs}
  client_certificate: kong-vet
- match: {consumers: [intern], path_prefix: /anything/keys}
  deny: {status: 403, message: not for interns}
- match: {consumers: [intern]}
  client_certificate: kong-intern",
    );
    // Who, how, where, and as whom the upstream is called.
    let rows = [
        ("model-citizen", "POST", "/anything/dogs/7", Some("kong-client")),
        ("vet", "POST", "/anything/dogs/7", Some("kong-vet")),
        ("vet", "PUT", "/anything/dogs", Some("kong-vet")),
        ("vet", "GET", "/anything/dogs", Some("kong-client")),
        ("vet", "POST", "/anything/dogsled", Some("kong-client")),
        ("intern", "GET", "/anything/dogs", Some("kong-intern")),
        ("intern", "GET", "/anything/keys", None),
        ("intern", "GET", "/anything/keys/of/the/cage", None),
    ];
    for (who, method, path, owed) in rows {
        let seen = setting.request(method, &format!("/dogs{path}")).key(who).send();
        assert_eq!(seen.common_name(), owed, "{who} {method} {path}");
        if owed.is_none() {
            assert_eq!(
                (seen.status, seen.message()),
                (403, Some("not for interns")),
                "{who} {method} {path}"
            );
        }
    }
}

fn no_spelling_of_a_path_slips_past_a_rule() {
    let setting = Setting::new(
        "client_certificate: kong-client
rules:
- match: {path_prefix: /anything/keys}
  deny: {status: 403, message: locked}",
    );
    let key = setting.key("model-citizen");
    let spellings = [
        "/dogs/anything/keys",
        "/dogs/anything//keys",
        "/dogs/anything/./keys",
        "/dogs/anything/x/../keys",
        "/dogs/anything/%6beys",
        "/dogs/anything/x/%2e%2e/keys",
        "/dogs/anything/x/%2E./keys/7",
        "/dogs/anything%2Fkeys",
        "/dogs/anything%2fkeys/7",
        "/dogs/anything/x%2F..%2Fkeys",
        "/dogs/anything\\keys",
        "/dogs/anything%5Ckeys",
        "/dogs/anything/keys;v=1",
        "/dogs/anything/keys%3Bv=1",
        "//dogs/anything/keys",
        "/dogs/../dogs/anything/keys",
    ];
    for target in spellings {
        let answer = raw::get(setting.proxy(), target, &[("X-API-Key", &key)]);
        assert!((400..500).contains(&answer.status), "{target}: {}", answer.status);
    }
    assert_eq!(setting.requests_upstream(), 0, "one of the spellings was let through");
    assert_eq!(setting.get("/dogs/anything/key").key("model-citizen").send().status, 200);
}

fn a_key_counts_only_within_its_window() {
    let setting = Setting::new("client_certificate: kong-client");
    assert_eq!(setting.get("/dogs/anything").key("former-citizen").send().message(), Some("Unauthorized"));
    assert_eq!(setting.get("/dogs/anything").key("future-citizen").send().message(), Some("Unauthorized"));
}

fn a_stored_digest_is_not_a_key() {
    let setting = Setting::new("client_certificate: kong-client");
    let digest = tests::digest(setting.key("model-citizen"));
    let seen = setting.get("/dogs/anything").header("X-API-Key", &digest).send();
    assert_eq!((seen.status, seen.message()), (401, Some("Unauthorized")));
}
