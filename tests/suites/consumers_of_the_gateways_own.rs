//! Where Kong's own plugins say who is asking, the certificate is chosen by that.

use harness::gateway::Ability;
use tests::config::{from_files, upstream_mtls};
use tests::{Setting, needs, raw, tests};

tests![
    rules_choose_by_the_consumer_and_the_groups_that_kong_has_established,
    nobody_is_refused_like_a_request_without_a_key,
    without_a_filter_each_consumer_has_the_certificate_of_its_scope,
    kongs_own_plugins_come_before_the_filter,
    rules_see_the_path_as_other_plugins_have_left_it,
];

/// Ann is in the group `vets`; carl is not wanted.
const CONSUMERS: &str = r#"_format_version: "3.0"
consumers:
- {username: ann, custom_id: ann-7, keyauth_credentials: [{key: ann-key}], acls: [{group: vets}]}
- {username: bob, keyauth_credentials: [{key: bob-key}]}
- {username: carl, keyauth_credentials: [{key: carl-key}]}
"#;

fn of_the_gateway() -> Setting {
    needs(Ability::KongsOwn);
    Setting::of(&format!(
        "{CONSUMERS}
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - {{name: key-auth, config: {{hide_credentials: true}}}}
    - {RULES}
  - name: nobody
    paths: [/nobody]
    plugins:
    - {RULES}
",
        upstream_mtls("")
    ))
}

const RULES: &str = "name: mtls-policy
      config:
        authentication: gateway
        client_certificate: kong-client
        rules:
        - match: {groups: [vets]}
          client_certificate: kong-vet
        - match: {consumers: [carl]}
          deny: {status: 403, message: not for carl}";

fn rules_choose_by_the_consumer_and_the_groups_that_kong_has_established() {
    let setting = of_the_gateway();
    for _ in 0..10 {
        let asked = |key| raw::get(setting.proxy(), "/dogs/anything", &[("apikey", key)]);
        let ann = asked("ann-key");
        assert_eq!((ann.status, ann.seen_client()), (200, Some("kong-vet")), "{}", ann.body);
        assert!(ann.body.contains(r#"["x-consumer-username","ann"]"#), "{}", ann.body);
        assert!(ann.body.contains(r#"["x-consumer-custom-id","ann-7"]"#), "{}", ann.body);
        assert!(!ann.body.contains("ann-key"), "{}", ann.body);
        assert_eq!(asked("bob-key").seen_client(), Some("kong-client"));
        let carl = asked("carl-key");
        assert_eq!((carl.status, carl.message().as_str()), (403, "not for carl"));
    }
}

fn nobody_is_refused_like_a_request_without_a_key() {
    let setting = of_the_gateway();
    // The key is right, but nobody on this route has looked at it.
    let answer = raw::get(setting.proxy(), "/nobody/anything", &[("apikey", "ann-key")]);
    assert_eq!((answer.status, answer.message().as_str()), (401, "No API key found in request"));
    assert_eq!(setting.requests_upstream(), 0);
}

fn without_a_filter_each_consumer_has_the_certificate_of_its_scope() {
    needs(Ability::KongsOwn);
    let scoped = |scope: &str, certificate: &str| {
        format!(
            "- {{name: upstream-mtls, {scope} config: {{client_certificates: [{}], client_certificate: {certificate}, tls_verify: false}}}}\n",
            from_files(certificate)
        )
    };
    let config = format!(
        "{CONSUMERS}
services:
- name: one
  url: https://dogcatcher-api:5443
  routes:
  - {{name: plain, paths: [/plain]}}
  - {{name: keyed, paths: [/keyed], plugins: [{{name: key-auth}}]}}
- name: other
  url: https://dogcatcher-api:5443
  routes:
  - {{name: of-a-service, paths: [/of-a-service]}}
  - {{name: of-a-route, paths: [/of-a-route]}}
plugins:
{}{}{}{}",
        scoped("", "kong-client"),
        scoped("service: other,", "kong-vet"),
        scoped("route: of-a-route,", "kong-intern"),
        scoped("consumer: ann,", "kong-vet"),
    );
    let setting = Setting::up(&config, &[("wasm", "off")]).unwrap();
    // Route, key, certificate.
    let rows = [
        ("/plain", "", "kong-client"),
        ("/keyed", "ann-key", "kong-vet"),
        ("/keyed", "bob-key", "kong-client"),
        ("/of-a-service", "", "kong-vet"),
        ("/of-a-route", "", "kong-intern"),
    ];
    for (route, key, owed) in rows.into_iter().cycle().take(rows.len() * 6) {
        let answer = raw::get(setting.proxy(), &format!("{route}/anything"), &[("apikey", key)]);
        assert_eq!(
            (answer.status, answer.seen_client()),
            (200, Some(owed)),
            "{route} {key}: {}",
            answer.body
        );
    }
}

fn kongs_own_plugins_come_before_the_filter() {
    needs(Ability::KongsOwn);
    needs(Ability::DecidesLast);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - {{name: rate-limiting, config: {{hour: 3, policy: local, limit_by: service}}}}
    - {{name: mtls-policy, config: {{consumers: [{{username: ann}}], client_certificate: kong-client}}}}
"#,
        upstream_mtls("")
    ));
    // Kong counts a request after it, so that the limit may come a request late.
    let mut statuses = Vec::new();
    setting.wait_until("what the filter refuses is counted before it", || {
        statuses.push(setting.get("/dogs/anything").send().status);
        statuses.last() == Some(&429)
    });
    assert!(statuses.len() > 3 && statuses[..3] == [401; 3], "{statuses:?}");
}

fn rules_see_the_path_as_other_plugins_have_left_it() {
    needs(Ability::KongsOwn);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - {{name: request-transformer, config: {{replace: {{uri: /anything/locked/7}}}}}}
    - name: mtls-policy
      config:
        consumers: [{{username: ann}}]
        anonymous: ann
        client_certificate: kong-client
        rules:
        - match: {{path_prefix: /anything/locked}}
          deny: {{status: 403, message: locked}}
"#,
        upstream_mtls("")
    ));
    let answer = raw::get(setting.proxy(), "/dogs/anything/free", &[]);
    assert_eq!((answer.status, answer.message().as_str()), (403, "locked"));
    assert_eq!(setting.requests_upstream(), 0);
}
